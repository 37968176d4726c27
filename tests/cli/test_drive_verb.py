"""`animate drive` on real files, in the process of the test; other exit codes: test_bad_input."""

from __future__ import annotations

import resource
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from animate import checkpoints
from animate.annotate import backends
from animate.annotate.protocols import Box as AnnotatedBox
from animate.cli import main
from animate.pipelines.drive import drive
from animate.pipelines.framing import Box, to_model
from animate.video.decode import stream
from animate.video.encode import VideoWriter
from animate.video.image import read_image
from animate.video.probe import probe


@pytest.fixture
def call(checkpoint, media, tmp_path, capsys):
    """Run ``animate drive`` with the tiny model; returns the output's path."""

    def run(*options, source=None, driving=None, output="out"):
        target = tmp_path / output
        files = ["--source", source or media / "photo.png", "--driving", driving or media / "clip.mp4"]
        arguments = [
            "drive",
            "--checkpoint",
            checkpoint,
            *files,
            "--output",
            target,
            "--device",
            "cpu",
            *options,
        ]
        code = main([str(argument) for argument in arguments])
        assert code == 0, capsys.readouterr().err
        return target

    return run


def pictures(path):
    return [frame.image for frame in stream(path)]


def expected(checkpoint, media, **options):
    """What the pipeline gives for the same files, read by other means than the verb's."""
    networks = checkpoints.load(checkpoint)
    source = to_model(read_image(media / "photo.png"), 32)
    frames = [to_model(image, 32) for image in pictures(media / "clip.mp4")]
    return list(drive(networks, source, frames, **options))


def test_the_model_s_square(call, checkpoint, media):
    result = pictures(call())
    np.testing.assert_array_equal(np.stack(result), np.stack(expected(checkpoint, media)))


def test_absolute_motion_and_batch_size(call, checkpoint, media):
    result = pictures(call("--absolute", "--batch-size", 3))
    theirs = np.stack(expected(checkpoint, media, relative=False)).astype(int)
    assert np.abs(np.stack(result) - theirs).max() <= 1


def test_kept_size_changes_the_box_only(call, media):
    photo = read_image(media / "photo.png")
    kept = pictures(call("--size", "keep"))
    outside = np.ones(photo.shape[:2], bool)
    outside[:, 15:85] = False
    assert len(kept) == 10
    for frame in kept:
        np.testing.assert_array_equal(frame[outside], photo[outside])
    assert (kept[0][:, 15:85] != photo[:, 15:85]).any()


def test_boxes(call, checkpoint, media):
    result = pictures(call("--box", "10,5,40,60", "--driving-box", "0,0,64,48", "--absolute"))
    source = to_model(read_image(media / "photo.png"), 32, Box(10, 5, 40, 60))
    frames = [to_model(image, 32, Box(0, 0, 64, 48)) for image in pictures(media / "clip.mp4")]
    theirs = list(drive(checkpoints.load(checkpoint), source, frames, relative=False))
    np.testing.assert_array_equal(np.stack(result), np.stack(theirs))


class Bright:
    """Finds the bright square that crosses the clip, or the photo."""

    name, version = "bright", "1"

    def __call__(self, frames):
        found = []
        for frame in frames:
            rows, columns = np.nonzero(frame[..., 0] > 135)
            scale = np.array([frame.shape[1] - 1, frame.shape[0] - 1] * 2) / 2
            corners = np.array([columns.min(), rows.min(), columns.max(), rows.max()])
            found.append([AnnotatedBox(*(corners / scale - 1).tolist())])
        return found


def test_one_box_for_the_whole_clip(call, checkpoint, media, monkeypatch, tmp_path, capsys):
    """The photo's square is at 30 to 46, 12 to 28; the clip's goes from 4 to 33 in its first 4 frames."""
    monkeypatch.setitem(backends.FACES, "bright", Bright)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    result = pictures(call("--driving-box", "face:bright", "--box", "face:bright", "--stop", 4, "--absolute"))
    printed = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in printed[:2]] == ["--box 22,4,32,32", "--driving-box 0,0,48,48"]
    given = call(
        "--box", "22,4,32,32", "--driving-box", "0,0,48,48", "--stop", 4, "--absolute", output="given"
    )
    np.testing.assert_array_equal(np.stack(result), np.stack(pictures(given)))


