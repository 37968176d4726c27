"""``evaluate.py``: the numbers of the validation, written down; and what it refuses."""

from __future__ import annotations

import json

import pytest

from animate.training import evaluate_main, main
from cli import TINY, refused, rows, runs

pytestmark = pytest.mark.usefixtures("workplace")


def test_evaluate_scores_a_checkpoint_as_validation_did(capfd) -> None:
    main([*TINY, "trainer.max_epochs=1"])
    (folder,) = runs()
    path = folder / "checkpoints" / "last.ckpt"
    evaluate_main([f"checkpoint={path}", "data=videos", "data.eval_view.frames=3", "trainer=cpu"])
    written = json.loads((path.parent / "metrics.json").read_text())
    validated = next(row for row in rows(folder) if row["val/l1"])
    for name in ("l1", "psnr", "ssim", "l1_copy", "l1_ratio"):
        assert written["metrics"][name] == pytest.approx(float(validated[f"val/{name}"]), rel=1e-5)
    assert written["checkpoint"] == str(path.resolve())
    assert written["data"]["image_size"] == 32
    assert "l1_copy" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ([], "checkpoint must be set"),
        (["checkpoint=nowhere.ckpt"], "nowhere.ckpt"),
        (["checkpoint=data/train/clip0.gif"], "clip0.gif"),
    ],
    ids=["none", "missing", "a gif"],
)
def test_evaluate_refuses_what_is_no_checkpoint(capfd, overrides, message) -> None:
    assert message in refused(capfd, *overrides, run=evaluate_main)
