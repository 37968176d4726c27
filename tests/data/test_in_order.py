from dataclasses import replace

import numpy as np
import pytest
from clip_files import levels, write_frames, write_gif, write_strip, write_video

from animate.data.clips import ClipCache, ExcerptSource
from animate.data.in_order import check_whole, in_order
from animate.data.index import FolderIndex
from animate.errors import UserError
from animate.video.decode import count_good, stream
from animate.video.probe import probe
from spoiled import spoil_packets

LAYOUTS = ["video", "animation", "frames", "strip"]


@pytest.fixture
def clips(tmp_path):
    """A clip of every layout, 12 frames each."""
    write_video(tmp_path / "train/video.mp4", 12)
    write_gif(tmp_path / "train/animation.gif", 12)
    write_frames(tmp_path / "train/frames", 12)
    write_strip(tmp_path / "train/strip.png", 12)
    return {clip.path.stem: clip for clip in FolderIndex(tmp_path).clips("train")}


def read(clip, count=5, size=None):
    return list(in_order(clip, ClipCache().open(clip), count, size))


def excerpt(clip, start, stop):
    return replace(clip, num_frames=stop - start, reader=ExcerptSource(clip.reader, start, clip.num_frames))


@pytest.mark.parametrize("name", LAYOUTS)
def test_all_frames_in_order_a_few_at_a_time(clips, name):
    chunks = read(clips[name])
    assert [len(chunk) for chunk in chunks] == [5, 5, 2]
    assert levels(np.concatenate(chunks)) == list(range(12))
    check_whole(clips[name])


@pytest.mark.parametrize("name", LAYOUTS)
def test_frames_of_a_size_are_those_that_a_reader_gives(clips, name):
    whole = np.concatenate(read(clips[name], size=(10, 20)))
    np.testing.assert_array_equal(whole, ClipCache().open(clips[name]).frames(range(12), (10, 20)))


@pytest.mark.parametrize("name", LAYOUTS)
def test_an_excerpt_begins_and_ends_where_it_says(clips, name):
    part = excerpt(clips[name], 3, 10)
    assert levels(np.concatenate(read(part))) == list(range(3, 10))
    check_whole(part)


def test_a_container_is_decoded_once_and_not_from_a_key_frame_for_each_chunk(clips, monkeypatch):
    """Seeking would decode the frames between the key frame and the chunk again."""
    monkeypatch.setattr("animate.data.clips.read_frames", None)
    assert len(read(clips["video"], count=1)) == 12


def test_a_video_that_breaks_in_the_middle_is_told_before_its_first_frame_is_used(clips):
    spoil_packets(clips["video"].path, [8])
    with pytest.raises(UserError, match=r"video.mp4: \d+ of 12 frames cannot be decoded"):
        check_whole(clips["video"])
    check_whole(excerpt(clips["video"], 0, 4))


def test_a_folder_with_a_torn_picture_is_told(clips):
    (clips["frames"].path / "9.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"9.png"):
        check_whole(clips["frames"])
    check_whole(excerpt(clips["frames"], 0, 9))


def test_good_frames_are_those_of_the_stream(clips):
    path = clips["video"].path
    spoil_packets(path, [2, 8])
    for start, stop in ((0, None), (0, 6), (4, 12)):
        assert count_good(probe(path), start, stop) == len(list(stream(path, start, stop)))