@pytest.mark.parametrize("text", ["faces", "face:nobody", "1,2,3"])
def test_boxes_that_are_none(checkpoint, media, tmp_path, capsys, text):
    files = ["--source", media / "photo.png", "--driving", media / "clip.mp4", "--output", tmp_path / "o"]
    arguments = ["drive", "--checkpoint", checkpoint, *files, "--driving-box", text]
    assert main([str(part) for part in arguments]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_grid_shows_source_driving_and_result(call, checkpoint, media):
    grid = pictures(call("--grid"))[6]
    assert grid.shape == (32, 96, 3)
    np.testing.assert_array_equal(grid[:, :32], to_model(read_image(media / "photo.png"), 32))
    np.testing.assert_array_equal(grid[:, 32:64], to_model(pictures(media / "clip.mp4")[6], 32))
    np.testing.assert_array_equal(grid[:, 64:], expected(checkpoint, media)[6])


def test_grid_of_kept_size(call, media):
    grid = pictures(call("--grid", "--size", "keep"))[0]
    assert grid.shape == (70, 100 + 70 + 100, 3)
    np.testing.assert_array_equal(grid[:, :100], read_image(media / "photo.png"))


def test_a_range_of_frames(call, checkpoint, media):
    result = pictures(call("--start", 3, "--stop", 7, "--absolute"))
    np.testing.assert_array_equal(
        np.stack(result), np.stack(expected(checkpoint, media, relative=False)[3:7])
    )


def test_best_frame(call, checkpoint, media, make_video, tmp_path):
    given = np.stack(pictures(call("--best-frame", 4, output="given")))
    initial = to_model(pictures(media / "clip.mp4")[4], 32)
    np.testing.assert_array_equal(given, np.stack(expected(checkpoint, media, initial=initial)))
    # With a driving frame as the source, the search must come out at that frame.
    found = call("--best-frame", "auto", output="found", source=make_still(media, 4, tmp_path))
    named = call("--best-frame", 4, output="named", source=make_still(media, 4, tmp_path))
    np.testing.assert_array_equal(np.stack(pictures(found)), np.stack(pictures(named)))


def make_still(media, number, folder):
    path = folder / f"frame{number}.png"
    Image.fromarray(pictures(media / "clip.mp4")[number]).save(path)
    return path


def test_one_driving_frame(call, make_video, tmp_path, media):
    one = make_video(tmp_path / "one.mp4", 1)
    assert probe(call(driving=one, output="out.mp4")).num_frames == 1
    assert len(pictures(call(driving=media / "photo.png", output="still"))) == 1


def test_a_folder_of_pictures_drives(call, media):
    frames = call(output="frames")
    assert probe(call(driving=frames, output="again.mp4")).num_frames == 10


def test_the_first_frame_of_a_video_as_source(call, media, tmp_path):
    video = pictures(call(source=media / "clip.mp4", output="video"))
    still = pictures(call(source=make_still(media, 0, tmp_path), output="still"))
    np.testing.assert_array_equal(np.stack(video), np.stack(still))


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".gif"])
def test_formats(call, suffix):
    info = probe(call(output=f"out{suffix}"))
    assert (info.num_frames, info.width, info.height) == (10, 32, 32)
    assert info.duration == pytest.approx(0.4, abs=0.011)


def test_odd_sizes_are_written(call, tmp_path, media):
    Image.fromarray(read_image(media / "photo.png")[:63, :81]).save(tmp_path / "odd.png")
    info = probe(call("--size", "keep", source=tmp_path / "odd.png", output="odd.mp4"))
    assert (info.width, info.height) == (82, 64)


