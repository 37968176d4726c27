"""What VideoWriter leaves behind: frames, times, colours, sound - and nothing at all when it fails."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from PIL import Image
from video_files import names, number_of, numbered, write_video

from animate.errors import UserError
from animate.video import sinks
from animate.video.decode import read_frames, stream
from animate.video.encode import VideoWriter
from animate.video.image import resize, write_image
from animate.video.probe import probe

SUFFIXES = [".mp4", ".webm", ".gif", ""]
SMOOTH = resize(np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8), (96, 128))


def write(path, images, fps=25, times=None, **options):
    with VideoWriter(path, fps, **options) as writer:
        for n, image in enumerate(images):
            writer.write(image, times[n] if times else None)
    return path


def psnr(got, want):
    return 10 * np.log10(255**2 / max(np.mean((got.astype(float) - want) ** 2), 1e-9))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_frames_come_back(tmp_path, suffix):
    path = write(tmp_path / f"out{suffix}", numbered(30))
    seen = list(stream(path))
    assert [number_of(frame.image) for frame in seen] == list(range(30))
    assert [frame.time for frame in seen] == [Fraction(n, 25) for n in range(30)]
    assert names(tmp_path) == [f"out{suffix}"]


def test_png_folder_is_lossless(tmp_path):
    path = write(tmp_path / "frames", [SMOOTH, SMOOTH[::-1]])
    assert names(path) == ["000000.png", "000001.png"]
    np.testing.assert_array_equal(next(stream(path)).image, SMOOTH)


@pytest.mark.parametrize(("suffix", "least"), [(".mp4", 36), (".webm", 36), (".gif", 26)])
def test_quality_and_colours(tmp_path, suffix, least):
    path = write(tmp_path / f"out{suffix}", [SMOOTH] * 3)
    got = read_frames(path, [1])[0]
    assert psnr(got, SMOOTH) > least
    assert abs(float((got.astype(float) - SMOOTH).mean())) < 1.0


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_colour_stays_where_it_is(tmp_path, suffix):
    """Colour has half the resolution: the middle of what is red must not move to a side."""
    image = np.full((64, 64, 3), 110, np.uint8)
    image[20:44, 20:44] = (230, 20, 30)
    path = tmp_path / f"red{suffix}"
    with VideoWriter(path, 25) as writer:
        writer.write(image)
    (frame,) = stream(path)
    red = np.clip(frame.image[..., 0].astype(float) - frame.image[..., 1] - 15, 0, None)
    y, x = np.mgrid[:64, :64] + 0.5
    assert [(red * x).sum() / red.sum(), (red * y).sum() / red.sum()] == pytest.approx([32, 32], abs=0.05)


def test_gif_of_few_colours_is_exact(tmp_path):
    images = numbered(4)
    path = write(tmp_path / "a.gif", images)
    np.testing.assert_array_equal(read_frames(path, [3])[0], images[3])
    with Image.open(path) as gif:
        assert gif.n_frames == 4
        assert gif.info["loop"] == 0


def test_mp4_is_what_players_expect(tmp_path):
    path = write(tmp_path / "a.mp4", numbered(5))
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        tags = (context.color_range, context.colorspace, context.color_primaries, context.color_trc)
        assert tags == (1, 1, 1, 1)
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # the index first: it plays while it loads
    shown = cv2.VideoCapture(str(path)).read()[1]
    assert number_of(shown) == 0


RATES = [Fraction(30000, 1001), Fraction(24000, 1001), 30000 / 1001, 12.5, 5, 60, Fraction(3725, 126)]


@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_frame_rates_are_kept(tmp_path, suffix, fps):
    info = probe(write(tmp_path / f"a{suffix}", numbered(30), fps))
    assert float(info.fps) == pytest.approx(float(fps), rel=1e-4)
    tolerance = 1e-6 if suffix == ".mp4" else 6e-4
    np.testing.assert_allclose(info.times, np.arange(30) / float(fps), atol=tolerance)
    if suffix == ".mp4" and float(fps) < 40:
        assert info.duration == pytest.approx(30 / float(fps), abs=1e-3)


@pytest.mark.parametrize(("suffix", "tick"), [(".mp4", 1e-6), (".webm", 6e-4), (".gif", 5.1e-3)])
def test_variable_frame_rate_is_kept(tmp_path, suffix, tick):
    times = [Fraction(n, 600) for n in (1200, 1220, 1241, 1281, 1400, 2000, 2020, 2040)]  # starts at 2 s
    path = write(tmp_path / f"a{suffix}", numbered(8), times=times)
    want = [float(time - times[0]) for time in times]
    np.testing.assert_allclose(probe(path).times, want, atol=tick)
    assert [number_of(image) for image in read_frames(path, range(8))] == list(range(8))


def test_gif_leaves_out_frames_that_players_would_slow_down(tmp_path):
    info = probe(write(tmp_path / "a.gif", numbered(60), fps=60))
    assert np.diff(info.times).min() >= 0.02 - 1e-9
    assert info.duration == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("size", [(33, 25), (25, 64), (64, 25), (1, 1), (16, 16)])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_odd_sizes(tmp_path, suffix, size):
    image = SMOOTH[: size[0], : size[1]]
    got = next(stream(write(tmp_path / f"a{suffix}", [image] * 2))).image
    height, width = size
    padded = (height + height % 2, width + width % 2) if suffix == ".mp4" else size
    assert got.shape == (*padded, 3)
    if min(size) > 8:
        assert psnr(got[:height, :width], image) > 28
        edges = np.pad(image, ((0, padded[0] - height), (0, padded[1] - width), (0, 0)), mode="edge")
        assert psnr(got, edges) > 28


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_one_frame(tmp_path, suffix):
    assert len(list(stream(write(tmp_path / f"a{suffix}", numbered(1))))) == 1


@pytest.mark.parametrize(
    "name", ["a:b.mp4", "100%d.mp4", "x=1, (2) é漢.mp4", "100%d.webm", "a'b;[c].gif", "%03d é"]
)
def test_names(tmp_path, name, monkeypatch):
    assert len(list(stream(write(tmp_path / name, numbered(3))))) == 3
    monkeypatch.chdir(tmp_path)
    write(name if not (tmp_path / name).is_dir() else f"{name}2", numbered(3), overwrite=True)
    assert not [entry for entry in names(tmp_path) if ".part" in entry]


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".png"])
@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_and_what_it_leads_to_is_written(tmp_path, suffix, there):
    real, link = tmp_path / "disk" / "real.name", tmp_path / f"link{suffix}"
    real.parent.mkdir()
    if there:
        real.touch() if suffix else real.mkdir()
    link.symlink_to(real)
    if suffix == ".png":
        write_image(link, SMOOTH)
    else:
        write(link, numbered(3), overwrite=True)
    assert link.is_symlink()
    assert (names(tmp_path), names(real.parent)) == (["disk", link.name], ["real.name"])
    assert len(list(stream(link))) == (1 if suffix == ".png" else 3)


def test_where_a_link_leads_to_nowhere_is_told(tmp_path):
    (tmp_path / "out.mp4").symlink_to(tmp_path / "disk" / "real.mp4")
    with pytest.raises(UserError, match=r"out\.mp4: the folder .*disk does not exist; create it first"):
        write(tmp_path / "out.mp4", numbered(1))
    assert names(tmp_path) == ["out.mp4"]


@pytest.mark.parametrize("name", ["", ".", "..", "sub/.."])
def test_the_folder_that_the_command_runs_in_is_no_output(tmp_path, monkeypatch, name):
    (tmp_path / "here/sub").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(UserError, match="that it lies in, and cannot be replaced; name a new folder"):
        VideoWriter(name, 25)


class Stop(BaseException):
    """Stands for KeyboardInterrupt, which would end pytest."""


def stopping(images, error):
    """Give the images, then raise."""
    yield from images
    raise error


@pytest.mark.parametrize("error", [Stop, RuntimeError])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_nothing_is_left_after_an_exception(tmp_path, suffix, error):
    with pytest.raises(error):
        write(tmp_path / f"a{suffix}", stopping(numbered(5), error))
    assert names(tmp_path) == []


def test_an_exception_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_text("old")
    with pytest.raises(Stop):
        write(path, stopping([SMOOTH] * 3, Stop), overwrite=True)
    assert path.read_text() == "old"
    write(path, numbered(2), overwrite=True)
    assert probe(path).num_frames == 2


def _exists(path):
    path.write_text("old")


def _full_folder(path):
    path.mkdir()
    (path / "keep").write_text("old")


REFUSED = {
    "a.mp4": (_exists, "exists"),
    "b.mp4": (lambda path: path.mkdir(), "is a folder"),
    "c.avi": (lambda _: None, r"cannot write \.avi"),
    "no/d.mp4": (lambda _: None, "does not exist"),
    "full": (_full_folder, "not empty"),
    "file": (_exists, "exists"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_before_any_work(tmp_path, name):
    make, reason = REFUSED[name]
    make(tmp_path / name)
    before = sorted(os.walk(tmp_path))
    with pytest.raises(UserError, match=reason):
        VideoWriter(tmp_path / name, 25)
    assert sorted(os.walk(tmp_path)) == before


def test_empty_folder_is_taken(tmp_path):
    (tmp_path / "frames").mkdir()
    write(tmp_path / "frames", numbered(2))
    assert len(names(tmp_path / "frames")) == 2


def test_place_without_write_permission(tmp_path, monkeypatch):
    def denied(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("pathlib.Path.touch", denied)
    with pytest.raises(UserError, match="Permission denied"):
        VideoWriter(tmp_path / "a.mp4", 25)


def test_no_frames_is_an_error(tmp_path):
    with pytest.raises(UserError, match="no frame was written"), VideoWriter(tmp_path / "a.mp4", 25):
        pass
    assert names(tmp_path) == []


@pytest.mark.parametrize("fps", [0, -1])
def test_frame_rate_must_be_positive(tmp_path, fps):
    with pytest.raises(UserError, match="above 0"):
        VideoWriter(tmp_path / "a.mp4", fps)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_disk_that_fills_up(tmp_path, suffix):
    """A real failing write: the process may not make files of more than 6 kB."""
    rng = np.random.default_rng(0)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6000, hard))
    try:
        with pytest.raises(UserError, match="cannot be written"):
            write(tmp_path / f"a{suffix}", list(rng.integers(0, 256, (20, 96, 96, 3), np.uint8)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert names(tmp_path) == []


def test_full_disk_is_named(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(sinks.Mp4Sink, "write", full)
    with pytest.raises(UserError, match="No space left on device"):
        write(tmp_path / "a.mp4", numbered(3))
    assert names(tmp_path) == []


def test_wrong_frames_and_times(tmp_path):
    with pytest.raises(ValueError, match="uint8"):
        write(tmp_path / "a.mp4", [SMOOTH.astype(np.float32)])
    with pytest.raises(ValueError, match="this one is"):
        write(tmp_path / "a.mp4", [SMOOTH, SMOOTH[:-2]])
    with pytest.raises(ValueError, match="increase"):
        write(tmp_path / "a.mp4", [SMOOTH] * 2, times=[Fraction(1), Fraction(1)])
    assert names(tmp_path) == []


def test_memory_does_not_grow_with_the_length(tmp_path):
    """Frames are dropped as they are written: at most a few are alive at any time, for every kind of file."""
    alive = set()

    class Tracked(np.ndarray):
        def __del__(self):
            alive.discard(id(self))

    for suffix in (".mp4", ".gif", ""):
        most = 0
        with VideoWriter(tmp_path / f"a{suffix}", 25) as writer:
            for image in numbered(40):
                tracked = image.view(Tracked)
                alive.add(id(tracked))
                writer.write(tracked)
                del tracked, image
                most = max(most, len(alive))
        assert most <= 3


def test_source_of_the_sound_may_have_none(tmp_path):
    silent = write_video(tmp_path / "silent.mp4", numbered(3))
    picture = tmp_path / "a.png"
    Image.fromarray(SMOOTH).save(picture)
    for source in (silent, picture, tmp_path):
        path = write(tmp_path / "out.mp4", numbered(3), audio_from=source, overwrite=True)
        assert not probe(path).has_audio


def test_threads_take_frames_not_slices(tmp_path):
    """x264 tells its settings in the file."""
    assert b"sliced_threads=0" in write(tmp_path / "a.mp4", numbered(3)).read_bytes()


ENCODE = """
import sys
import numpy as np
from animate.video.encode import VideoWriter

chance = np.random.default_rng(0)
ground = np.kron(chance.integers(0, 256, (36, 50, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
with VideoWriter(sys.argv[1], 25) as writer:
    for number in range(12):
        writer.write(np.roll(ground, 3 * number, axis=1))
"""


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".gif"])
def test_pixels_do_not_depend_on_what_lay_in_memory(tmp_path, suffix):
    """glibc fills memory with a byte before a program gets it, and with its complement after."""
    shown = []
    for byte in (0, 1):
        path = tmp_path / f"{byte}{suffix}"
        environment = {**os.environ, "MALLOC_PERTURB_": str(byte)}
        subprocess.run([sys.executable, "-c", ENCODE, str(path)], check=True, env=environment)
        shown.append(np.stack([frame.image for frame in stream(path)]))
    np.testing.assert_array_equal(*shown)
