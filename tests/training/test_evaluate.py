"""``evaluate.py``: every frame scored, on one process or two; what it leaves out, and what it refuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from media import gif
from PIL import Image

from animate import checkpoints
from animate.cli import main as command
from animate.metrics.evaluation import COPY_FIRST_FRAME, MODEL, Evaluation
from animate.reports.record import read_record
from animate.training import evaluate_main, main
from cli import ROOT, TINY, refused, rows, runs
from small import networks

pytestmark = pytest.mark.usefixtures("workplace")

ON_CPU = ["data=videos", "data.num_workers=0", "trainer=cpu", "trainer.enable_model_summary=false"]


@pytest.fixture
def checkpoint() -> str:
    """A model of 32 x 32 pictures with random weights, in the working folder."""
    torch.manual_seed(3)
    model = networks(motion_size=32, generator_depth=2)
    state = {f"networks.{key}": value for key, value in model.state_dict().items()}
    checkpoints.save(Path("tiny.ckpt"), {"state_dict": state}, checkpoints.describe("fomm", model.arguments))
    return "tiny.ckpt"


def clips(root: str, count: int, frames: int) -> str:
    """A data folder of GIFs, and its name."""
    for number in range(count):
        gif(Path(root) / "test" / f"clip{number}.gif", (250, 60 * number, 20), frames)
    return root


def torn_clip(folder: Path, frames: int = 6) -> None:
    """A folder of frames of which the last cannot be read."""
    folder.mkdir()
    for number in range(frames - 1):
        Image.new("RGB", (48, 40), (9 * number, 0, 0)).save(folder / f"{number}.png")
    (folder / f"{frames - 1}.png").write_bytes((folder / "0.png").read_bytes()[:60])


def evaluated(*overrides: str) -> Evaluation:
    evaluate_main([*ON_CPU, "output=report", "overwrite=true", *overrides])
    return read_record(Path("report/metrics.json"))


def numbers(evaluation: Evaluation) -> dict:
    """Everything that was measured."""
    written = {
        "rows": {
            row: {name: vars_of(summary) for name, summary in summaries.items()}
            for row, summaries in evaluation.rows.items()
        },
        "clips": [(clip.name, clip.frames, clip.values, clip.missing) for clip in evaluation.clips],
        "skipped": evaluation.skipped,
    }
    return json.loads(json.dumps(written))


def vars_of(summary) -> list:
    return [summary.value, summary.low, summary.high, summary.frames, summary.missing]


def test_a_checkpoint_is_scored_as_validation_did(capfd) -> None:
    main([*TINY, "trainer.max_epochs=1"])
    (folder,) = runs()
    path = folder / "checkpoints" / "last.ckpt"
    evaluate_main([f"checkpoint={path}", "data=videos", "frames=3", "trainer=cpu"])
    evaluation = read_record(path.with_name("last_evaluation") / "metrics.json")
    validated = next(row for row in rows(folder) if row["val/l1"])
    for name in ("l1", "psnr", "ssim"):
        expected = pytest.approx(float(validated[f"val/{name}"]), rel=1e-5)
        assert evaluation.rows[MODEL][name].value == expected
    assert evaluation.rows[COPY_FIRST_FRAME]["l1"].value == pytest.approx(
        float(validated["val/l1_copy"]), rel=1e-5
    )
    assert evaluation.provenance["checkpoint"] == str(path.resolve())
    assert evaluation.provenance["data"]["image_size"] == 32
    assert "3 of each clip" in evaluation.provenance["frames"]
    assert "copy first frame" in capfd.readouterr().out


def test_every_frame_counts_and_the_numbers_are_those_of_reconstruct(checkpoint) -> None:
    clips("other", 3, frames=9)
    evaluation = evaluated(f"checkpoint={checkpoint}", "data.root=other", "chunk=4", "metrics=fast")
    assert [clip.frames for clip in evaluation.clips] == [9, 9, 9]
    code = command(
        ["reconstruct", "--checkpoint", checkpoint, "--data", "other", "--output", "recon", "--device", "cpu"]
    )
    assert code == 0
    expected = json.loads(Path("recon/metrics.json").read_text())
    assert evaluation.rows[MODEL]["l1"].value == pytest.approx(expected["l1"], rel=1e-5)
    copied = pytest.approx(expected["copy_first_frame"], rel=1e-5)
    assert evaluation.rows[COPY_FIRST_FRAME]["l1"].value == copied
    for clip, score in zip(evaluation.clips, expected["per_clip"], strict=True):
        assert clip.name == score["name"]
        assert clip.values[MODEL]["l1"] == pytest.approx(score["l1"], rel=1e-5)
    assert sorted(path.name for path in Path("report").iterdir()) == [
        ".animate-results",
        "metrics.json",
        "per_clip.csv",
        "report.html",
        "side_by_side.mp4",
    ]


def test_two_processes_and_one_give_the_same_numbers(checkpoint) -> None:
    """Five clips, of which the first rank gets three, and one that breaks on the other."""
    torn_clip(Path(clips("five", 5, frames=6)) / "test" / "clip3")
    names = "metrics.names=[psnr,flicker,jitter_keypoints,csim,akd_puppet]"
    own = ["annotate=puppet", f"checkpoint={checkpoint}", "data.root=five", "chunk=4", names]
    alone = evaluated(*own)
    assert [clip.name for clip in alone.clips] == [f"clip{i}.gif" for i in range(5)]
    assert [line.partition(":")[0] for line in alone.skipped] == ["test/clip3"]
    together = [*own, "trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2", "output=two"]
    script = [sys.executable, str(ROOT / "evaluate.py"), "data=videos", "data.num_workers=0", *together]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(script, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert numbers(read_record(Path("two/metrics.json"))) == numbers(alone)
    assert done.stdout.count("written to two/report.html") == 1
    assert (done.stdout + done.stderr).count("no SyncBatchNorm for CPU processes") == 1
    assert not list(Path().glob(".two*")), "a temporary folder was left behind"


def test_a_clip_that_cannot_be_read_is_left_out_and_named(checkpoint, capfd) -> None:
    """One that is no clip at all, and one that breaks when half of it would have been scored."""
    root = Path(clips("broken", 3, frames=6))
    (root / "test/clip1.gif").write_bytes(b"no video")
    torn_clip(root / "test/clip3")
    evaluation = evaluated(f"checkpoint={checkpoint}", "data.root=broken", "chunk=2")
    assert [clip.name for clip in evaluation.clips] == ["clip0.gif", "clip2.gif"]
    assert [line.partition(":")[0] for line in evaluation.skipped] == ["test/clip1.gif", "test/clip3"]
    assert "left out: test/clip1.gif" in capfd.readouterr().out


def test_puppets_bring_their_back_ends_and_true_mattes(checkpoint) -> None:
    own = ["data=puppets", "data.index.test_clips=2", "data.index.frames=4"]
    names = "metrics.names=[akd_puppet,csim,l1_inside_person]"
    evaluation = evaluated(f"checkpoint={checkpoint}", *own, names)
    assert [definition.name for definition in evaluation.definitions] == [
        "l1",
        "akd_puppet",
        "csim",
        "l1_inside_person",
    ]
    assert evaluation.unavailable == {}
    assert evaluation.rows[MODEL]["l1_inside_person"].frames == 8
    assert evaluation.provenance["codec"]["target"] == ["drawn"]
    used = {task: name for task, name in evaluation.provenance["annotate"].items() if name}
    assert used == {"puppet": "puppet", "identity": "puppet"}


def test_the_folders_of_a_report_are_made_with_it(checkpoint) -> None:
    evaluate_main([*ON_CPU, f"checkpoint={checkpoint}", "metrics.names=[l1]", "output=new/folder/report"])
    assert read_record(Path("new/folder/report/metrics.json")).clips
    assert [path.name for path in Path("new/folder").iterdir()] == ["report"]


def test_what_lacks_a_back_end_is_listed_with_the_reason(checkpoint, capfd) -> None:
    evaluation = evaluated(f"checkpoint={checkpoint}", "metrics.names=[akd_landmarks,csim]")
    assert sorted(evaluation.unavailable) == ["akd_landmarks", "csim"]
    assert [definition.name for definition in evaluation.definitions] == ["l1"]
    assert "csim: no back-end" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ([], "checkpoint must be set"),
        (["checkpoint=nowhere.ckpt"], "nowhere.ckpt"),
        (["checkpoint=data/train/clip0.gif"], "clip0.gif"),
        (["checkpoint=tiny.ckpt", "metrics.names=[nonsense]"], "there is no 'nonsense'"),
        (["checkpoint=tiny.ckpt", "metrics=fats"], "did you mean fast"),
        (["checkpoint=tiny.ckpt", "annotate.landmarks=nobody"], "there is no back-end 'nobody'"),
        (["checkpoint=tiny.ckpt", "output=tiny.ckpt/report"], "tiny.ckpt is no folder"),
        (["checkpoint=tiny.ckpt", "output=new/report", "data.root=empty"], "empty"),
        (["checkpoint=tiny.ckpt", "output=data", "overwrite=true"], "holds something else"),
        (["checkpoint=tiny.ckpt", "output=data"], "overwrite=true"),
        (["checkpoint=tiny.ckpt", "chunk=0"], "chunk=0"),
        (["checkpoint=tiny.ckpt", "frames=many"], "frames must be a whole number of at least 2"),
        (["checkpoint=tiny.ckpt", "frames=1"], "frames must be a whole number of at least 2"),
        (["checkpoint=tiny.ckpt", "image_size=7"], "motion_size 7 must be at least 8"),
        (["checkpoint=tiny.ckpt", "image_size=42"], "must be at least 8 and a multiple of 4"),
        (["checkpoint=tiny.ckpt", "data.root=empty"], "empty"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(capfd, checkpoint, overrides, message) -> None:
    before = sorted(Path().rglob("*"))
    assert message in refused(capfd, *ON_CPU, *overrides, run=evaluate_main)
    caches = {Path("data/.animate-index.json")}
    assert set(Path().rglob("*")) - caches == set(before)
