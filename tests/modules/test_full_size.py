"""The networks of pose2vid at their published size, with VGG19: a step of each stage, on small pictures."""

from __future__ import annotations

import pytest
import torch
from pytorch_lightning import Trainer

from animate.training import main

# Published: 182,490,307 weights of the global generator with 18 inputs, 182,857,059 of the local one with 36,
# 5,566,338 of the discriminator of two scales with 21. One input more costs 7 x 7 x 64 in the first layer of
# the global part, 7 x 7 x 32 in that of the enhancer, 4 x 4 x 64 in that of each scale of the discriminator.
GLOBAL = 182_490_307 + 3 * 49 * 64
LOCAL = 182_857_059 - 15 * 49 * (64 + 32)
JUDGE = 5_566_338 + 2 * 21 * 16 * 64
STAGES = {
    "pose2vid": (GLOBAL, JUDGE),
    "pose2vid_local": (LOCAL, JUDGE * 3 // 2),
    "pose2vid_face": (GLOBAL, None),
}


@pytest.mark.slow
@pytest.mark.parametrize("experiment", STAGES)
def test_a_step_at_full_size(experiment, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    seen = {}
    fit = Trainer.fit

    def watched(trainer, module, *args, **kwargs):
        before = {name: value.detach().clone() for name, value in module.named_parameters()}
        fit(trainer, module, *args, **kwargs)
        assert torch.isfinite(trainer.callback_metrics["train/loss"])
        still = {name for name, value in module.named_parameters() if torch.equal(value, before[name])}
        seen.update(module=module, still=still)

    monkeypatch.setattr(Trainer, "fit", watched)
    small = [
        "data=one_puppet",
        "data.train_view.layout=puppet_person",
        "data.image_size=64",
        "data.batch_size=1",
    ]
    vgg19 = ["perceptual=random", "model.perceptual.features.width_divisor=1"]
    main([f"experiment={experiment}", "debug=fast", *small, *vgg19, "trainer.accelerator=cpu"])
    networks, judge = seen["module"].networks, seen["module"].discriminator
    assert sum(value.numel() for value in networks.generator.parameters()) == STAGES[experiment][0]
    assert STAGES[experiment][1] in (None, sum(value.numel() for value in judge.parameters()))
    held = {"pose2vid_local": "networks.generator.trunk.", "pose2vid_face": "networks.generator."}
    frozen = held.get(experiment, "nothing")
    assert seen["still"] == {name for name, _ in seen["module"].named_parameters() if name.startswith(frozen)}
