"""`animate pose2vid transfer` on drawn puppets, in the process of the test."""

from __future__ import annotations

import json
import shutil
import wave
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest
import torch

from animate import checkpoints
from animate.cli import main
from animate.cli.pose2vid_transfer import HOLD, NORMALIZATIONS
from animate.data.export import write_clip
from animate.data.synthetic import OnePuppetIndex
from animate.networks.pix2pixhd import Pix2PixHD
from animate.pipelines import transfer_files
from animate.pipelines.pose_normalisation import NORMALISATIONS
from animate.pipelines.posed import Dance, Person
from animate.pipelines.transfer import in_layout_of, transfer
from animate.sidecars import Key, Sidecar, digest, place, sidecars_of, write_sidecar
from animate.video.decode import stream
from animate.video.encode import VideoWriter
from animate.video.probe import probe

SIDE, FRAMES, RATE = 32, 10, Fraction(30000, 1001)
SLIM = {"labels": 18, "skeleton": "puppet_person", "width": 4, "depth": 2, "blocks": 1, "previous": True}


def draw(folder, seed):
    """Write a clip of a puppet with its truth beside it; returns the file."""
    index = OnePuppetIndex(seed=seed, train_clips=1, val_clips=1, test_clips=1, frames=FRAMES, size=64)
    (clip,) = index.clips("train")
    write_clip(clip, folder, (SIDE, SIDE), ".mp4")
    return folder / f"{clip.name}.mp4"


def with_sound(clip, target):
    """Write the clip anew at 29.97 frames per second with a tone; its truth goes along."""
    sound = target.with_suffix(".wav")
    with wave.open(str(sound), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48000)
        file.writeframes((8000 * np.sin(np.arange(48000) / 20)).astype("<i2").tobytes())
    with VideoWriter(target, RATE, audio_from=sound) as writer:
        for frame in stream(clip):
            writer.write(frame.image)
    sound.unlink()
    move_poses(clip, target)
    return target


def move_poses(clip, target, change=None):
    """Give the poses of one clip to another, changed."""
    with Sidecar(sidecars_of("truth", clip)[0]) as sidecar:
        arrays = {name: sidecar.array(name) for name in ("points", "visible", "identity")}
        key = Key("truth", "drawn", "1", digest([target]))
        if change:
            change(arrays)
        with write_sidecar(place(key, target, None)) as writer:
            for name, array in arrays.items():
                writer.add(name, array)
            writer.finish(replace(sidecar.header, key=key))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """``me.mp4`` and ``dance.mp4`` with poses, and a model."""
    folder = tmp_path_factory.mktemp("puppets")
    drawn = draw(folder / "drawn", 0), draw(folder / "drawn", 1)
    shutil.copy(drawn[0], folder / "me.mp4")
    move_poses(drawn[0], folder / "me.mp4")
    with_sound(drawn[1], folder / "dance.mp4")
    torch.manual_seed(2)
    model = Pix2PixHD(**SLIM)
    state = {f"networks.{key}": value for key, value in model.state_dict().items()}
    checkpoints.save(
        folder / "model.ckpt", {"state_dict": state}, checkpoints.describe("pix2pixhd", model.arguments)
    )
    return folder


@pytest.fixture
def call(files, tmp_path, capfd):
    """Run the verb; returns exit code, what was printed, and the output."""

    def run(*options, output="out", **paths):
        given = {
            "checkpoint": files / "model.ckpt",
            "target": files / "me.mp4",
            "source": files / "dance.mp4",
            "output": tmp_path / output,
            "device": "cpu",
        } | paths
        arguments = [str(part) for name, value in given.items() for part in (f"--{name}", value)]
        code = main(["pose2vid", "transfer", *arguments, *map(str, options)])
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return code, out + err, given["output"]

    return run


def pictures(path):
    return np.stack([frame.image for frame in stream(path)])


@pytest.fixture(scope="module")
def expected(files):
    """The pipeline by itself, without normalisation."""
    model = checkpoints.load(files / "model.ckpt", method="pix2pixhd")
    pose = in_layout_of(model, Dance.open(files / "dance.mp4").pose)
    return np.stack([frame.picture for frame in transfer(model, pose, (SIDE, SIDE))])


def test_help_tells_what_the_pipeline_does():
    """The choices are written twice, so that help need not import the pipeline."""
    assert tuple(NORMALISATIONS) == NORMALIZATIONS
    assert transfer_files.HOLD == HOLD


def test_the_dance(call, expected):
    code, told, output = call("--normalize", "none")
    assert code == 0, told
    assert f"{FRAMES} frames" in told
    np.testing.assert_array_equal(pictures(output), expected)


@pytest.mark.parametrize("how", ["global", "per-frame"])
def test_normalisation_changes_the_pictures(call, expected, how):
    _, _, output = call("--normalize", how)
    assert pictures(output).shape == expected.shape
    assert (pictures(output) != expected).any()


