import numpy as np
import pytest
from clip_files import flat, level, levels, write_frames, write_gif, write_strip, write_video
from PIL import Image

import animate.data.clips
from animate.data.clips import ClipCache, ExcerptSource, FrameStore, open_clip
from animate.data.index import FolderIndex
from animate.video.decode import FrameError
from spoiled import spoil_packets


@pytest.fixture
def clips(tmp_path):
    """A clip of every layout, 12 frames each."""
    write_video(tmp_path / "train/video.mp4", 12)
    write_gif(tmp_path / "train/animation.gif", 12)
    write_frames(tmp_path / "train/frames", 12)
    write_strip(tmp_path / "train/strip.png", 12)
    return {clip.path.stem: clip for clip in FolderIndex(tmp_path).clips("train")}


@pytest.fixture
def decodes(monkeypatch):
    """The (name, last frame) of each decode of a file that cannot seek."""
    seen = []
    read_frames, read_image = animate.data.clips.read_frames, animate.data.clips.read_image

    def reading(path, indices, info, size):
        seen.append((path.name, max(indices)))
        return read_frames(path, indices, info, size)

    def picture(path):
        seen.append((path.name, None))
        return read_image(path)

    monkeypatch.setattr(animate.data.clips, "read_frames", reading)
    monkeypatch.setattr(animate.data.clips, "read_image", picture)
    return seen


LAYOUTS = ["video", "animation", "frames", "strip"]


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("name", LAYOUTS)
def test_exactly_these_frames(clips, name, cached):
    reader = ClipCache().open(clips[name]) if cached else open_clip(clips[name])
    for wanted in ([0], [11, 3, 3, 7], [10, 2], [5]):
        frames = reader.frames(wanted, None)
        assert frames.dtype == np.uint8
        assert frames.shape == (len(wanted), *clips[name].size, 3)
        assert levels(frames) == wanted
        np.testing.assert_allclose(frames[0], level(wanted[0]), atol=3)


@pytest.mark.parametrize("name", LAYOUTS)
def test_size_is_height_then_width(clips, name):
    assert open_clip(clips[name]).frames([4, 1], (10, 20)).shape == (2, 10, 20, 3)


@pytest.mark.parametrize("name", LAYOUTS)
def test_frames_that_are_not_there(clips, name):
    reader = open_clip(clips[name])
    for wanted in ([12], [0, 99], [-1]):
        with pytest.raises(FrameError, match=f"12 frames, frame {wanted[-1]}"):
            reader.frames(wanted, None)


@pytest.mark.parametrize("name", LAYOUTS)
def test_nothing_is_annotated_yet(clips, name):
    assert open_clip(clips[name]).truth([0], (8, 8)) == {}


def test_a_picture_that_vanished(clips):
    (clips["frames"].path / "11.png").unlink()
    with pytest.raises(FrameError):
        open_clip(clips["frames"]).frames([11], None)


def test_a_damaged_picture(clips):
    whole = (clips["frames"].path / "3.png").read_bytes()
    (clips["frames"].path / "3.png").write_bytes(whole[:50])
    reader = open_clip(clips["frames"])
    assert levels(reader.frames([2, 4], None)) == [2, 4]
    with pytest.raises(FrameError, match=r"3\.png"):
        reader.frames([3], None)


def test_a_damaged_gif_still_gives_its_other_frames(tmp_path):
    path = write_gif(
        tmp_path / "train/x.gif",
        8,
        lambda i: np.roll(np.arange(3072).reshape(32, 32, 3) % 251, i, 0).astype(np.uint8),
    )
    clip = FolderIndex(tmp_path).clips("train")[0]
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    reader = ClipCache().open(clip)
    assert reader.frames([0], None).shape == (1, 32, 32, 3)
    with pytest.raises(FrameError):
        reader.frames([7], None)


def test_a_damaged_video_frame(clips):
    spoil_packets(clips["video"].path, [11])
    reader = open_clip(clips["video"])
    assert levels(reader.frames([0, 5], None)) == [0, 5]
    with pytest.raises(FrameError):
        reader.frames(list(range(12)), None)


def test_a_strip_that_shrank(clips):
    write_strip(clips["strip"].path, 3)
    with pytest.raises(FrameError, match="no longer a strip"):
        open_clip(clips["strip"]).frames([0], None)


