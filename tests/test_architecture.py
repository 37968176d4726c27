"""Who imports whom: the rules of the design, read from the source as text."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "animate"

# Every layer may import `types`, `errors` and `layouts` besides what stands here.
COMMON = {"layouts"}
ALLOWED = {
    "layouts": set(),
    "ops": set(),
    "video": set(),
    "networks": {"ops"},
    "losses": {"ops"},
    "metrics": {"ops"},
    "annotate": {"video", "networks", "checkpoints", "ops", "data"},
    "reports": {"metrics", "video"},
    "modules": {"networks", "losses", "ops"},
    "data": {"video", "ops"},
    "checkpoints": {"networks"},
    "pipelines": {"checkpoints", "networks", "video", "ops", "annotate"},
    "training": {
        *("modules", "data", "metrics", "video", "checkpoints", "annotate", "reports", "networks", "ops"),
    },
    "cli": {
        *("training", "data", "metrics", "video", "checkpoints", "pipelines", "networks", "ops"),
        *("annotate", "reports"),
    },
}
EXPERIMENT_LIBRARIES = {"hydra", "omegaconf", "wandb"}
LIGHTNING = {"pytorch_lightning", "lightning"}


def imports(path: Path) -> set[str]:
    """Every dotted name that a file imports, relative imports resolved against its package."""
    found: set[str] = set()
    package = ("animate", *path.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) + "." if node.level else ""
            found.add(base + (node.module or ""))
            found |= {f"{base}{node.module or ''}.{alias.name}" for alias in node.names}
    return found


def layer_files() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if len(path.relative_to(PACKAGE).parts) > 1)


@pytest.mark.parametrize("path", layer_files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_follow_the_layers(path: Path) -> None:
    layer = path.relative_to(PACKAGE).parts[0]
    names = imports(path)
    ours = {name.split(".")[1] for name in names if name.startswith("animate.")}
    layers = {entry.name for entry in PACKAGE.iterdir() if entry.is_dir()}
    forbidden = (ours & layers) - ALLOWED[layer] - COMMON - {layer}
    assert not forbidden, f"{layer} must not import {sorted(forbidden)}"
    roots = {name.split(".")[0] for name in names}
    if layer != "training":
        found = roots & EXPERIMENT_LIBRARIES
        assert not found, f"only training may import {sorted(found)}"
    if layer not in {"training", "modules", "data"}:
        assert not roots & LIGHTNING, f"{layer} must not import Lightning"
    if layer not in {"video", "data"}:
        assert "av" not in roots, f"{layer} must leave media to animate.video"


def test_every_layer_has_a_rule() -> None:
    layers = {entry.name for entry in PACKAGE.iterdir() if (entry / "__init__.py").exists()}
    assert layers <= set(ALLOWED)


def test_what_everyone_may_import_imports_nothing_of_ours() -> None:
    for name in ("types.py", "errors.py", "cores.py", "__init__.py"):
        assert not {entry for entry in imports(PACKAGE / name) if entry.startswith("animate")}
    for path in (PACKAGE / "layouts").glob("*.py"):
        found = {".".join(entry.split(".")[:2]) for entry in imports(path) if entry.startswith("animate")}
        assert found <= {"animate.layouts", "animate.errors"}, path