def test_a_part_of_the_dance(call, files):
    """Size and place come from all frames, so a part shows the poses of the whole."""
    code, told, output = call("--start", 3, "--stop", 6, "--grid", output="part.mp4")
    assert code == 0, told
    assert probe(output).num_frames == 3
    call("--grid", output="whole.mp4")
    part, whole = (pictures(output.with_name(f"{name}_grid.mp4")) for name in ("part", "whole"))
    label = slice(SIDE, 2 * SIDE)
    assert np.abs(part[:, :, label].astype(int) - whole[3:6, :, label]).mean() < 3


def test_rate_and_sound_are_the_source_s(call):
    _, _, output = call(output="out.mp4")
    info = probe(output)
    assert info.fps == RATE
    np.testing.assert_allclose(info.times, [float(n / RATE) for n in range(FRAMES)], atol=1e-6)
    assert info.has_audio
    _, _, quiet = call("--no-audio", output="quiet.mp4")
    assert not probe(quiet).has_audio


def test_the_sound_of_a_part_begins_with_it(call):
    _, _, output = call("--start", 5, output="part.mp4")
    with av.open(str(output)) as file:
        (sound,) = file.streams.audio
        packets = [packet for packet in file.demux(sound) if packet.pts is not None]
        length = (packets[-1].pts + packets[-1].duration) * sound.time_base
    assert float(length) == pytest.approx(5 / RATE, abs=0.05)


def test_panels(call, files, expected):
    code, told, output = call("--grid", "--normalize", "none")
    assert code == 0, told
    grid = probe(output.with_name("out_grid.mp4"))
    assert (grid.width, grid.height, grid.num_frames) == (3 * SIDE, SIDE, FRAMES)
    assert grid.fps == RATE
    gif = pictures(output.with_name("out_grid.gif"))
    source = pictures(files / "dance.mp4")
    assert np.abs(gif[0][:, :SIDE].astype(int) - source[0]).mean() < 8
    assert np.abs(gif[0][:, 2 * SIDE :].astype(int) - expected[0]).mean() < 8
    assert output.with_name("out_grid.png").is_file()


def missing(*frames):
    def change(arrays):
        arrays["visible"][list(frames)] = False

    return change


def test_missing_poses_are_held_then_marked(call, files, tmp_path, expected):
    source = tmp_path / "gaps.mp4"
    shutil.copy(files / "dance.mp4", source)
    move_poses(files / "dance.mp4", source, missing(2, 6, 7, 8))
    code, told, output = call("--normalize", "none", "--hold", 2, source=source)
    assert code == 0
    assert "3 without a usable pose show the one before" in told
    assert "1 have a red rim" in told
    shown = pictures(output)
    np.testing.assert_array_equal(shown[:2], expected[:2])
    red = (shown[:, 0, :] == (220, 30, 30)).all(axis=(1, 2))
    assert np.flatnonzero(red).tolist() == [8]


def prepared(folder, role, clip, **changes):
    """Prepare a data set of a clip by the colours of its joints."""
    options = {"video": clip, "output": folder, "role": role, "size": SIDE, "pose-backend": "puppet_person"}
    arguments = [str(part) for name, value in (options | changes).items() for part in (f"--{name}", value)]
    assert main(["pose2vid", "prepare", *arguments]) == 0
    return folder


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """Both clips as prepared data sets; larger ones, in which joints can be read."""
    folder = tmp_path_factory.mktemp("prepared")
    found = {}
    for role, seed in (("target", 0), ("source", 1)):
        index = OnePuppetIndex(seed=seed, train_clips=1, val_clips=1, test_clips=1, frames=FRAMES, size=64)
        write_clip(index.clips("train")[0], folder / "clips", (128, 128), ".mp4")
        clip = folder / "clips" / f"{index.clips('train')[0].name}.mp4"
        found[role] = prepared(folder / role, role, clip)
    return found


def test_prepared_data_sets(call, sets):
    target, source = sets["target"], sets["source"]
    code, told, output = call("--grid", target=target, source=source, output="out.mp4")
    assert code == 0, told
    info = probe(output)
    assert (info.width, info.height, info.num_frames, info.fps) == (SIDE, SIDE, FRAMES, 25)
    assert Person.open(target).size == (SIDE, SIDE)


def test_the_sound_of_a_prepared_source(call, sets, files, tmp_path, caplog):
    """It is taken from the video that the data set was made of, as long as that is there."""
    video = tmp_path / "video.mp4"
    with VideoWriter(video, 25, audio_from=files / "dance.mp4") as writer:
        for frame in stream(next((sets["source"].parent / "clips").glob("*.mp4"))):
            writer.write(frame.image)
    source = prepared(tmp_path / "prepared", "source", video, start=2)
    _, _, output = call(target=sets["target"], source=source, output="out.mp4")
    assert probe(output).has_audio
    video.unlink()
    code, told, output = call(target=sets["target"], source=source, output="quiet.mp4")
    assert code == 0, told
    assert "is not there any more: no sound" in caplog.text
    assert not probe(output).has_audio
    assert probe(output).num_frames == FRAMES - 2


