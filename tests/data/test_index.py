import os
import pickle
from fractions import Fraction

import numpy as np
import pytest
from clip_files import levels, write_frames, write_gif, write_strip, write_video

import animate.data.index_cache
import animate.data.layouts
from animate.data.index import FolderIndex, subject_of
from animate.data.index_cache import CACHE_NAME
from animate.data.packed import PackedInfo
from animate.errors import UserError
from animate.video.probe import VideoInfo
from spoiled import spoil_packets


@pytest.fixture(autouse=True)
def _own_cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user-cache"))


@pytest.fixture
def root(tmp_path):
    """One clip of each layout in train/, one in test/."""
    root = tmp_path / "data"
    write_video(root / "train/b.mp4", 12)
    write_gif(root / "train/a.gif", 6)
    write_frames(root / "train/c", 11)
    write_strip(root / "train/d.png", 5)
    write_video(root / "test/e.mkv", 4)
    return root


@pytest.fixture
def probed(monkeypatch):
    """The names of files that were demuxed."""
    names = []
    probe = animate.data.layouts.probe

    def counting(path):
        names.append(path.name)
        return probe(path)

    monkeypatch.setattr(animate.data.layouts, "probe", counting)
    return names


def names(index, split="train"):
    return [clip.name for clip in index.clips(split)]


def test_every_layout_is_found_in_order(root):
    index = FolderIndex(root)
    facts = [(c.name, c.num_frames, c.exact, c.size) for c in index.clips("train")]
    assert facts == [
        ("a.gif", 6, False, (32, 48)),
        ("b.mp4", 12, False, (32, 48)),
        ("c", 11, True, (32, 48)),
        ("d.png", 5, True, (16, 16)),
    ]
    assert names(index, "test") == ["e.mkv"]
    assert index.splits == ("train", "test")
    assert index.clips("train")[1].fps == 25.0
    assert index.clips("train")[0].fps == pytest.approx(10.0)
    assert not index.problems


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "avi", "m4v"])
def test_containers(tmp_path, suffix):
    write_video(tmp_path / f"train/x.{suffix}", 7)
    clip = FolderIndex(tmp_path).clips("train")[0]
    assert clip.num_frames == 7
    assert levels(clip.reader.open(clip).frames([6, 0], None)) == [6, 0]


def test_webm_and_upper_case_suffix(tmp_path):
    write_video(tmp_path / "train/x.webm", 6, codec="libvpx-vp9")
    write_video(tmp_path / "train/y.mp4", 5).rename(tmp_path / "train/Y.MP4")
    assert [(c.name, c.num_frames) for c in FolderIndex(tmp_path).clips("train")] == [
        ("Y.MP4", 5),
        ("x.webm", 6),
    ]


def test_natural_order(tmp_path):
    for number in (10, 9, 1):
        write_strip(tmp_path / f"train/clip{number}.png")
    assert names(FolderIndex(tmp_path)) == ["clip1.png", "clip9.png", "clip10.png"]


def test_equal_stems_get_different_names(tmp_path):
    write_video(tmp_path / "train/x.mp4")
    write_gif(tmp_path / "train/x.gif")
    write_frames(tmp_path / "train/x")
    assert names(FolderIndex(tmp_path)) == ["x", "x.gif", "x.mp4"]


def test_strange_names(tmp_path):
    for name in ("a b=c, (1).mp4", "é漢#[x].mp4", "%d:100%.mp4", "-x.mp4"):
        write_video(tmp_path / "my data=é, 1" / "train" / name, 3)
    index = FolderIndex(tmp_path / "my data=é, 1")
    assert set(names(index)) == {"a b=c, (1).mp4", "é漢#[x].mp4", "%d:100%.mp4", "-x.mp4"}
    for clip in index.clips("train"):
        assert levels(clip.reader.open(clip).frames([2], None)) == [2]


def test_hidden_and_foreign_files(root):
    (root / "train/._b.mp4").write_bytes(b"x")
    (root / "train/.hidden").mkdir()
    write_video(root / "train/.hidden/x.mp4")
    (root / "train/notes.txt").write_text("x")
    (root / "train/c/.DS_Store").write_text("x")
    (root / "train/empty").mkdir()
    index = FolderIndex(root)
    assert names(index) == ["a.gif", "b.mp4", "c", "d.png"]
    assert index.clips("train")[2].num_frames == 11
    assert index.ignored == ["train/notes.txt: no video, strip or folder of frames"]
    assert not index.problems


def test_groups_are_searched_and_frame_folders_are_not(tmp_path):
    write_video(tmp_path / "train/person/a.mp4")
    write_strip(tmp_path / "train/person/thumbnail.png")
    write_frames(tmp_path / "train/person/b")
    write_frames(tmp_path / "train/person/b/masks")
    index = FolderIndex(tmp_path)
    assert names(index) == ["person/a.mp4", "person/b"]
    assert [text.split(":")[0] for text in index.ignored] == ["train/person/thumbnail.png"]


