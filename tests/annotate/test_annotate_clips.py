"""Clips into sidecars: every frame in its place, broken ones named, nothing done twice."""

from __future__ import annotations

import os

import av
import numpy as np
import pytest

from animate.annotate import backends, kinds
from animate.annotate.find import find_clips
from animate.annotate.frames import ClipFrames, Clock, batched
from animate.annotate.protocols import Box, Identity, Pose
from animate.annotate.runner import ClipAnnotator, Job
from animate.errors import UserError
from animate.sidecars import Sidecar
from animate.video.encode import VideoWriter
from animate.video.image import write_image
from spoiled import spoil_packets

SIZE = (32, 48)


def grey(number):
    """A picture that tells its number by its grey."""
    return np.full((*SIZE, 3), 10 + 8 * (number % 30), np.uint8)


def numbers_in(frames):
    return np.rint((frames.mean(axis=(1, 2, 3)) - 10) / 8).astype(int)


class Counting:
    """Says which frame it sees; finds nothing in every fifth. Stands for all four kinds of back-end."""

    name, version, layout, threshold = "counting", "1", "two", 0.5

    def __init__(self):
        self.seen = []
        self.stop_at = None

    def look(self, frames):
        numbers = numbers_in(frames)
        self.seen += numbers.tolist()
        if self.stop_at in self.seen:
            raise KeyboardInterrupt
        return numbers


class Points(Counting):
    def __call__(self, frames):
        numbers = self.look(frames)
        found = np.repeat((numbers % 5 != 4)[:, None], 2, axis=1)
        points = np.repeat(numbers[:, None, None] / 100, 2, axis=1).repeat(2, axis=2) * found[..., None]
        return Pose("two", points.astype(np.float32), found, found.astype(np.float32))


class Boxes(Counting):
    def __call__(self, frames):
        return [[Box(-1, -1, n / 100, 1, 0.5)] * (n % 3) for n in self.look(frames)]


class Names(Counting):
    def __call__(self, frames):
        numbers = self.look(frames)
        found = numbers % 5 != 4
        return Identity((numbers[:, None] * found[:, None]).repeat(3, axis=1).astype(np.float32), found)


class Mattes(Counting):
    def __call__(self, frames):
        numbers = self.look(frames)
        return np.ones((len(frames), *SIZE), np.float32) * numbers[:, None, None] / 20


def write_clip(path, count=12):
    with VideoWriter(path, 25) as writer:
        for number in range(count):
            writer.write(grey(number))
    return path


def annotate(path, backend, kind=kinds.LANDMARKS, folder=None, overwrite=False):
    """Annotate every clip under a path; by name, what became of each, and the steps of the progress."""
    annotator = ClipAnnotator(kind, backend, folder, overwrite)
    results, steps = {}, {}
    for clip in find_clips(path).clips:
        generator, steps[clip.name] = annotator(clip), []
        while clip.name not in results:
            try:
                steps[clip.name].append(next(generator))
            except StopIteration as end:
                results[clip.name] = end.value
    return results, steps


def test_points_of_each_frame_lie_at_its_number(tmp_path):
    clip = write_clip(tmp_path / "a.mp4")
    results, steps = annotate(clip, Points())
    done = results["a.mp4"]
    assert done.path == tmp_path / "a.mp4.landmarks.counting.npz"
    assert sum(steps["a.mp4"]) == 12
    with Sidecar(done.path) as sidecar:
        expected = [n / 100 if n % 5 != 4 else 0 for n in range(12)]
        np.testing.assert_allclose(sidecar.array("points")[:, 1, 0], expected, atol=1e-6)
        assert sidecar.array("found")[:, 0].tolist() == [n % 5 != 4 for n in range(12)]
        header = sidecar.header
    assert (header.num_frames, header.size, header.found, header.layout) == (12, SIZE, 10, "two")
    assert header.broken == {}


def test_boxes_names_and_mattes(tmp_path):
    clip = write_clip(tmp_path / "a.mp4", 6)
    boxes = annotate(clip, Boxes(), kinds.FACES)[0]["a.mp4"]
    with Sidecar(boxes.path) as sidecar:
        assert sidecar.array("frame").tolist() == [1, 2, 2, 4, 5, 5]
        np.testing.assert_allclose(sidecar.array("boxes")[:, 2], [0.01, 0.02, 0.02, 0.04, 0.05, 0.05])
        assert sidecar.header.found == 4
    names = annotate(clip, Names(), kinds.IDENTITY)[0]["a.mp4"]
    with Sidecar(names.path) as sidecar:
        np.testing.assert_allclose(sidecar.array("embedding")[:, 0], [0, 1, 2, 3, 0, 5])
        assert sidecar.header.found == 5
    mattes = annotate(clip, Mattes(), kinds.MATTES)[0]["a.mp4"]
    with Sidecar(mattes.path) as sidecar:
        for number in range(6):
            np.testing.assert_allclose(sidecar.matte(number), number / 20, atol=0.5 / 255 + 1e-6)


