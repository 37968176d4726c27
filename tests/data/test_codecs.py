from clip_files import write_frames, write_gif, write_strip, write_video

from animate.data.codecs import codecs_of
from animate.data.index import FolderIndex
from animate.data.synthetic import PuppetIndex


def test_files_say_how_they_are_stored(tmp_path):
    write_video(tmp_path / "test/a.mp4", 3)
    write_video(tmp_path / "test/b.mkv", 3, codec="ffv1")
    write_gif(tmp_path / "test/c.gif", 3)
    write_frames(tmp_path / "test/d", 3, pattern="{}.jpg")
    write_strip(tmp_path / "test/e.png", 3)
    assert codecs_of(FolderIndex(tmp_path).clips("test")) == ["ffv1", "gif", "h264", "jpg", "png"]


def test_what_is_drawn_is_in_no_file():
    index = PuppetIndex(train_clips=1, val_clips=1, test_clips=2, frames=2, size=64)
    assert codecs_of(index.clips("test")) == ["drawn"]


def test_a_file_that_has_gone_has_no_codec(tmp_path):
    clips = FolderIndex(write_video(tmp_path / "test/a.mp4", 3).parents[1]).clips("test")
    clips[0].path.unlink()
    assert codecs_of(clips) == []