def test_a_single_picture_is_no_clip(root):
    write_strip(root / "train/still.png", n=1)
    index = FolderIndex(root)
    assert "still.png" not in names(index)
    assert any("still.png" in text and "16x16" in text for text in index.ignored)


def test_strips_of_other_frames(tmp_path):
    write_strip(tmp_path / "train/x.png", n=6, side=16)
    assert FolderIndex(tmp_path).clips("train")[0].num_frames == 6
    assert FolderIndex(tmp_path, strip_size=[16, 32]).clips("train")[0].num_frames == 3
    assert FolderIndex(tmp_path).clips("train")[0].size == (16, 16)
    with pytest.raises(UserError, match="96x16, no strip of frames of 16x15"):
        FolderIndex(tmp_path, strip_size=[15, 16])
    with pytest.raises(UserError, match="strip_size"):
        FolderIndex(tmp_path, strip_size=[16])


def test_a_folder_that_cannot_be_listed(root, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UserError, match="cannot be listed: Permission denied"):
        FolderIndex(root)


def test_links(root):
    (root / "test/linked.mp4").symlink_to(root / "train/b.mp4")
    (root / "test/linked_folder").symlink_to(root / "train/c")
    (root / "test/loop").symlink_to(root / "test")
    assert names(FolderIndex(root), "test") == ["e.mkv", "linked.mp4", "linked_folder"]
    (root / "train/dangling.mp4").symlink_to(root / "gone.mp4")
    index = FolderIndex(root, max_broken_share=0.5)
    assert index.problems == ["train/dangling.mp4: is a link to something that is not there"]


def test_validation_takes_the_test_clips_unless_it_has_its_own(root):
    assert names(FolderIndex(root), "val") == ["e.mkv"]
    write_gif(root / "val/v.gif")
    assert names(FolderIndex(root), "val") == ["v.gif"]


def test_missing_folder_is_one_line_that_helps(tmp_path):
    with pytest.raises(UserError) as error:
        FolderIndex(tmp_path / "nowhere")
    text = str(error.value)
    assert "\n" not in text
    for part in ("data.root", str(tmp_path / "nowhere"), "train", "test", "data=puppets"):
        assert part in text


def test_folder_without_splits(tmp_path):
    write_video(tmp_path / "x.mp4")
    with pytest.raises(UserError, match="neither train/ nor test/"):
        FolderIndex(tmp_path)
    index = FolderIndex(tmp_path, flat="test")
    assert names(index, "test") == ["x.mp4"]
    assert index.is_flat


def test_folders_without_clips(tmp_path, root):
    (tmp_path / "empty/train").mkdir(parents=True)
    with pytest.raises(UserError, match="no clips in"):
        FolderIndex(tmp_path / "empty")
    with pytest.raises(UserError, match="not a folder"):
        FolderIndex(root / "train/b.mp4")
    (root / "test/e.mkv").unlink()
    with pytest.raises(UserError, match=r"no clips in .*test"):
        FolderIndex(root).clips("test")


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("id10001#clip#3.mp4", "id10001"),
        ("Anna Ö#1", "Anna Ö"),
        ("id10001/clip.mp4", "id10001"),
        ("anna/deeper/clip.mp4", "anna"),
        ("anna/id7#1.mp4", "id7"),
        ("id10001_0003.mp4", "id10001"),
        ("idle.mp4", "idle.mp4"),
        ("walk_id3.mp4", "walk_id3.mp4"),
    ],
)
def test_subject_of(name, subject):
    assert subject_of(name) == subject


def test_subjects_only_with_id_sampling(tmp_path):
    for name in ("id1#a.png", "id1#b.png", "id2#a.png"):
        write_strip(tmp_path / "train" / name)
    assert [c.subject for c in FolderIndex(tmp_path).clips("train")] == [
        "id1#a.png",
        "id1#b.png",
        "id2#a.png",
    ]
    assert [c.subject for c in FolderIndex(tmp_path, id_sampling=True).clips("train")] == [
        "id1",
        "id1",
        "id2",
    ]


def test_broken_files_are_named_and_skipped(root):
    (root / "train/empty.mp4").touch()
    (root / "train/text.mp4").write_text("no video " * 50)
    (root / "train/broken_frames").mkdir()
    (root / "train/broken_frames/0.png").write_text("no picture")
    with pytest.raises(UserError, match=r"3 of 8 clips .*empty\.mp4.*data.max_skipped_share=0\.1"):
        FolderIndex(root)
    index = FolderIndex(root, max_broken_share=0.4)
    assert names(index) == ["a.gif", "b.mp4", "c", "d.png"]
    assert [text.split(":")[0] for text in index.problems] == [
        "train/broken_frames",
        "train/empty.mp4",
        "train/text.mp4",
    ]
    assert all(str(root) not in text for text in index.problems[1:])


