"""A checkpoint describes itself, comes back equal, and is written whole or not at all."""

from __future__ import annotations

import re
import resource
import signal
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch

import animate
from animate import checkpoints
from animate.checkpoints.description import FORMAT, KEY
from animate.errors import UserError


def test_networks_come_back_equal(tmp_path, module):
    trained = module({"spectral_norm": True}, jacobian="shared", occlusion=False, temperature=0.2)
    path = trained.save(tmp_path / "ünï (1), a=b.ckpt", optimizer_states=[{"step": torch.ones(3)}])
    model = checkpoints.load(path)
    assert not model.training
    assert model.arguments == trained.networks.arguments
    x = torch.rand(2, 3, 32, 32)
    trained.networks.eval()
    with torch.no_grad():
        expected, found = (m.keypoint_detector(x) for m in (trained.networks, model))
        torch.testing.assert_close(found, expected, rtol=0, atol=0)
        torch.testing.assert_close(
            model.generator(x, kp_source=expected, kp_driving=expected)["prediction"],
            trained.networks.generator(x, kp_source=expected, kp_driving=expected)["prediction"],
            rtol=0,
            atol=0,
        )


def test_loading_imports_neither_lightning_nor_hydra(tmp_path, module):
    path = module().save(tmp_path / "a.ckpt")
    code = (
        "import sys; from animate import checkpoints; checkpoints.load(sys.argv[1]); "
        "print(sorted({'pytorch_lightning', 'lightning', 'hydra', 'omegaconf', 'wandb'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_the_description_holds_every_argument(module):
    written = checkpoints.describe("fomm", {"image_size": 128})
    assert written["networks"] == animate.networks.fomm.FirstOrderModel(128).arguments
    assert (written["format"], written["version"]) == (FORMAT, animate.__version__)
    assert written["discriminator"] is None


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"image_size": 128.0}, "image_size must be a whole number"),
        ({"image_size": True}, "image_size must be a whole number"),
        ({"image_size": 10**6}, "image_size must be a whole number from 16 to 4096, not 1000000"),
        ({"temperature": float("nan")}, "temperature must be a number"),
        ({"temperature": True}, "temperature must be a number"),
        ({"jacobian": "full"}, "one of per_keypoint, shared, none"),
        ({"occlusion": 1}, "occlusion must be true or false"),
        ({"_target_": "os.system"}, "unknown argument _target_"),
        ({"widht": 3, "image_size": "x"}, "unknown argument widht .*; image_size must be"),
        ("os.system", "a str, not a mapping"),
    ],
)
def test_arguments_are_checked_when_written_and_when_read(tmp_path, module, refusal, arguments, told):
    assert re.search(told, refusal(checkpoints.describe, "fomm", arguments))
    path = change(module().save(tmp_path / "a.ckpt"), networks=arguments)
    message = refusal(checkpoints.load, path)
    assert re.search(told, message)
    assert str(path) in message


def test_the_discriminator_is_checked_too(refusal):
    message = refusal(checkpoints.describe, "fomm", {}, {"spectral_norm": "yes", "width": 0})
    assert "discriminator: spectral_norm must be true or false, not 'yes'; width must be" in message


def change(path, **values):
    """Rewrite values of the description in a file."""
    checkpoint = torch.load(path, weights_only=True)
    checkpoint[KEY] |= values
    torch.save(checkpoint, path)
    return path


def test_sizes_that_do_not_fit_together(tmp_path, module, refusal):
    trained = module()
    path = trained.save(tmp_path / "a.ckpt")
    message = refusal(
        checkpoints.load, change(path, networks=trained.networks.arguments | {"image_size": 40})
    )
    assert "a.ckpt" in message
    assert "motion_size 16" in message


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"format": FORMAT + 1, "version": "9.1"}, "animate 9.1 in format 2.*update animate"),
        ({"format": "1"}, "whole number, not '1'"),
        ({"architecture": "pose2vid"}, "no method 'pose2vid' .it has: fomm"),
        ({"architecture": "os.system"}, "no method 'os.system'"),
        ({"networks": None}, "NoneType, not a mapping"),
    ],
)
def test_descriptions_that_are_refused(tmp_path, module, refusal, values, told):
    assert re.search(told, refusal(checkpoints.load, change(module().save(tmp_path / "a.ckpt"), **values)))


def test_every_key_that_does_not_fit_is_listed(tmp_path, module, refusal):
    trained = module()
    path = trained.save(tmp_path / "a.ckpt")
    checkpoint = torch.load(path, weights_only=True)
    state = checkpoint["state_dict"]
    del state["networks.generator.final.bias"], state["networks.generator.final.weight"]
    state["networks.extra"] = torch.zeros(1)
    state["networks.keypoint_detector.heatmap.bias"] = torch.zeros(7)
    torch.save(checkpoint, path)
    message = refusal(checkpoints.load, path)
    for part in (
        "missing: generator.final.{weight,bias}",
        "unexpected: extra",
        "misshaped: keypoint_detector.heatmap.bias is 7 instead of 3",
    ):
        assert part in message


