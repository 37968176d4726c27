"""Exactly the frames that were asked for, decoding no more than the way to them from their key frames."""

from __future__ import annotations

import ctypes
import gc
import logging
from fractions import Fraction
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image
from video_files import gop, number_of, numbered, remux, write_video

from animate.errors import UserError
from animate.video import decode
from animate.video.decode import FrameError, read_frames, stream
from animate.video.image import resize
from animate.video.probe import probe

OPEN_GOP = gop(10, 3, ":open-gop=1")


@pytest.fixture
def count_decoded(monkeypatch):
    """How many frames came out of the decoder so far."""
    counted = []
    decoded = decode._Reader._decoded

    def counting(reader):
        for frame in decoded(reader):
            counted.append(frame.pts)
            yield frame

    monkeypatch.setattr(decode._Reader, "_decoded", counting)
    return counted


def numbers(images):
    return [number_of(image) for image in images]


KINDS = {
    "one key frame, no B": ("a.mp4", "libx264", gop(250)),
    "closed GOPs with B": ("a.mp4", "libx264", gop(10, 3)),
    "open GOPs with B": ("a.mp4", "libx264", OPEN_GOP),
    "open GOPs in mkv": ("a.mkv", "libx264", OPEN_GOP),
    "open GOPs in ts": ("a.ts", "libx264", OPEN_GOP),
    "HEVC open": ("a.mp4", "libx265", {"x265-params": "keyint=10:open-gop=1:bframes=3:log-level=none"}),
    "VP9": ("a.webm", "libvpx-vp9", {"g": "10", "deadline": "realtime", "cpu-used": "8"}),
    "MPEG-4 in avi": ("a.avi", "mpeg4", {"g": "10"}),
    "MPEG-4 with B in avi": ("a.avi", "mpeg4", {"g": "10", "bf": "2"}),
    "MPEG-2 with B in ts": ("a.ts", "mpeg2video", {"g": "10", "bf": "2"}),
    "intra refresh": ("a.mp4", "libx264", gop(10, 0, ":intra-refresh=1")),
    "no time stamps": ("a.h264", "libx264", gop(10, 2)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_frame_numbers(tmp_path, kind):
    name, codec, options = KINDS[kind]
    path = write_video(tmp_path / name, numbered(45), codec=codec, options=options)
    info = probe(path)
    assert info.num_frames == 45
    for wanted in ([0], [44], [9], [10], [11], [29, 8, 29, 0], [19, 20], [44, 43, 0, 22], list(range(45))):
        assert numbers(read_frames(path, wanted, info)) == wanted
    assert numbers(frame.image for frame in stream(path)) == list(range(45))
    assert numbers(frame.image for frame in stream(path, 17, 33)) == list(range(17, 33))


def test_only_needed_frames_are_decoded(tmp_path, count_decoded):
    path = write_video(tmp_path / "a.mp4", numbered(200), options=gop(20))
    info = probe(path)
    assert numbers(read_frames(path, [25, 187], info)) == [25, 187]
    assert len(count_decoded) <= 6 + 8 + 2
    del count_decoded[:]
    assert numbers(read_frames(path, [199, 3], info)) == [199, 3]
    assert len(count_decoded) <= 4 + 20 + 2
    del count_decoded[:]
    assert numbers(f.image for f in stream(path, 145, 147)) == [145, 146]
    assert len(count_decoded) <= 10


def test_only_needed_frames_are_decoded_with_b_frames(tmp_path, count_decoded):
    path = write_video(tmp_path / "a.mp4", numbered(200), options=OPEN_GOP)
    assert numbers(read_frames(path, [95, 185], probe(path))) == [95, 185]
    assert len(count_decoded) <= 2 * 14


def test_frames_that_nobody_wants_and_nothing_is_built_on_are_passed_over(tmp_path, count_decoded):
    path = write_video(tmp_path / "a.mp4", numbered(60), options=gop(250, 3, ":b-adapt=0"))
    info = probe(path)
    assert numbers(read_frames(path, [50], info)) == [50]
    assert len(count_decoded) < 40
    every = np.stack([frame.image for frame in stream(path)])
    for number in range(48, 56):  # frames of every type
        np.testing.assert_array_equal(read_frames(path, [number], info)[0], every[number])


def test_not_seekable_stops_at_the_last_needed_frame(tmp_path, count_decoded):
    path = tmp_path / "a.gif"
    pictures = [Image.fromarray(image) for image in numbered(30)]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=100)
    assert numbers(read_frames(path, [12, 4])) == [12, 4]
    assert len(count_decoded) == 13


def test_neighbouring_stretches_do_not_decode_twice(tmp_path, count_decoded):
    path = write_video(tmp_path / "a.mp4", numbered(60), options=gop(10))
    assert numbers(read_frames(path, range(60), probe(path))) == list(range(60))
    assert len(count_decoded) == 60


def test_variable_frame_rate_and_times(tmp_path):
    times = [Fraction(n, 1000) for n in (0, 33, 66, 500, 540, 1000, 1033, 2000)]
    path = write_video(tmp_path / "a.mp4", numbered(8), times=times, options=gop(4, 2))
    assert numbers(read_frames(path, [7, 3, 4])) == [7, 3, 4]
    assert [frame.time for frame in stream(path)] == times


@pytest.mark.parametrize("shift", [Fraction(2), Fraction(-1)])
def test_clock_that_does_not_start_at_zero(tmp_path, shift):
    path = write_video(tmp_path / "a.mkv", numbered(50), options=gop(10))
    moved = remux(path, tmp_path / "b.ts", shift)
    assert numbers(read_frames(moved, [0, 31, 49])) == [0, 31, 49]
    assert next(stream(moved)).time == shift


def test_edit_list_hides_frames(tmp_path):
    path = write_video(tmp_path / "a.mp4", numbered(30), options=gop(15))
    cut = remux(path, tmp_path / "b.mp4", Fraction(-4, 25))
    assert numbers(read_frames(cut, [0, 10, 11, 25])) == [4, 14, 15, 29]
    assert numbers(f.image for f in stream(cut)) == list(range(4, 30))


def test_order_repeats_and_nothing(tmp_path):
    path = write_video(tmp_path / "a.mp4", numbered(6))
    assert numbers(read_frames(path, [5, 0, 5])) == [5, 0, 5]
    empty = read_frames(path, [])
    assert (empty.shape, empty.dtype) == ((0, 48, 64, 3), np.uint8)
    assert numbers(read_frames(path, np.array([2, 1]))) == [2, 1]


def test_frames_that_are_not_there_are_named(tmp_path):
    path = write_video(tmp_path / "a.mp4", numbered(6))
    with pytest.raises(FrameError, match=r"a\.mp4 has frames 0 to 5, not -1, 6, 9"):
        read_frames(path, [0, 9, 6, -1])
    with pytest.raises(FrameError, match="cannot start at frame 6"):
        next(stream(path, 6))


def test_size_is_resized_like_image_resize(tmp_path):
    rng = np.random.default_rng(0)
    smooth = resize(rng.integers(0, 255, (6, 8, 3), np.uint8), (96, 128))
    path = write_video(tmp_path / "a.mp4", [smooth] * 2, pix_fmt="yuv444p", options={"crf": "0"})
    whole = read_frames(path, [1])[0]
    for size in ((32, 32), (96, 64), (192, 256), (48, 200)):
        got = read_frames(path, [1], size=size)[0]
        assert got.shape == (*size, 3)
        assert np.abs(got.astype(float) - resize(whole, size)).mean() < 1.0


def test_jpeg_named_mp4_is_a_video_of_one_frame(tmp_path):
    Image.fromarray(numbered(8)[7]).save(tmp_path / "a.mp4", "JPEG")
    assert numbers(read_frames(tmp_path / "a.mp4", [0])) == [7]
    assert numbers(f.image for f in stream(tmp_path / "a.mp4")) == [7]


def test_one_and_two_frames(tmp_path):
    for count in (1, 2):
        path = write_video(tmp_path / f"{count}.mp4", numbered(count))
        assert numbers(read_frames(path, [count - 1])) == [count - 1]
        assert numbers(f.image for f in stream(path)) == list(range(count))


def damage(path, first, last):
    """Fill the payload between two shares of the file with zeros."""
    data = bytearray(path.read_bytes())
    start, end = int(first * len(data)), int(last * len(data))
    data[start:end] = bytes(end - start)
    path.write_bytes(data)


def noisy(count):
    rng = np.random.default_rng(1)
    noise = rng.integers(-30, 30, (count, 48, 64, 3))
    return list(np.clip(np.stack(numbered(count)).astype(int) + noise, 0, 255).astype(np.uint8))


def test_damage_in_the_middle(tmp_path, caplog):
    path = write_video(tmp_path / "a.mp4", noisy(60), options=gop(10), container={"movflags": "+faststart"})
    damage(path, 0.45, 0.6)
    info = probe(path)
    assert info.num_frames == 60
    with caplog.at_level(logging.WARNING):
        seen = [(number_of(f.image), round(f.time * 25)) for f in stream(path)]
    assert 40 <= len(seen) < 60
    # The frames of the key frame groups that were not touched are right and keep their times.
    whole = [*range(20), *range(50, 60)]
    assert [pair for pair in seen if pair[1] in whole] == [(n, n) for n in whole]
    assert f"{path}: {60 - len(seen)} of 60 frames are damaged" in caplog.text
    assert numbers(read_frames(path, [3, 55], info)) == [3, 55]
    lost = sorted(set(range(60)) - {time for _, time in seen})
    with pytest.raises(FrameError, match=f"frame {lost[0]} cannot be decoded"):
        read_frames(path, [3, lost[0]], info)


def test_cut_off_behind_its_index(tmp_path, caplog):
    path = write_video(tmp_path / "a.mp4", noisy(60), container={"movflags": "+faststart"})
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.6)])
    info = probe(path)
    assert 10 < info.num_frames < 60
    seen = numbers(f.image for f in stream(path))
    assert len(seen) >= info.num_frames - 1
    assert seen == sorted(seen)
    if len(seen) < info.num_frames:
        assert "damaged" in caplog.text