def test_fractional_rate(call, make_video, tmp_path):
    clip = make_video(tmp_path / "ntsc.mp4", 12, fps=Fraction(30000, 1001))
    info = probe(call(driving=clip, output="out.mp4"))
    np.testing.assert_allclose(info.times, np.arange(12) * 1001 / 30000, atol=1e-4)


def test_variable_rate(call, tmp_path, media):
    times = [Fraction(t, 100) for t in (200, 204, 220, 221, 260, 300)]
    with VideoWriter(tmp_path / "vfr.mp4", 25) as writer:
        for image, time in zip(pictures(media / "clip.mp4"), times, strict=False):
            writer.write(image, time)
    for start in (0, 2):
        output = call("--start", start, driving=tmp_path / "vfr.mp4", output=f"from{start}.mp4")
        shown = [float(time - times[start]) for time in times[start:]]
        np.testing.assert_allclose(probe(output).times, shown, atol=2e-3)


@pytest.fixture
def with_sound(tmp_path, media):
    """Two seconds at 25 frames/s with a tone whose loudness tells the time: silent, then loud from 1 s on."""
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = container.add_stream("aac", rate=48000)
        image = pictures(media / "clip.mp4")[0]
        for _ in range(50):
            container.mux(video.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        container.mux(video.encode())
        wave = np.sin(np.arange(96000) * 0.06) * (np.arange(96000) >= 48000)
        for start in range(0, 96000, 1024):
            chunk = wave[None, start : start + 1024].astype(np.float32)
            frame = av.AudioFrame.from_ndarray(chunk, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 48000, start
            container.mux(audio.encode(frame))
        container.mux(audio.encode())
    return path


def loud_from(path):
    """Seconds until the sound becomes loud, and how long it is."""
    with av.open(str(path)) as container:
        found = [(frame.time, np.abs(frame.to_ndarray()).max()) for frame in container.decode(audio=0)]
    return next(time for time, peak in found if peak > 0.3), found[-1][0]


def test_sound_is_carried_over_in_time(call, with_sound):
    whole = call(driving=with_sound, output="whole.mp4")
    assert loud_from(whole) == pytest.approx((1.0, 2.0), abs=0.06)
    part = call("--start", 15, "--stop", 40, driving=with_sound, output="part.mp4")
    assert loud_from(part) == pytest.approx((0.4, 1.0), abs=0.06)
    assert probe(call(driving=with_sound, output="out.webm")).has_audio


def test_sound_can_be_left_out(call, with_sound):
    assert not probe(call("--no-audio", driving=with_sound, output="silent.mp4")).has_audio


def test_overwriting(call, tmp_path, capsys, checkpoint, media):
    target = call(output="out.mp4")
    before = target.read_bytes()
    files = ["--source", media / "photo.png", "--driving", media / "clip.mp4", "--output", target]
    arguments = [str(part) for part in ["drive", "--checkpoint", checkpoint, *files, "--absolute"]]
    assert main(arguments) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert target.read_bytes() == before
    assert main([*arguments, "--overwrite"]) == 0
    assert target.read_bytes() != before
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


def test_a_link_to_an_empty_folder_is_filled_there(call, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to("disk")
    assert call(output="out").is_symlink()
    assert len(list((tmp_path / "disk").glob("*.png"))) == 10
    assert sorted(path.name for path in tmp_path.iterdir()) == ["disk", "out"]


def test_what_is_printed(call, capsys):
    target = call(output="out.gif")
    printed = capsys.readouterr()
    assert printed.out.startswith(f"{target}: 10 frames, ")
    assert printed.out.endswith(" frames/s\n")
    assert printed.err == ""  # the progress bar is for terminals


@pytest.mark.slow
def test_ten_thousand_frames_in_constant_memory(call, make_video, tmp_path):
    """Peak memory of the process over the last 9,000 frames grows by less than a second's worth of frames."""
    short = make_video(tmp_path / "short.mp4", 1000)
    long = make_video(tmp_path / "long.mp4", 10_000)
    call(driving=short, output="short_out.mp4")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert probe(call(driving=long, output="long_out.mp4")).num_frames == 10_000
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 20_000  # KiB; the decoded frames alone would be 90 MB