def test_files_that_are_no_checkpoint(tmp_path, module, refusal):
    good = module().save(tmp_path / "good.ckpt").read_bytes()
    torch.save({"a": torch.zeros(5000)}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    old = (tmp_path / "old.pt").read_bytes()
    files = {
        "text.ckpt": (b"learning rate: 1\n" * 100, "is a text file"),
        "page.ckpt": ("<!DOCTYPE html><p>zu groß".encode() * 60, "is a text file"),
        "empty.ckpt": (b"", "is empty"),
        "noise.ckpt": (bytes(range(128, 256)) * 40, "not a checkpoint"),
        "cut.ckpt": (good[: len(good) // 2], "ends too early"),
        "cut.pt": (old[: len(old) // 2], "ends too early"),
        "flipped.pt": (old[:60] + b"\xff" * 40 + old[100:], "not a checkpoint"),
    }
    for name, (content, told) in files.items():
        (tmp_path / name).write_bytes(content)
        message = refusal(checkpoints.load, tmp_path / name)
        assert told in message
        assert name in message
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("a.txt", "hello")
    assert "not a checkpoint" in refusal(checkpoints.load, tmp_path / "photos.zip")
    assert "there is no checkpoint" in refusal(checkpoints.load, tmp_path / "nowhere.ckpt")
    assert "is a folder" in refusal(checkpoints.load, tmp_path)
    assert "there is no checkpoint" in refusal(checkpoints.load, tmp_path / "text.ckpt" / "a.ckpt")


@pytest.mark.parametrize("zipped", [True, False])
def test_no_damage_gives_more_than_one_line(tmp_path, module, zipped):
    path = module().save(tmp_path / "a.ckpt")
    torch.save(torch.load(path, weights_only=True), path, _use_new_zipfile_serialization=zipped)
    good, random, refusals = path.read_bytes(), np.random.default_rng(0), []
    for cut in (True, False) * 20:
        damaged = bytearray(good[: random.integers(len(good))] if cut else good)
        for place in random.integers(min(len(damaged), 4000), size=0 if cut else 20):
            damaged[place] = random.integers(256)
        path.write_bytes(damaged)
        try:
            checkpoints.load(path)
        except UserError as error:
            refusals.append(str(error))
    assert all(message.isprintable() for message in refusals)
    assert len(refusals) >= 30  # a changed number among the weights cannot be told


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (torch.zeros(3), "holds a Tensor"),
        ({"generator": {}, "kp_detector": {}}, "animate convert fomm --config"),
        ({"inpainting_network": {}, "kp_detector": {}}, "successor"),
        ({"state_dict": {}, "epoch": 1}, "Lightning checkpoint, but not one of animate"),
        ({"model.1.weight": torch.zeros(1)}, "animate convert pix2pixhd --checkpoint"),
        ({"module.model.1.weight": torch.zeros(1)}, "animate convert pix2pixhd --checkpoint"),
        ({"main.0.weight": torch.zeros(1)}, "it holds main.0.weight"),
        ({}, "it holds nothing"),
    ],
)
def test_checkpoints_of_others_are_named(tmp_path, refusal, content, told):
    torch.save(content, tmp_path / "other.pth")
    message = refusal(checkpoints.load, tmp_path / "other.pth")
    assert told in message
    assert "other.pth" in message


def test_a_file_that_would_run_code_is_refused(tmp_path, module, refusal):
    marker = tmp_path / "ran"
    for name, zipped in (("a.ckpt", True), ("b.ckpt", False)):
        torch.save({"x": RunsCode(str(marker))}, tmp_path / name, _use_new_zipfile_serialization=zipped)
        message = refusal(checkpoints.load, tmp_path / name)
        assert "more than tensors" in message
        assert "open" in message
    assert not marker.exists()


class RunsCode:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def test_only_plain_values_are_saved(tmp_path, module):
    class Odd:
        pass

    with pytest.raises(TypeError, match=r"callbacks.best\[1\] is a .*Odd"):
        module().save(tmp_path / "a.ckpt", callbacks={"best": [1.0, Odd()]})
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_old_file(tmp_path, module, refusal):
    path = module().save(tmp_path / "a.ckpt")
    before = path.read_bytes()
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, old[1]))
    try:
        message = refusal(module().save, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)
    assert re.search(
        "cannot write .*: (File too large|the disk may be full); it takes .* nothing was left there", message
    )
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.ckpt"]


def test_what_the_disk_is_not_to_blame_for_is_not_blamed_on_it(tmp_path, module, monkeypatch):
    def broken(*_):
        raise RuntimeError("a defect of ours")

    monkeypatch.setattr(torch, "save", broken)
    with pytest.raises(RuntimeError, match="a defect of ours"):
        module().save(tmp_path / "a.ckpt")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written(tmp_path, module, refusal):
    (tmp_path / "file").write_text("")
    message = refusal(module().save, tmp_path / "file" / "a.ckpt")
    assert "cannot write" in message
    assert len(list(tmp_path.iterdir())) == 1
