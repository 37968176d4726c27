"""`animate pose2vid run` on drawn puppets: each stage once, and on from where it was killed."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from animate import checkpoints
from animate.cli import main, pose2vid_run
from animate.cli.pose2vid_work import StoppedError, Work, newest, quoted
from animate.data.export import write_clip
from animate.data.synthetic import OnePuppetIndex
from animate.errors import UserError
from animate.pipelines.pose_set.recipe import PoseSet
from animate.video.probe import probe

SMALL = (
    *("trainer=cpu", "logger=csv", "test=false", "callbacks.progress=null", "callbacks.samples=null"),
    *("callbacks.ema=null", "metrics.names=[l1]", "trainer.enable_model_summary=false"),
    *("data.batch_size=2", "data.num_workers=0", "data.eval_view.frames=2", "model.networks.width=4"),
    *("model.networks.depth=2", "model.networks.blocks=1", "model.discriminator.width=4"),
    *("model.loss_weights.perceptual=0", "model.discriminator.scales=1"),
)
STEPS = ("trainer.max_epochs=2", "data.steps_per_epoch=2")


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Videos of two puppets, the second in another motion."""
    folder = tmp_path_factory.mktemp("clips")
    for name, seed, frames in (("me", 0, 20), ("dance", 1, 6)):
        index = OnePuppetIndex(seed=seed, train_clips=1, val_clips=1, test_clips=1, frames=frames, size=64)
        (clip,) = index.clips("train")
        write_clip(clip, folder / name, (128, 128), ".mp4")
        (folder / name / f"{clip.name}.mp4").rename(folder / f"{name}.mp4")
    return folder


def command(clips, output, *options):
    given = {
        "target": clips / "me.mp4",
        "source": clips / "dance.mp4",
        "output": output,
        "pose-backend": "puppet_person",
        "size": 64,
        "experiment": "pose2vid_puppets",
        "device": "cpu",
    }
    paths = [str(part) for name, value in given.items() for part in (f"--{name}", value)]
    return ["pose2vid", "run", *paths, *map(str, options)]


def stamps(folder):
    return {
        str(path.relative_to(folder)): path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ("run.json", ".lock")
    }


@pytest.fixture(scope="module")
def finished(clips, tmp_path_factory):
    folder = tmp_path_factory.mktemp("work") / "out"
    assert main(command(clips, folder, "--hold", 3, *SMALL, *STEPS)) == 0
    return folder


def test_everything_is_there(finished):
    info = probe(finished / "dance.mp4")
    assert (info.num_frames, info.height, info.width, info.fps) == (6, 64, 64, 25)
    assert probe(finished / "dance_grid.mp4").width == 3 * 64
    for name in ("dance_grid.gif", "dance_grid.png", "check.json", "check.png", "target/manifest.json"):
        assert (finished / name).is_file(), name
    notes = json.loads((finished / "run.json").read_text())
    assert {name: note["done"] for name, note in notes.items()} == {
        "check": True,
        "training": True,
        "dance": True,
    }


def test_nothing_is_done_twice(clips, finished, capsys):
    before = stamps(finished)
    assert main(command(clips, finished, "--hold", 3, *SMALL, *STEPS)) == 0
    assert stamps(finished) == before
    assert "training: done before" in capsys.readouterr().out


def test_other_settings_ask_before_a_dance_is_replaced(clips, finished, capsys):
    """And nothing but the dance is made anew."""
    before = stamps(finished)
    again = command(clips, finished, "--normalize", "none", *SMALL, *STEPS)
    assert main(again) == 2
    assert "was made by other settings" in capsys.readouterr().err
    assert stamps(finished) == before
    assert main([*again, "--overwrite"]) == 0
    changed = {name for name, time in stamps(finished).items() if before.get(name) != time}
    assert changed == {"dance.mp4", "dance_grid.mp4", "dance_grid.gif", "dance_grid.png"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["data.root=x"], "leave it out"),
        (["+resume=last"], "leave it out"),
        (["debug"], "KEY=VALUE"),
        (["--face", "pose2vid_face", "--face-setting", "debug"], "KEY=VALUE"),
        (["--face-setting", "a=1"], "--face-setting goes with --face"),
        (["--background", "red"], "--background goes with --segment"),
        (["--experiment", "nonsense"], "there is no experiment nonsense"),
        (["--source-poses", "nowhere.json"], "nowhere.json"),
        (["--pose-backend", "nonsense"], "nonsense"),
    ],
    ids=["root", "resume", "word", "face word", "no face", "background", "experiment", "poses", "backend"],
)
def test_bad_input_is_told(clips, tmp_path, capfd, options, message):
    assert main(command(clips, tmp_path / "out", *options, *SMALL)) == 2
    err = capfd.readouterr().err
    assert message in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["modle.x=3"], "there is no setting 'modle.x'"),
        (["trainer.max_epochs=many"], "trainer.max_epochs"),
        (["--face", "pose2vid_puppets_face", "--face-setting", "modle.x=3"], "there is no setting 'modle.x'"),
    ],
    ids=["key", "value", "face"],
)
def test_settings_of_both_trainings_are_checked_before_any_work(clips, tmp_path, capsys, options, message):
    assert main(command(clips, tmp_path / "out", *options, *SMALL)) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else_is_left_alone(clips, tmp_path, capsys):
    (tmp_path / "letters.txt").write_text("dear")
    assert main(command(clips, tmp_path, *SMALL)) == 2
    assert "is not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["letters.txt"]


