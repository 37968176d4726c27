"""The file format: nothing is lost, nothing is pickled, and nothing out of date is taken for good."""

from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest

from animate.errors import UserError
from animate.sidecars import (
    Header,
    Key,
    Sidecar,
    SidecarError,
    StaleSidecarError,
    cache_folder,
    digest,
    matte_name,
    place,
    write_sidecar,
)

KEY = Key("pose", "drawn", "1.2", "ab" * 16)
HEADER = Header(KEY, 7, (48, 64), 5, "coco17", {2: "cannot be decoded", 4: "é is damaged"})


def write(path, header=HEADER, **arrays):
    with write_sidecar(path) as writer:
        for name, array in arrays.items():
            writer.add(name, array)
        writer.finish(header)
    return path


def test_arrays_and_header_come_back(tmp_path):
    points = np.random.default_rng(0).normal(size=(7, 17, 2)).astype(np.float32)
    found = points[..., 0] > 0
    path = write(tmp_path / "a.npz", points=points, found=found)
    with Sidecar(path, KEY) as sidecar:
        assert sidecar.header == HEADER
        np.testing.assert_array_equal(sidecar.array("points"), points)
        np.testing.assert_array_equal(sidecar.array("found"), found)
        with pytest.raises(SidecarError, match="score"):
            sidecar.array("score")


def test_numpy_alone_can_read_it(tmp_path):
    path = write(tmp_path / "a.npz", points=np.arange(6.0))
    with np.load(path, allow_pickle=False) as file:
        np.testing.assert_array_equal(file["points"], np.arange(6.0))
        header = json.loads(str(file["header"]))
    assert header["key"] == {"kind": "pose", "backend": "drawn", "version": "1.2", "content": "ab" * 16}
    assert header["size"] == [48, 64]


def test_equal_annotations_are_equal_files(tmp_path):
    one, other = (write(tmp_path / name, points=np.arange(6.0)) for name in ("a.npz", "b.npz"))
    assert one.read_bytes() == other.read_bytes()


def test_mattes_lose_less_than_a_grey_level_and_are_read_one_by_one(tmp_path):
    matte = np.random.default_rng(1).random((20, 30), dtype=np.float32)
    path = write(tmp_path / "m.npz", **{matte_name(3): np.rint(matte * 255).astype(np.uint8)})
    with Sidecar(path) as sidecar:
        read = sidecar.matte(3)
        assert read.dtype == np.float32
        assert np.abs(read - matte).max() <= 0.5 / 255 + 1e-6
        with pytest.raises(SidecarError):
            sidecar.matte(2)


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (Key("pose", "drawn", "1.2", "cd" * 16), "the clip has changed"),
        (Key("pose", "drawn", "1.3", "ab" * 16), r"made by drawn 1.2 .*not drawn 1.3"),
        (Key("pose", "other", "1.2", "ab" * 16), "not other 1.2"),
        (Key("landmarks", "drawn", "1.2", "ab" * 16), "landmarks"),
    ],
)
def test_out_of_date_is_an_error(tmp_path, key, reason):
    path = write(tmp_path / "a.npz")
    with pytest.raises(StaleSidecarError, match=reason):
        Sidecar(path, key)


def spoil_cut(path):
    path.write_bytes(path.read_bytes()[:-40])


def spoil_text(path):
    path.write_text("hello")


def spoil_empty(path):
    path.write_bytes(b"")


def spoil_no_header(path):
    np.savez(path, points=np.zeros(3))


def spoil_pickle(path):
    np.savez(path, header=np.array([{"a": 1}], dtype=object))


def spoil_plain_array(path):
    with path.open("wb") as file:
        np.save(file, np.zeros(3))


def spoil_other_format(path):
    np.savez(path, header=np.asarray(json.dumps({**json.loads(HEADER.dumps()), "format": 99})))


@pytest.mark.parametrize(
    "spoil",
    [
        *(spoil_cut, spoil_text, spoil_empty, spoil_no_header),
        *(spoil_pickle, spoil_plain_array, spoil_other_format),
    ],
)
def test_damage_is_one_line(tmp_path, spoil):
    path = write(tmp_path / "a.npz", points=np.zeros((7, 17, 2)))
    spoil(path)
    with pytest.raises(SidecarError, match=r"a\.npz is damaged"):
        Sidecar(path, KEY)


def test_damaged_array_is_noticed_when_it_is_read(tmp_path):
    path = write(tmp_path / "a.npz", points=np.random.default_rng(0).normal(size=5000))
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("points.npy").header_offset + 200
    content = bytearray(path.read_bytes())
    content[start : start + 500] = bytes(500)
    path.write_bytes(content)
    with Sidecar(path, KEY) as sidecar, pytest.raises(SidecarError, match="damaged"):
        sidecar.array("points")


def test_missing_is_told_apart_from_damaged(tmp_path):
    with pytest.raises(FileNotFoundError):
        Sidecar(tmp_path / "none.npz", KEY)


def test_half_written_leaves_the_old_one_and_nothing_else(tmp_path):
    path = write(tmp_path / "a.npz", points=np.arange(3.0))

    def fail():
        with write_sidecar(path) as writer:
            writer.add("points", np.zeros(1000))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.npz"]
    with Sidecar(path, KEY) as sidecar:
        assert len(sidecar.array("points")) == 3


def test_a_place_that_cannot_be_written_is_told_before_the_work(tmp_path):
    with pytest.raises(UserError, match="does not exist"), write_sidecar(tmp_path / "no" / "a.npz"):
        pytest.fail("the work began")


def test_digest_follows_the_content_not_the_name_of_a_file(tmp_path):
    one, other = tmp_path / "a.mp4", tmp_path / "b.mp4"
    one.write_bytes(b"12345678")
    other.write_bytes(b"12345678")
    same = digest([one])
    assert digest([other]) == same
    other.write_bytes(b"12345679")
    assert digest([other]) != same


def test_digest_of_a_folder_follows_names_and_content(tmp_path):
    first, second = tmp_path / "0.png", tmp_path / "1.png"
    first.write_bytes(b"x")
    second.write_bytes(b"y")
    seen = {digest([first, second])}
    first.write_bytes(b"y")
    second.write_bytes(b"x")
    seen.add(digest([first, second]))
    renamed = second.rename(tmp_path / "2.png")
    seen.add(digest([first, renamed]))
    assert len(seen) == 3


def test_places(tmp_path, monkeypatch):
    clip = tmp_path / "a.b.mp4"
    assert place(KEY, clip, None) == tmp_path / "a.b.mp4.pose.drawn.npz"
    assert place(KEY, clip, tmp_path / "x") == tmp_path / "x" / f"{'ab' * 16}.pose.drawn.npz"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "animate" / "annotations"
