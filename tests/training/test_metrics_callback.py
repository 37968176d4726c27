"""What the validation logs: the configured metrics under their names, beside what copying would score."""

from __future__ import annotations

import math

import pytest
import torch
from pytorch_lightning import Trainer
from toy import ToyData, ToyModule

from animate.errors import UserError
from animate.metrics import build
from animate.metrics.functional.pixels import l1, ssim
from animate.training.callbacks import Metrics


def validated(callback: Metrics, stage: str = "validate", size: int = 16) -> tuple[dict, ToyModule, list]:
    torch.manual_seed(0)
    module, data = ToyModule(), ToyData(size=size)
    trainer = Trainer(
        accelerator="cpu",
        callbacks=[callback],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    found = getattr(trainer, stage)(module, datamodule=data, verbose=False)[0]
    with torch.no_grad():
        outputs = [module.eval().validation_step(batch, 0) for batch in data.val_dataloader()]
    return found, module, outputs


@pytest.mark.parametrize(("stage", "prefix"), [("validate", "val"), ("test", "test")])
def test_values_are_means_over_all_frames(stage, prefix) -> None:
    callback = Metrics(build(["l1", "ssim", "flicker"]))
    found, module, outputs = validated(callback, stage)

    def mean(score, first, second) -> float:
        return float(torch.cat([score(output[first], output[second]) for output in outputs]).mean())

    error, copying = mean(l1, "prediction", "target"), mean(l1, "source", "target")
    assert math.isnan(found.pop(f"{prefix}/flicker")), "clips of one frame have none before it"
    assert found == pytest.approx(
        {
            f"{prefix}/l1": error,
            f"{prefix}/ssim": mean(ssim, "prediction", "target"),
            f"{prefix}/l1_copy": copying,
            f"{prefix}/l1_ratio": error / copying,
        }
    )
    assert not [key for key in module.state_dict() if "metric" in key], "metrics are no part of the module"


def test_l1_is_always_there_and_what_cannot_be_had_is_said(caplog) -> None:
    found, *_ = validated(Metrics(build(["keypoint_stability", "akd"])))
    assert found.keys() == {"val/l1", "val/l1_copy", "val/l1_ratio"}
    assert "metric keypoint_stability is left out of the training's" in caplog.text
    assert "metric akd is left out of the training's: no back-end" in caplog.text


def test_a_second_validation_starts_anew() -> None:
    callback = Metrics()
    first, *_ = validated(callback)
    second, *_ = validated(callback)
    assert first == second


def test_a_metric_that_does_not_fit_is_one_clear_line() -> None:
    with pytest.raises(UserError, match="ask for ms_ssim_1"):
        validated(Metrics(build(["ms_ssim"])))
