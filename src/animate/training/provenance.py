"""Where numbers come from: what somebody needs to get them again, or to doubt them."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from typing import Any

import torch

from animate import __version__
from animate.checkpoints.description import source_revision


def provenance(**facts: Any) -> dict[str, Any]:
    """Put what is always told behind the facts of an evaluation: version, revision, date, machine."""
    machine = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return {
        **facts,
        "version": __version__,
        "revision": source_revision(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{machine}, torch {torch.__version__}",
    }
