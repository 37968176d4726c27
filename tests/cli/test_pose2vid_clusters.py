"""From maps of classes to clusters in a checkpoint: training for two steps, then the verb."""

from __future__ import annotations

import pytest
import torch

import drawn_maps
from animate import checkpoints
from animate.cli import main
from animate.cli.pose2vid_clusters import encoded
from animate.data.label_maps import LabelMapIndex
from animate.networks.pix2pixhd import Pix2PixHD

SLIM = {
    "labels": 3,
    "width": 4,
    "depth": 2,
    "blocks": 1,
    "encoder_width": 4,
    "encoder_depth": 1,
    "clusters": 2,
}


def save(path, **arguments):
    torch.manual_seed(1)
    model = Pix2PixHD(**(SLIM | arguments))
    state = {f"networks.{key}": value for key, value in model.state_dict().items()}
    checkpoints.save(path, {"state_dict": state}, checkpoints.describe("pix2pixhd", model.arguments))
    return path


def call(folder, checkpoint, *options, output="out.ckpt"):
    files = ("--checkpoint", checkpoint, "--data", folder / "maps", "--output", folder / output)
    return main(["pose2vid", "clusters", *map(str, (*files, "--device", "cpu", *options))])


@pytest.fixture
def folder(tmp_path):
    drawn_maps.write(tmp_path / "maps", count=6)
    return tmp_path


def test_clusters_are_what_instances_of_a_class_look_like(folder, capsys):
    checkpoint = save(folder / "model.ckpt", edges=True, features=3)
    assert call(folder, checkpoint, "--size", "32x48") == 0
    assert "of 3 classes" in capsys.readouterr().out
    networks = checkpoints.load(folder / "out.ckpt", method="pix2pixhd")
    before = checkpoints.load(checkpoint, method="pix2pixhd")
    assert before.clusters.counts.tolist() == [0, 0, 0]
    assert networks.clusters.counts.tolist() == [2, 2, 2]
    for name, value in before.generator.state_dict().items():
        assert torch.equal(value, networks.generator.state_dict()[name])
    clips = LabelMapIndex(folder / "maps", labels=3).clips("train")
    for features, label, _ in encoded(networks, clips, (32, 48)):
        for kind in range(3):
            seen = features.movedim(1, -1)[label[:, 0] == kind]
            low, high = networks.clusters.centres[kind].amin(0), networks.clusters.centres[kind].amax(0)
            spread = networks.clusters.centres[kind].std()
            assert (seen > low - 5 * spread).all()
            assert (seen < high + 5 * spread).all()


def test_a_picture_is_made_of_them(folder):
    checkpoint = save(folder / "model.ckpt", edges=True, features=3)
    call(folder, checkpoint, "--size", "32x48")
    networks = checkpoints.load(folder / "out.ckpt", method="pix2pixhd")
    (clip, *_) = LabelMapIndex(folder / "maps", labels=3).clips("test")
    maps = clip.reader.open(clip).truth([0], None)
    label, instance = (torch.from_numpy(maps[name])[:, None] for name in ("label", "instance"))
    features = networks.clusters.sample(label, instance, torch.Generator().manual_seed(0))
    picture = networks(label, instance=instance, features=features)
    assert picture.shape == (1, 3, 32, 48)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ({}, ["--size", "32x48"], "has no features of instances"),
        ({"features": 3}, [], "--size HxW"),
        ({"features": 3, "labels": 2}, ["--size", "32x48"], "has the class 2"),
    ],
    ids=["features", "size", "classes"],
)
def test_bad_input_is_told(folder, capsys, arguments, options, message):
    assert call(folder, save(folder / "model.ckpt", **arguments), *options) == 2
    assert message in capsys.readouterr().err
    assert not (folder / "out.ckpt").exists()


def test_an_existing_file_stays(folder, capsys):
    checkpoint = save(folder / "model.ckpt", features=3)
    assert call(folder, checkpoint, output="model.ckpt") == 2
    assert "exists" in capsys.readouterr().err


def test_training_on_maps_learns_and_clusters_follow(folder, monkeypatch):
    """The experiment end to end, at a tiny size; the size of training is known to the verb."""
    from animate.training import main as train

    monkeypatch.chdir(folder)
    settings = [f"model.networks.{name}={value}" for name, value in SLIM.items() if name != "clusters"]
    settings = [s if "encoder" not in s else f"+{s}" for s in settings]
    train(
        [
            *("experiment=pix2pixhd_labels", "data.root=maps", "data.image_size=[32,48]", "trainer=cpu"),
            *("perceptual=random", "model.discriminator.width=4", "logger=csv"),
            *("model.discriminator.condition_channels=4", "trainer.max_epochs=1", "data.num_workers=0"),
            *("callbacks.progress=null", "trainer.enable_model_summary=false", *settings),
        ]
    )
    (last,) = (folder / "outputs").glob("*/*/checkpoints/last.ckpt")
    assert call(folder, last) == 0
    assert checkpoints.load("out.ckpt", method="pix2pixhd").clusters.counts.min() > 0
