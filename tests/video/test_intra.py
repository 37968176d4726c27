"""Random access files: every frame is a key frame, parts join without loss, nothing half-written is left."""

from fractions import Fraction

import numpy as np
import pytest

from animate.errors import UserError
from animate.video.decode import read_frames, stream
from animate.video.intra import IntraWriter, join
from animate.video.probe import probe

SIZE = (64, 96)


def picture(number):
    """Coloured, with fine detail, and telling its number."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    image = np.stack([(x * 2 + number * 5) % 256, (y * 3) % 256, np.full_like(x, 10 * number % 256)], axis=-1)
    return image.astype(np.uint8)


def failing():
    yield 0
    raise ValueError("no frame")


def write(path, numbers, fps=25):
    with IntraWriter(path, fps, SIZE) as writer:
        for number in numbers:
            writer.write(picture(number))
    return path


def test_every_frame_is_a_key_frame_close_to_the_original(tmp_path):
    info = probe(write(tmp_path / "a.mp4", range(12), Fraction(30000, 1001)))
    assert info.num_frames == 12
    assert info.keyframes.tolist() == list(range(12))
    assert (info.height, info.width, info.fps) == (*SIZE, Fraction(30000, 1001))
    for number in (11, 0, 5):
        got = read_frames(tmp_path / "a.mp4", [number], info)[0].astype(float)
        error = np.mean((got - picture(number)) ** 2)
        assert 10 * np.log10(255**2 / error) > 35


def test_parts_are_joined_frame_for_frame(tmp_path):
    parts = [write(tmp_path / f"{n}.mp4", range(6 * n, 6 * n + 6)) for n in range(3)]
    assert join(parts, [(2, 6), (0, 6), (0, 1)], tmp_path / "all.mp4") == 11
    info = probe(tmp_path / "all.mp4")
    assert info.num_frames == 11
    np.testing.assert_allclose(np.diff(info.times), 1 / 25, atol=1e-6)
    expected = np.concatenate(
        [read_frames(parts[0], range(2, 6)), read_frames(parts[1], range(6)), read_frames(parts[2], [0])]
    )
    np.testing.assert_array_equal(read_frames(tmp_path / "all.mp4", range(11)), expected)
    np.testing.assert_array_equal([f.image for f in stream(tmp_path / "all.mp4", 3, 8)], expected[3:8])


def test_a_failure_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="no frame"):
        write(tmp_path / "a.mp4", failing())
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UserError, match="does not exist"):
        write(tmp_path / "no" / "a.mp4", [0])
    (tmp_path / "bad.mp4").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"all\.mp4 cannot be written"):
        join([tmp_path / "bad.mp4"], [(0, 1)], tmp_path / "all.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.mp4"]


def test_a_link_stays_and_what_it_leads_to_is_written(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "link.mp4").symlink_to("disk/real.mp4")
    assert probe(write(tmp_path / "link.mp4", range(3))).num_frames == 3
    assert (tmp_path / "link.mp4").is_symlink()
    assert [path.name for path in (tmp_path / "disk").iterdir()] == ["real.mp4"]