def test_stream_of_pictures(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for n, image in enumerate(numbered(12)):
        Image.fromarray(image).save(folder / f"{n}.{'png' if n % 2 else 'jpg'}", quality=95)
    (folder / "notes.txt").write_text("not a picture")
    seen = list(stream(folder))
    assert numbers(f.image for f in seen) == list(range(12))
    assert [f.time for f in seen] == [Fraction(n, 25) for n in range(12)]
    assert numbers(f.image for f in stream(folder, 3, 5)) == [3, 4]
    assert [number_of(f.image) for f in stream(folder / "7.png")] == [7]


def test_folders_that_are_no_stream(tmp_path):
    with pytest.raises(UserError, match="holds no pictures"):
        next(stream(tmp_path))
    Image.fromarray(numbered(1)[0]).save(tmp_path / "1.png")
    Image.fromarray(numbered(1, 50, 50)[0]).save(tmp_path / "2.png")
    with pytest.raises(UserError, match=r"2\.png differs in size"):
        list(stream(tmp_path))


def test_stream_opens_lazily_and_closes(tmp_path):
    path = write_video(tmp_path / "a.mp4", numbered(50))
    frames = stream(path)
    next(frames)
    frames.close()
    path.unlink()


class _Allocated(ctypes.Structure):
    """What ``mallinfo2`` of GNU's C library tells."""

    _fields_: ClassVar = [(f"field{number}", ctypes.c_size_t) for number in range(10)]

    @classmethod
    def now(cls):
        """Kilobytes in use; its fields are ``hblkhd`` and ``uordblks``."""
        gc.collect()
        library = ctypes.CDLL(None)
        library.mallinfo2.restype = cls
        told = library.mallinfo2()
        return (told.field4 + told.field7) / 1024


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="only the GNU library tells")
def test_reading_again_and_again_takes_no_more_memory(tmp_path):
    path = write_video(tmp_path / "a.mp4", numbered(8))
    info = probe(path)
    for _ in range(200):
        read_frames(path, [2, 5], info)
    before = _Allocated.now()
    for _ in range(1000):
        read_frames(path, [2, 5], info)
    assert _Allocated.now() - before < 70  # demuxers that were not closed leave 140
