"""``evaluate.py`` on a background network: the hole is scored, beside fills that learn nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from animate import checkpoints
from animate.metrics.evaluation import MODEL
from animate.networks.inpainting import BackgroundInpainter
from animate.reports.record import read_record
from animate.training import evaluate_main
from animate.training.fills import FILLS

pytestmark = pytest.mark.usefixtures("workplace")


def test_a_background_network_is_scored_in_its_holes() -> None:
    torch.manual_seed(0)
    networks = BackgroundInpainter("impersonator", (4, 8), 1, image_size=32)
    state = {f"networks.{key}": value for key, value in networks.state_dict().items()}
    description = checkpoints.describe("inpainting", networks.arguments)
    checkpoints.save(Path("bg.ckpt"), {"state_dict": state}, description)
    evaluate_main(
        [
            *(
                "checkpoint=bg.ckpt",
                "data=inpainting_puppets",
                "data.scenes.test_clips=3",
                "data.num_workers=0",
            ),
            *("metrics.names=[l1,l1_inside_hole,l1_outside_hole]", "trainer=cpu", "output=report"),
            "trainer.enable_model_summary=false",
        ]
    )
    evaluation = read_record(Path("report/metrics.json"))
    assert set(evaluation.rows) == {MODEL, *FILLS}
    assert len(evaluation.clips) == 3
    for row, values in evaluation.rows.items():
        assert values["l1_inside_hole"].value > 0.005, row
        assert values["l1_outside_hole"].value < 0.003, row  # of 8 bit, where a fill has passed through them
    own = evaluation.rows[MODEL]
    assert own["l1_outside_hole"].value == 0
    assert own["l1_inside_hole"].value > evaluation.rows["telea"]["l1_inside_hole"].value