def test_second_index_demuxes_nothing(root, probed):
    first = FolderIndex(root).clips("train")
    assert sorted(probed) == ["a.gif", "b.mp4", "e.mkv"]
    probed.clear()
    assert FolderIndex(root).clips("train") == first
    assert probed == []


def test_cache_follows_the_folder(root, probed):
    FolderIndex(root)
    probed.clear()
    write_video(root / "train/b.mp4", 9)
    (root / "train/a.gif").unlink()
    write_video(root / "train/new.mp4", 3)
    write_frames(root / "train/c", 12)
    index = FolderIndex(root)
    assert sorted(probed) == ["b.mp4", "new.mp4"]
    assert [(c.name, c.num_frames) for c in index.clips("train")] == [
        ("b.mp4", 9),
        ("c", 12),
        ("d.png", 5),
        ("new.mp4", 3),
    ]
    assert "a.gif" not in (root / CACHE_NAME).read_text()


@pytest.mark.parametrize("content", ["", "{", "{}\n{}\n", "[1]\n[2]\n", "\x00\xff"])
def test_corrupt_cache_is_rebuilt(root, probed, content):
    first = FolderIndex(root).clips("train")
    (root / CACHE_NAME).write_bytes(content.encode("latin-1"))
    probed.clear()
    assert FolderIndex(root).clips("train") == first
    assert len(probed) == 3
    probed.clear()
    FolderIndex(root)
    assert probed == []


def test_flipped_number_in_the_cache_is_noticed(root):
    FolderIndex(root)
    cache = root / CACHE_NAME
    text = cache.read_text()
    assert ", 12, false, 25.0, " in text
    cache.write_text(text.replace(", 12, false, 25.0, ", ", 13, false, 25.0, "))
    assert FolderIndex(root).clips("train")[1].num_frames == 12


def test_unwritable_data_folder_uses_the_users_cache(root, probed, tmp_path):
    (root / CACHE_NAME).mkdir()  # a name that cannot be replaced by a file, for root too
    FolderIndex(root)
    probed.clear()
    FolderIndex(root)
    assert probed == []
    assert len(list((tmp_path / "user-cache/animate/index").iterdir())) == 1
    assert not [path for path in root.iterdir() if path.name.endswith(".part")]


def test_read_only_data_folder_is_left_alone(root, probed, tmp_path):
    root.chmod(0o555)
    FolderIndex(root)
    probed.clear()
    FolderIndex(root)
    root.chmod(0o755)
    assert probed == []
    assert not (root / CACHE_NAME).exists()


def test_another_version_reads_anew(root, probed, monkeypatch):
    FolderIndex(root)
    probed.clear()
    monkeypatch.setattr(animate.data.index_cache, "__version__", "0.0.0")
    FolderIndex(root)
    assert len(probed) == 3


def test_corrected_counts_are_kept(root):
    index = FolderIndex(root)
    index.correct({root / "train/b.mp4": 10})
    for again in (index, FolderIndex(root)):
        clip = again.clips("train")[1]
        assert (clip.num_frames, clip.exact) == (10, True)
        assert levels(clip.reader.open(clip).frames([9], None)) == [9]
        with pytest.raises(UserError, match="10 frames"):
            clip.reader.open(clip).frames([10], None)
    index.correct({root / "train/b.mp4": 0})
    again = FolderIndex(root, max_broken_share=0.5)
    assert "b.mp4" not in names(again)
    assert again.problems == ["train/b.mp4: no frame of it can be decoded"]


def test_a_spoilt_frame_does_not_keep_a_clip_out(root):
    spoil_packets(root / "train/b.mp4", [8])
    assert FolderIndex(root).clips("train")[1].num_frames == 12


def test_clips_travel_to_workers(root):
    clips = FolderIndex(root).clips("train")
    assert pickle.loads(pickle.dumps(clips)) == clips
    assert len(set(clips)) == 4
    assert len(pickle.dumps(clips[1])) < 2000


def test_packed_info_keeps_times_and_keyframes(tmp_path):
    random = np.random.default_rng(0)
    times = 3.1 + np.cumsum(random.integers(1, 9000, 1000)) / 90000
    info = VideoInfo(
        path=tmp_path,
        width=5,
        height=7,
        num_frames=1000,
        exact=False,
        fps=Fraction(30000, 1001),
        duration=12.5,
        times=times,
        keyframes=np.array([0, 5, 990]),
        rotation=90,
        has_audio=True,
        seekable=True,
    )
    packed = PackedInfo.pack(info)
    back = packed.unpack(tmp_path)
    np.testing.assert_allclose(back.times, times, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(back.keyframes, info.keyframes)
    for name in (
        "width",
        "height",
        "num_frames",
        "exact",
        "fps",
        "duration",
        "rotation",
        "has_audio",
        "seekable",
    ):
        assert getattr(back, name) == getattr(info, name)
    shorter = packed.corrected(700).unpack(tmp_path)
    assert (shorter.num_frames, len(shorter.times), shorter.exact) == (700, 700, True)
    assert shorter.keyframes.tolist() == [0, 5]