def test_mixed_sizes_become_that_of_the_first(tmp_path):
    folder = write_frames(tmp_path / "train/x", 3)
    Image.fromarray(flat(1, (64, 64))).save(folder / "1.png")
    clip = FolderIndex(tmp_path).clips("train")[0]
    assert clip.size == (32, 48)
    frames = open_clip(clip).frames([0, 1, 2], None)
    assert frames.shape == (3, 32, 48, 3)
    assert levels(frames) == [0, 1, 2]


def test_frames_are_upright(tmp_path):
    (tmp_path / "train/x").mkdir(parents=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(flat(0, (20, 40))).save(tmp_path / "train/x/0.jpg", exif=exif)
    clip = FolderIndex(tmp_path).clips("train")[0]
    assert clip.size == (40, 20)
    assert open_clip(clip).frames([0], None).shape == (1, 40, 20, 3)


@pytest.mark.parametrize("name", LAYOUTS)
def test_excerpt(clips, name):
    whole = clips[name]
    part = type(whole)("part", "s", whole.path, 4, True, 25.0, whole.size, ExcerptSource(whole.reader, 5, 12))
    for reader in (open_clip(part), ClipCache().open(part)):
        assert levels(reader.frames([3, 0], None)) == [8, 5]
        with pytest.raises(FrameError, match="part: has 4 frames"):
            reader.frames([4], None)


def test_gif_is_decoded_up_to_the_later_frame_and_only_once(clips, decodes):
    reader = ClipCache().open(clips["animation"])
    reader.frames([4, 2], (8, 8))
    assert decodes == [("animation.gif", 4)]
    reader.frames([0, 1, 3], (8, 8))
    assert len(decodes) == 1
    reader.frames([6], (8, 8))
    reader.frames([5], (8, 8))
    assert decodes[1:] == [("animation.gif", 6)]


def test_strip_is_decoded_once(clips, decodes):
    reader = ClipCache().open(clips["strip"])
    for i in (3, 0, 11):
        assert levels(reader.frames([i], (8, 8))) == [i]
    assert len(decodes) == 1


def test_excerpts_share_what_their_file_decoded(clips, decodes):
    whole = clips["animation"]
    part = type(whole)("part", "s", whole.path, 4, True, 25.0, whole.size, ExcerptSource(whole.reader, 5, 12))
    cache = ClipCache()
    cache.open(whole).frames([11], (8, 8))
    cache.open(part).frames([0], (8, 8))
    assert len(decodes) == 1


def test_a_clip_larger_than_the_budget_is_not_kept(clips, decodes):
    cache = ClipCache(max_bytes=12 * 8 * 8 * 3 - 1)
    reader = cache.open(clips["animation"])
    assert levels(reader.frames([4, 2], (8, 8))) == [4, 2]
    assert levels(reader.frames([4, 2], (8, 8))) == [4, 2]
    assert len(decodes) == 2


def test_opened_readers_are_bounded_and_the_oldest_goes(clips):
    cache = ClipCache(max_readers=2)
    video = cache.open(clips["video"])
    strip = cache.open(clips["strip"])
    assert cache.open(clips["video"]) is video
    cache.open(clips["frames"])
    assert cache.open(clips["video"]) is video
    assert cache.open(clips["strip"]) is not strip


def test_store_counts_its_bytes():
    store = FrameStore(max_bytes=100)
    frame = np.zeros((5, 2, 3), np.uint8)
    keys = [("x", i, (5, 2)) for i in range(4)]
    for key in keys[:3]:
        store.put(key, frame)
    assert store.nbytes == 90
    assert store.get(keys[0]) is not None
    store.put(keys[3], frame)
    assert store.nbytes == 90
    assert store.get(keys[1]) is None
    assert store.get(keys[0]) is not None
    store.put(keys[0], frame)
    assert store.nbytes == 90


def test_stored_frames_own_their_memory(clips):
    """A view into the decoded whole would keep more alive than the store counts."""
    for name in ("animation", "strip"):
        cache = ClipCache()
        cache.open(clips[name]).frames([5], None)
        assert all(frame.base is None for frame in cache._store._frames.values())