def test_the_same_video_twice_is_told(clips, tmp_path, capsys):
    assert main(command(clips, tmp_path / "out", "--source", clips / "me.mp4")) == 2
    assert "both --target and --source" in capsys.readouterr().err


@pytest.fixture
def attended(monkeypatch):
    """Stand-ins for trainings: what they are given, and what they leave."""
    calls = []

    def attend(self, overrides):
        calls.append(list(overrides))
        outputs = next(
            value for name, _, value in (o.partition("=") for o in overrides) if name == "paths.outputs"
        )
        run = next((o.removeprefix("resume=") for o in overrides if o.startswith("resume=")), None)
        folder = Path(run.strip("'")) if run else Path(outputs.strip("'")) / "pose2vid" / "now"
        (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
        (folder / "checkpoints" / "last.ckpt").write_text("weights")
        if attend.code:
            raise StoppedError(attend.code)

    attend.code = 0
    monkeypatch.setattr(Work, "_attend", attend)
    attend.calls = calls
    return attend


def test_a_stopped_training_goes_on_in_its_folder(tmp_path, attended):
    attended.code = 143
    with pytest.raises(StoppedError), Work.begin(tmp_path / "out") as work:
        work.trained("training", {"a": (1, 2)}, ["x=1"])
    attended.code = 0
    with Work.begin(tmp_path / "out") as work:
        assert not work.is_done("training", {"a": (1, 2)})
        assert "goes on from" in work.how_far("training", {"a": (1, 2)})
        last = work.trained("training", {"a": (1, 2)}, ["x=1"])
        assert work.trained("training", {"a": (1, 2)}, ["x=1"]) == last
    assert last.parents[3].name == "training"
    assert attended.calls[1][-1] == f"resume={quoted(last.parents[1])}"
    assert len(attended.calls) == 2


def test_another_training_has_a_folder_of_its_own(tmp_path, attended):
    with Work.begin(tmp_path / "out") as work:
        first = work.trained("training", {"a": 1}, [])
        second = work.trained("training", {"a": 2}, [])
        assert not work.is_done("training", {"a": 1})
    assert first.is_file()
    assert (first.parents[3].name, second.parents[3].name) == ("training", "training_2")
    assert newest(tmp_path / "out" / "training_2") == second


def test_the_training_of_the_face_has_settings_of_its_own(finished):
    """They come after those of both, so they count; without any, nothing is told that was not before."""
    target = PoseSet.load(finished / "target")
    parser = argparse.ArgumentParser()
    pose2vid_run.add_parser(parser.add_subparsers())
    given = ["run", "--target", "a", "--source", "b", "--output", "c", "--face", "pose2vid_face", "x=1"]
    _, (_, before, plain) = pose2vid_run._trainings(parser.parse_args(given), target)
    args = parser.parse_args([*given, "--face-setting", "x=2", "--face-setting", "y=3"])
    (_, _, base), (_, of, face) = pose2vid_run._trainings(args, target)
    assert face[1:] == [*base[1:], "x=2", "y=3"]
    assert face[0] == "experiment=pose2vid_face"
    assert plain == face[:-2]
    assert of == before | {"settings": ["x=2", "y=3"]}


@pytest.mark.parametrize("text", ["{", "[]", '{"train": 3}', 100_000 * "["])
def test_damaged_notes_are_told(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(UserError, match="is damaged"), Work.begin(tmp_path):
        pass


def test_a_path_is_quoted_for_hydra(tmp_path):
    from hydra.core.override_parser.overrides_parser import OverridesParser

    for name in ("a b, (c)=d", "it's", "100%;$x"):
        (override,) = OverridesParser.create().parse_overrides([f"data.root={quoted(tmp_path / name)}"])
        assert override.value() == str(tmp_path / name)


@pytest.mark.slow
def test_killed_in_the_middle_of_the_training_it_goes_on(clips, tmp_path):
    """The training ends with the command that is killed, resumably; then everything is done."""
    output = tmp_path / "out"
    face = ("--face", "pose2vid_puppets_face")
    arguments = command(clips, output, *face, *SMALL, "trainer.max_epochs=4", "data.steps_per_epoch=40")
    whole = [sys.executable, "-m", "animate.cli", *arguments]
    with subprocess.Popen(whole, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 300
        while newest(output / "training") is None and time.monotonic() < deadline:
            time.sleep(0.2)
        os.kill(process.pid, signal.SIGKILL)
    assert not (output / "dance.mp4").exists()
    again = subprocess.run(whole, capture_output=True, text=True, timeout=500, check=False)
    assert again.returncode == 0, again.stderr
    assert "training: goes on from" in again.stdout
    assert len(list((output / "training" / "pose2vid_puppets").iterdir())) == 1
    face = newest(output / "face")
    networks = checkpoints.load(face, method="pix2pixhd")
    before = checkpoints.load(newest(output / "training"), method="pix2pixhd")
    assert networks.face is not None
    for name, value in before.generator.state_dict().items():
        assert torch.equal(networks.generator.state_dict()[name], value), name
    assert probe(output / "dance.mp4").num_frames == 6