def test_a_full_disk_leaves_nothing(animate, files, tmp_path):
    given = {"checkpoint": files / "model.ckpt", "target": files / "me.mp4", "source": files / "dance.mp4"}
    arguments = [part for name, path in given.items() for part in (f"--{name}", path)]
    output = tmp_path / "out.mp4"
    told = animate("pose2vid", "transfer", *arguments, "--output", output, "--grid", limit=2000)
    assert told.returncode == 2
    assert "cannot be written" in told.stderr
    assert told.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_exchanged_data_sets_are_told(call, sets, tmp_path):
    code, told, _ = call(target=sets["source"], source=sets["target"])
    assert code == 2
    assert "exchange --source and --target" in told
    assert list(tmp_path.iterdir()) == []


def test_the_run_s_own_size_is_used(call, files, tmp_path):
    run = tmp_path / "run"
    (run / "checkpoints").mkdir(parents=True)
    shutil.copy(files / "model.ckpt", run / "checkpoints" / "last.ckpt")
    (run / "config.yaml").write_text("data:\n  image_size: [16, 24]\n")
    checkpoint = run / "checkpoints" / "last.ckpt"
    _, _, output = call(checkpoint=checkpoint, output="out.mp4")
    assert (probe(output).height, probe(output).width) == (16, 24)
    _, _, output = call("--size", "24x16", checkpoint=checkpoint, output="given.mp4")
    assert (probe(output).height, probe(output).width) == (24, 16)


def no_poses(folder, files):
    shutil.copy(files / "dance.mp4", folder / "bare.mp4")
    return {"source": folder / "bare.mp4"}


def nobody(folder, files):
    path = folder / "nobody.mp4"
    shutil.copy(files / "dance.mp4", path)
    move_poses(files / "dance.mp4", path, missing(*range(FRAMES)))
    return {"source": path}


def of_another_clip(folder, files):
    path = folder / "other.mp4"
    with VideoWriter(path, 25) as writer:
        for frame in list(stream(files / "dance.mp4"))[:4]:
            writer.write(frame.image)
    (sidecar,) = sidecars_of("truth", files / "dance.mp4")
    shutil.copy(sidecar, folder / sidecar.name.replace("dance.mp4", "other.mp4"))
    return {"source": path}


def of_another_method(folder, files):
    from small import networks

    model = networks()
    state = {f"networks.{key}": value for key, value in model.state_dict().items()}
    path = folder / "fomm.ckpt"
    checkpoints.save(path, {"state_dict": state}, checkpoints.describe("fomm", model.arguments))
    return {"checkpoint": path}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda f, _: {"checkpoint": f / "no.ckpt"}, "no.ckpt"),
        (lambda f, _: {"source": f / "no.mp4"}, "no such file"),
        (lambda f, _: {"target": f / "no"}, "no such file"),
        (lambda *_: {"size": "33x32"}, "multiples of 4"),
        (lambda *_: {"start": FRAMES}, "cannot start at frame 10"),
        (lambda f, _: {"output": f / "no" / "out.mp4"}, "does not exist"),
        (no_poses, "has no poses"),
        (nobody, "in none of its 10 frames is a person found"),
        (of_another_clip, "out of date"),
        (of_another_method, "holds networks of the method fomm"),
    ],
    ids=["checkpoint", "source", "target", "size", "range", "folder", "poses", "nobody", "stale", "method"],
)
def test_bad_input_is_told(call, files, tmp_path, make, message):
    given = tmp_path / "given"
    given.mkdir()
    code, told, _ = call(**{"output": tmp_path / "out.mp4"} | make(given, files))
    assert code == 2
    assert told.startswith("animate: error: ")
    assert told.count("\n") == 1
    assert message in told
    assert [path for path in tmp_path.iterdir() if path != given] == []


@pytest.mark.parametrize("there", ["out.mp4", "out_grid.gif", "out_grid.png"])
def test_existing_outputs_stay(call, tmp_path, there):
    (tmp_path / there).write_text("precious")
    code, told, _ = call("--grid", output="out.mp4")
    assert code == 2
    assert f"{there} exists" in told
    assert [path.name for path in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_text() == "precious"
    code, told, _ = call("--grid", "--overwrite", output="out.mp4")
    assert code == 0, told
    assert len(list(tmp_path.iterdir())) == 4


def test_a_damaged_manifest_is_told(call, sets, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(sets["source"], broken)
    values = json.loads((broken / "manifest.json").read_text())
    (broken / "manifest.json").write_text(json.dumps(values | {"size": [64, 64]}))
    code, told, _ = call(target=sets["target"], source=broken)
    assert code == 2
    assert "prepare the data set again" in told
