import numpy as np
import pytest
from clip_files import flat, levels, moving, write_frames, write_gif, write_video
from PIL import Image

from animate.data.pairs import check_decodes, check_sizes, find_pairs, look_at, read_pair
from animate.errors import UserError
from spoiled import spoil_packets


@pytest.fixture
def places(tmp_path):
    """Two folders with a video, a clip in a subfolder and a folder of frames each."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    write_frames(ours / "a.mp4", 7)  # as `animate reconstruct --frames png` names them
    write_video(theirs / "a.mp4", 7)
    write_video(ours / "deep/b.mkv", 5, codec="ffv1")
    write_gif(theirs / "deep/b.gif", 5)
    write_frames(ours / "c", 3, pattern="{:05d}.png")
    write_frames(theirs / "c", 3, pattern="frame{}.jpg")
    (ours / ".hidden.mp4").write_bytes(b"")
    (theirs / "notes.txt").write_text("")
    return ours, theirs


def test_clips_belong_together_by_name_without_suffix(places):
    pairs, skipped = find_pairs(*places)
    assert [pair.name for pair in pairs] == ["a", "c", "deep/b"]
    assert skipped == []
    for pair, count in zip(pairs, (7, 3, 5), strict=True):
        chunks = list(read_pair(pair, None, 4))
        assert [len(chunk.target) for chunk in chunks] == [4] * (count // 4) + [count % 4]
        for side in ("prediction", "target"):
            assert levels(np.concatenate([getattr(c, side) for c in chunks])) == list(range(count))


def test_what_is_stored_with_loss_is_known(places):
    pairs, _ = find_pairs(*places)
    codecs = {pair.name: (pair.prediction.codecs, pair.target.codecs) for pair in pairs}
    assert codecs == {
        "a": (("png",), ("h264",)),
        "deep/b": (("ffv1",), ("gif",)),
        "c": (("png",), ("jpg",)),
    }
    assert [pair.prediction.lossy for pair in pairs] == [[], [], []]
    assert [pair.target.lossy for pair in pairs] == [["h264"], ["jpg"], ["gif"]]


def test_two_videos_need_no_common_name(tmp_path):
    first, second = write_video(tmp_path / "x.mp4", 4), write_frames(tmp_path / "y", 4)
    ((pair,), _) = find_pairs(first, second)
    assert pair.name == "y"
    assert (pair.prediction.path, pair.target.path) == (first, second)


def test_pictures_in_the_folders_themselves_are_one_clip(tmp_path):
    for side in ("ours", "theirs"):
        write_frames(tmp_path / side, 3, pattern="picture{}.png")
    ((pair,), _) = find_pairs(tmp_path / "ours", tmp_path / "theirs")
    assert pair.target.frames == 3


def test_other_pictures_than_in_the_target_are_no_frames(tmp_path):
    for side, name in (("ours", "anna"), ("theirs", "bert")):
        (tmp_path / side).mkdir()
        Image.fromarray(flat(0)).save(tmp_path / side / f"{name}.png")
    with pytest.raises(UserError, match="anna is a picture in one of"):
        find_pairs(tmp_path / "ours", tmp_path / "theirs")


def test_frames_are_brought_to_a_size_when_that_is_wanted(places):
    for pair in find_pairs(*places).pairs:
        for chunk in read_pair(pair, (10, 20), 4):
            assert chunk.prediction.shape[1:] == chunk.target.shape[1:] == (10, 20, 3)


def test_mattes_are_white_on_the_figure(tmp_path):
    ours, masks = write_frames(tmp_path / "ours", 3), tmp_path / "masks"
    masks.mkdir()
    for i in range(3):
        matte = np.zeros((32, 48), np.uint8)
        matte[:, :24] = 255
        Image.fromarray(matte).save(masks / f"{i}.png")
    ((pair,), _) = find_pairs(ours, ours, masks)
    (chunk,) = read_pair(pair, None, 8)
    assert chunk.mask.shape == (3, 32, 48)
    assert chunk.mask.dtype == np.float32
    assert chunk.mask[:, :, :24].min() == 1
    assert chunk.mask[:, :, 24:].max() == 0


def refused(*places):
    with pytest.raises(UserError) as error:
        check_sizes(find_pairs(*places).pairs)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_clip_without_counterpart(places):
    ours, theirs = places
    write_video(ours / "d.mp4", 2)
    assert f"{theirs} has no counterpart for {ours / 'd.mp4'}" in refused(ours, theirs)
    (ours / "d.mp4").rename(theirs / "d.mp4")
    assert f"{ours} has no counterpart for {theirs / 'd.mp4'}" in refused(ours, theirs)


def test_different_lengths_name_both(places):
    ours, theirs = places
    write_video(theirs / "a.mp4", 6)
    message = refused(ours, theirs)
    assert f"{ours / 'a.mp4'} has 7 frames" in message
    assert f"{theirs / 'a.mp4'} has 6" in message


def test_different_sizes_ask_for_one(places):
    ours, theirs = places
    write_video(theirs / "a.mp4", 7, draw=moving)
    assert "is 48x32 and" in (message := refused(ours, theirs))
    assert "--resize" in message


def test_names_that_stand_for_two_clips(places):
    write_gif(places[0] / "c.gif", 2)
    assert "have the same name" in refused(*places)


def test_nothing_to_compare(tmp_path):
    (tmp_path / "empty").mkdir()
    assert "neither videos nor pictures" in refused(tmp_path / "empty", tmp_path / "empty")
    assert "no such file or folder" in refused(tmp_path / "nowhere", tmp_path / "empty")


def test_what_breaks_in_the_middle_is_told_before_it_is_scored(places):
    ours, theirs = places
    spoil_packets(theirs / "a.mp4", [5])
    (ours / "c/00002.png").write_bytes(b"no picture")
    told = {}
    for pair in find_pairs(ours, theirs).pairs:
        try:
            check_decodes(pair)
        except UserError as error:
            told[pair.name] = str(error)
    assert sorted(told) == ["a", "c"]
    assert "of 7 frames cannot be decoded" in told["a"]
    assert "00002.png" in told["c"]


def test_what_cannot_be_opened_is_left_out_and_named(places):
    ours, theirs = places
    (theirs / "a.mp4").write_bytes(b"no video")
    pairs, skipped = find_pairs(ours, theirs)
    assert [pair.name for pair in pairs] == ["c", "deep/b"]
    (told,) = skipped
    assert told.startswith("a: ")


def test_when_all_are_torn_that_is_an_error(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"no video")
    assert "none of its clips can be read" in refused(path, path)


def test_a_single_picture_is_a_clip_of_one_frame(tmp_path):
    Image.fromarray(flat(2)).save(tmp_path / "a.png")
    assert look_at(tmp_path / "a.png").frames == 1
