"""``evaluate.py`` on pose2vid and pix2pixHD: their baselines and regions, on one process or two."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import drawn_maps
from animate import checkpoints
from animate.annotate import backends
from animate.cli import main as command
from animate.data.export import export
from animate.data.synthetic import OnePuppetIndex
from animate.metrics.evaluation import COPY_FIRST_FRAME, MODEL, PREVIOUS_FRAME, Evaluation
from animate.networks.pix2pixhd import Pix2PixHD
from animate.reports.record import read_record
from animate.training import evaluate_main
from animate.training.baselines import MEAN_PICTURE, NEAREST_POSE
from cli import ROOT, refused

pytestmark = pytest.mark.usefixtures("workplace")

SIDE, FRAMES = 64, 5
ON_CPU = ["data.num_workers=0", "trainer=cpu", "trainer.enable_model_summary=false"]
CLIPS = {"train_clips": 4, "val_clips": 1, "test_clips": 3, "frames": FRAMES, "seed": 2}
DRAWN = [
    "data=one_puppet",
    "seed=2",
    f"image_size={SIDE}",
    *(f"data.index.{k}={v}" for k, v in CLIPS.items()),
]
SLIM = {"labels": 18, "width": 4, "depth": 2, "blocks": 1}


def checkpoint(**arguments) -> str:
    """Random weights, in the working folder."""
    torch.manual_seed(3)
    model = Pix2PixHD(**(SLIM | arguments))
    state = {f"networks.{key}": value for key, value in model.state_dict().items()}
    description = checkpoints.describe("pix2pixhd", model.arguments)
    checkpoints.save(Path("tiny.ckpt"), {"state_dict": state}, description)
    return "checkpoint=tiny.ckpt"


def evaluated(*overrides: str) -> Evaluation:
    evaluate_main([*ON_CPU, "output=report", "overwrite=true", *overrides])
    return read_record(Path("report/metrics.json"))


def pictures(index, split: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    readers = [clip.reader.open(clip) for clip in index.clips(split)]
    truth = [reader.truth(range(FRAMES), (SIDE, SIDE)) for reader in readers]
    return (
        np.concatenate([reader.frames(range(FRAMES), (SIDE, SIDE)) for reader in readers]),
        np.concatenate([known["points"] for known in truth]),
        np.concatenate([known["visible"] for known in truth]),
    )


def test_baselines_are_rows_with_every_metric() -> None:
    names = "metrics.names=[l1,akd,mkr,l1_inside_face_box,ssim_inside_body_box]"
    found = evaluated(checkpoint(skeleton="puppet_person"), *DRAWN, names)
    assert list(found.rows) == [MODEL, COPY_FIRST_FRAME, PREVIOUS_FRAME, NEAREST_POSE, MEAN_PICTURE]
    columns = {"l1", "akd_puppet", "mkr_puppet", "l1_inside_face_box", "ssim_inside_body_box"}
    assert all(set(row) == columns for row in found.rows.values())
    assert found.provenance["baselines"] == {
        NEAREST_POSE: "20 training frames",
        MEAN_PICTURE: "20 training frames",
    }
    assert found.warnings == []
    index = OnePuppetIndex(**CLIPS, size=SIDE)
    frames, points, visible = pictures(index, "train")
    targets, poses, shown = pictures(index, "test")
    both = visible[None] & shown[:, None]
    lengths = np.linalg.norm(points[None] - poses[:, None], axis=-1)
    nearest = frames[((lengths * both).sum(-1) / both.sum(-1)).argmin(1)]
    rows = {NEAREST_POSE: nearest, MEAN_PICTURE: np.broadcast_to(frames.mean(0), targets.shape)}
    for name, row in rows.items():
        error = np.abs(row.astype(float) - targets).mean() / 255
        assert found.rows[name]["l1"].value == pytest.approx(error, rel=1e-5)
        assert found.rows[name]["l1"].frames == len(targets)
    missed, between = pose_distance(nearest, targets)
    assert found.rows[NEAREST_POSE]["akd_puppet"].value == pytest.approx(between, rel=1e-5)
    assert found.rows[NEAREST_POSE]["mkr_puppet"].value == pytest.approx(missed, rel=1e-5)
    assert 0 < between < 20


def pose_distance(pictures: np.ndarray, targets: np.ndarray) -> tuple[float, float]:
    """The share of joints missed, and the distance in pixels of those in both: means over frames."""
    back_end = backends.poses("puppet_person")
    (p, there), (y, wanted) = ((f.points, f.found) for f in (back_end(pictures), back_end(targets)))
    both = there & wanted
    lengths = np.linalg.norm((p - y) / 2 * (SIDE - 1), axis=-1)
    defined = both.any(1)
    distance = (lengths * both).sum(1)[defined] / both.sum(1)[defined]
    missed = (wanted & ~there).sum(1)[wanted.any(1)] / wanted.sum(1)[wanted.any(1)]
    return missed.mean(), distance.mean()


@pytest.fixture
def prepared() -> Path:
    """Clips in files, with what is known of them beside."""
    index = OnePuppetIndex(**CLIPS, size=SIDE)
    export(index, Path("me"), ["train", "test"], (SIDE, SIDE), ".mp4")
    return Path("me")


def test_frames_have_the_size_and_the_seed_of_the_training_while_the_checkpoint_lies_in_its_run(
    prepared,
) -> None:
    own = [checkpoint(skeleton="puppet_person"), "data=videos", f"data.root={prepared}", "frames=2"]
    assert evaluated(*own).provenance["crop"] == "whole frames, stretched to 64x64"
    run = Path("outputs/pose2vid/run")
    (run / "checkpoints").mkdir(parents=True)
    (run / "config.yaml").write_text("data: {image_size: [32, 48]}")
    shutil.move("tiny.ckpt", run / "checkpoints" / "last.ckpt")
    own[0] = f"checkpoint={run / 'checkpoints' / 'last.ckpt'}"
    assert evaluated(*own).provenance["crop"] == "whole frames, stretched to 48x32"
    assert evaluated(*own, "image_size=32").provenance["crop"] == "whole frames, stretched to 32x32"
    (run / "config.yaml").write_text("{seed: 2, data: {image_size: 48}}")
    drawn = [
        own[0],
        *(setting for setting in DRAWN if "size" not in setting and "seed" not in setting),
        "frames=2",
    ]
    found = evaluated(*drawn).provenance
    assert found["crop"] == "whole frames, stretched to 48x48"
    assert found["data"]["index"]["seed"] == 2
    assert evaluated(*drawn, "seed=3").provenance["data"]["index"]["seed"] == 3


@pytest.mark.slow
def test_two_processes_and_one_give_the_same_numbers(prepared) -> None:
    own = [checkpoint(skeleton="coco18", previous=True), "data=videos", f"data.root={prepared}", "chunk=2"]
    own += ["metrics.names=[psnr,flicker,l1_inside_face_box]", "data.num_workers=0"]
    alone = evaluated(*own)
    assert [clip.frames for clip in alone.clips] == [FRAMES] * 3
    assert {NEAREST_POSE, MEAN_PICTURE} < set(alone.rows)
    together = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2", "output=two"]
    script = [sys.executable, str(ROOT / "evaluate.py"), *own, *together]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(script, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    other = read_record(Path("two/metrics.json"))
    assert other.rows == alone.rows
    assert [clip.values for clip in other.clips] == [clip.values for clip in alone.clips]


def test_without_training_frames_the_rows_are_left_out_with_a_warning(prepared, capfd) -> None:
    shutil.rmtree(prepared / "train")
    overrides = [checkpoint(skeleton="puppet_person"), "data=videos", f"data.root={prepared}"]
    found = evaluated(*overrides)
    assert list(found.rows) == [MODEL, COPY_FIRST_FRAME, PREVIOUS_FRAME]
    (warning,) = found.warnings
    assert "no rows nearest_pose and mean_picture: there are no training frames" in warning
    assert warning in capfd.readouterr().out
    assert "there are no training frames" in Path("report/report.html").read_text()


def test_evaluations_with_and_without_baselines_compare(prepared) -> None:
    overrides = [checkpoint(skeleton="puppet_person"), "data=videos", f"data.root={prepared}"]
    first = evaluated(*overrides)
    shutil.move("report", "first")
    shutil.rmtree(prepared / "train")
    evaluated(*overrides)
    assert command(["compare", "report", "first", "--output", "compare"]) == 0
    assert command(["compare", "first", "report", "--output", "other"]) == 0
    text = Path("other/compare.json").read_text()
    assert "nearest_pose" in text
    assert repr(first.rows[NEAREST_POSE]["l1"].value) in text


def test_pictures_of_label_maps_are_scored_beside_the_mean_picture() -> None:
    drawn_maps.write(Path("maps"))
    own = [checkpoint(labels=3, edges=True, features=2, encoder_width=4, encoder_depth=1), "data=label_maps"]
    found = evaluated(*own, "data.root=maps")
    assert list(found.rows) == [MODEL, MEAN_PICTURE], "there is no frame that could be copied"
    shown = [np.asarray(picture) for picture in map(opened, ("train", "test"))]
    error = np.abs(shown[1] - shown[0].mean(0)).mean() / 255
    assert found.rows[MEAN_PICTURE]["l1"].value == pytest.approx(error, rel=1e-5)
    assert found.provenance["crop"] == "whole frames, stretched to 48x32"
    half = evaluated(*own, "data.root=maps", "image_size=[16,24]")
    assert half.provenance["crop"] == "whole frames, stretched to 24x16"


def opened(split: str) -> np.ndarray:
    from PIL import Image

    paths = sorted(Path(f"maps/{split}_img").iterdir())
    return np.stack([np.asarray(Image.open(path), float) for path in paths])


def test_puppets_of_another_shape_are_refused(capfd) -> None:
    drawn = [checkpoint(skeleton="puppet_person"), *DRAWN, "image_size=[32,48]", *ON_CPU]
    expected = "data.index.size must be a whole number, not [32, 48]"
    assert expected in refused(capfd, *drawn, run=evaluate_main)


def test_a_map_with_a_class_that_the_checkpoint_does_not_know_is_refused(capfd) -> None:
    drawn_maps.write(Path("maps"))
    own = [checkpoint(labels=2), "data=label_maps", "data.root=maps", *ON_CPU]
    assert "has the class 2, and there are 2" in refused(capfd, *own, run=evaluate_main)