def test_broken_frames_are_named_and_marked_not_found(tmp_path):
    clip = tmp_path / "a.mp4"
    with av.open(str(clip), "w") as output:
        stream = output.add_stream("mjpeg", rate=25)  # each frame by itself, so that only those are broken
        stream.height, stream.width = SIZE
        stream.pix_fmt = "yuvj420p"
        for number in range(10):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(grey(number), format="rgb24")))
        output.mux(stream.encode(None))
    spoil_packets(clip, [3, 7])
    results, steps = annotate(clip, Points())
    header = results["a.mp4"].header
    assert list(header.broken) == [3, 7]
    assert sum(steps["a.mp4"]) == 10
    with Sidecar(results["a.mp4"].path) as sidecar:
        found = sidecar.array("found")[:, 0]
        np.testing.assert_allclose(sidecar.array("points")[:, 0, 0][found], np.flatnonzero(found) / 100)
        assert found.tolist() == [n not in (3, 4, 7, 9) for n in range(10)]


def test_a_frame_folder_with_a_damaged_picture_and_another_size(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in range(4):
        image = grey(number) if number != 2 else np.full((20, 20, 3), 10 + 8 * 2, np.uint8)
        write_image(folder / f"{number}.png", image)
    (folder / "1.png").write_bytes((folder / "1.png").read_bytes()[:60])
    backend = Points()
    done = annotate(folder, backend)[0]["frames"]
    assert backend.seen == [0, 2, 3]
    assert list(done.header.broken) == [1]
    assert "1.png is damaged" in done.header.broken[1]
    assert str(tmp_path) not in done.header.broken[1]
    with Sidecar(done.path) as sidecar:
        assert sidecar.array("found")[:, 0].tolist() == [True, False, True, True]


def test_strips_and_single_pictures(tmp_path):
    strip = np.concatenate([np.full((16, 16, 3), 10 + 8 * n, np.uint8) for n in range(5)], axis=1)
    write_image(tmp_path / "strip.png", strip)
    write_image(tmp_path / "still.png", grey(3))
    backend = Points()
    assert annotate(tmp_path / "strip.png", backend)[0]["strip.png"].header.num_frames == 5
    assert annotate(tmp_path / "still.png", backend)[0]["still.png"].header.size == SIZE
    assert backend.seen == [0, 1, 2, 3, 4, 3]


def test_what_is_done_is_not_done_again_unless_asked(tmp_path):
    clip, backend = write_clip(tmp_path / "a.mp4", 6), Points()
    assert not annotate(clip, backend)[0]["a.mp4"].done_before
    again, steps = annotate(clip, backend)
    assert again["a.mp4"].done_before
    assert again["a.mp4"].header.found == 5
    assert steps["a.mp4"] == [6]
    assert len(backend.seen) == 6
    assert not annotate(clip, backend, overwrite=True)[0]["a.mp4"].done_before
    assert len(backend.seen) == 12


def test_out_of_date_sidecars_are_made_anew_and_said_so(tmp_path):
    clip, backend = write_clip(tmp_path / "a.mp4", 6), Points()
    sidecar = annotate(clip, backend)[0]["a.mp4"].path
    backend.version = "2"
    assert "made by counting 1" in annotate(clip, backend)[0]["a.mp4"].stale
    write_clip(tmp_path / "b.mp4", 8).replace(clip)
    newer = annotate(clip, backend)[0]["a.mp4"]
    assert "the clip has changed" in newer.stale
    assert newer.header.num_frames == 8
    sidecar.write_bytes(b"damage")
    assert "damaged" in annotate(clip, backend)[0]["a.mp4"].stale
    assert not annotate(clip, backend)[0]["a.mp4"].stale


def test_the_cache_follows_the_content_not_the_name(tmp_path):
    clip, backend = write_clip(tmp_path / "a.mp4", 4), Points()
    cache = tmp_path / "not" / "there" / "yet"
    first = annotate(clip, backend, folder=cache)[0]["a.mp4"]
    moved = clip.rename(tmp_path / "moved.mp4")
    second = annotate(moved, backend, folder=cache)[0]["moved.mp4"]
    assert (second.done_before, second.path) == (True, first.path)
    assert first.path.parent == cache


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    for number in range(3):
        write_clip(data / f"{number}.mp4", 5 + number)
    backend = Points()
    backend.stop_at = 6  # only the last clip has a frame of that number
    with pytest.raises(KeyboardInterrupt):
        annotate(data, backend)
    left = sorted(p.name for p in data.iterdir() if p.suffix == ".npz")
    assert left == ["0.mp4.landmarks.counting.npz", "1.mp4.landmarks.counting.npz"]
    assert not list(data.glob(".*part*"))
    backend.stop_at, backend.seen = None, []
    results, _ = annotate(data, backend)
    assert [results[f"{n}.mp4"].done_before for n in range(3)] == [True, True, False]
    assert backend.seen == list(range(7))


def test_memory_does_not_grow_with_the_clip(tmp_path):
    clip = find_clips(write_clip(tmp_path / "a.mp4", 100)).clips[0]
    sizes = [len(batch.numbers) for batch in batched(ClipFrames(clip).read())]
    assert sizes == [32, 32, 32, 4]
    large = (frame._replace(image=np.zeros((2160, 3840, 3), np.uint8)) for frame in ClipFrames(clip).read())
    assert len(next(batched(large)).numbers) == 2


def test_a_range_of_a_clip(tmp_path):
    clip = find_clips(write_clip(tmp_path / "a.mp4", 12)).clips[0]
    frames = list(ClipFrames(clip, 5, 9).read())
    assert [frame.number for frame in frames] == [5, 6, 7, 8]
    assert numbers_in(np.stack([frame.image for frame in frames])).tolist() == [5, 6, 7, 8]
    clock = Clock.of(clip)
    assert [float(frame.time) for frame in frames] == pytest.approx([clock.time(n) for n in range(5, 9)])
    assert clock.time(12) == pytest.approx(12 / 25)


def test_a_clip_of_which_nothing_decodes(tmp_path):
    clip = write_clip(tmp_path / "a.mp4", 4)
    found = find_clips(clip).clips[0]
    spoil_packets(clip, range(4))
    with pytest.raises(UserError):
        list(ClipAnnotator(kinds.LANDMARKS, Points())(found))
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(tmp_path):
    clip = write_clip(tmp_path / "a.mp4", 4)
    tmp_path.chmod(0o500)
    backend = Points()
    with pytest.raises(UserError, match="cannot be written"):
        annotate(clip, backend)
    assert backend.seen == []


def test_a_job_makes_its_back_end_by_name(tmp_path, monkeypatch):
    monkeypatch.setitem(backends.FACES, "boxes", Boxes)
    assert isinstance(Job("faces", "boxes", tmp_path)().backend, Boxes)
    with pytest.raises(UserError, match="no back-end 'nobody'"):
        Job("faces", "nobody")()
    with pytest.raises(UserError, match="no back-end 'nobody'"):
        Job("persons", "nobody")()


@pytest.fixture
def mixed(tmp_path):
    """A data folder with splits, groups, a list with ranges, sidecars and other files."""
    for split in ("train", "test"):
        (tmp_path / split / "group").mkdir(parents=True)
        write_clip(tmp_path / split / "a.mp4", 3)
        write_clip(tmp_path / split / "group" / "b.mp4", 3)
    (tmp_path / "train" / "notes.txt").write_text("x")
    (tmp_path / "train" / "broken.mp4").write_bytes(b"")
    (tmp_path / "train" / "a.mp4.pose.x.npz").write_bytes(b"")
    rows = ["train/a.mp4,train,0,2", "train/a.mp4,train,1,3", "test/a.mp4,test,,"]
    (tmp_path / "list.csv").write_text("\n".join(["path,split,start,stop", *rows]))
    return tmp_path


def test_clips_are_found_once(mixed):
    clips, problems = find_clips(mixed)
    assert sorted(clip.name for clip in clips) == [
        *("test/a.mp4", "test/group/b.mp4"),
        *("train/a.mp4", "train/group/b.mp4"),
    ]
    assert [line.split(":")[0] for line in problems] == ["train/broken.mp4"]
    assert {clip.name: clip.num_frames for clip in find_clips(mixed / "list.csv").clips} == {
        "train/a.mp4": 3,
        "test/a.mp4": 3,
    }
    assert sorted(clip.name for clip in find_clips(mixed / "train").clips) == ["a.mp4", "group/b.mp4"]


def test_nothing_to_find(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        find_clips(tmp_path / "none.mp4")
    (tmp_path / "a.txt").write_text("hello")
    with pytest.raises(UserError):
        find_clips(tmp_path)
    with pytest.raises(UserError, match="not a video"):
        find_clips(tmp_path / "a.txt")


def test_sidecars_beside_clips_are_no_clips(mixed):
    from animate.data.index import FolderIndex

    index = FolderIndex(mixed, max_broken_share=1.0)
    assert not [line for line in index.ignored if ".npz" in line]
