"""Where the YAML files are: inside the installed package, or at the root of the repository."""

from __future__ import annotations

from pathlib import Path

import animate


def conf_folder() -> Path:
    """Return ``animate/conf`` of an installed wheel, else ``conf`` of the checkout."""
    package = Path(animate.__file__).resolve().parent
    installed = package / "conf"
    return installed if installed.is_dir() else package.parents[1] / "conf"
