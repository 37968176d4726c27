"""The notebooks run from top to bottom, with a training of seconds in the place of minutes."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


class Expected(NamedTuple):
    """How a notebook is made quick, and what comes of it."""

    settings: str
    pictures: int
    """Shown in it."""
    experiment: str
    files: set[str]
    """In the folder of the run."""


EXPECTED = {
    "01_animate_a_picture": Expected(
        "MINUTES = 0.05",
        3,
        "fomm_quickstart",
        {"animated.gif", "animated.png", "keypoints.png", "puppets.png"},
    ),
    "02_dance": Expected(
        "MINUTES, FRAMES, SIZE = 0.05, 20, 32",
        2,
        "pose2vid_puppets",
        {"dance.mp4", "dance_grid.mp4", "dance_grid.gif", "dance_grid.png"},
    ),
    "03_background": Expected(
        "MINUTES, SCENES, FRAMES = 0.05, 2, 8",
        3,
        "inpaint_puppets",
        {"filled.png", "plate.png", "backgrounds.png", "comparison"},
    ),
}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # kernel and training beside other tests: threads would wait
    expected = EXPECTED[path.stem]
    notebook = nbformat.read(path, as_version=4)
    settings = next(cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    settings.source = expected.settings
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    pictures = [
        output
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    assert len(pictures) == expected.pictures
    (run,) = (tmp_path / "outputs" / "notebook" / expected.experiment).iterdir()
    assert expected.files <= {p.name for p in run.iterdir()}
