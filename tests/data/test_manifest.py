import csv
import json
import logging

import pytest
from clip_files import levels, write_frames, write_gif, write_strip, write_video

import animate.data.layouts
from animate.data.index import FolderIndex
from animate.data.manifest import ManifestIndex
from animate.errors import UserError


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user-cache"))
    write_video(tmp_path / "media/a, b.mp4", 12)
    write_gif(tmp_path / "media/c=1.gif", 6)
    write_frames(tmp_path / "media/é", 8)
    write_strip(tmp_path / "media/s.png", 5)
    return tmp_path


def write_csv(path, header, *rows, encoding="utf-8"):
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


ROWS = [
    ("media/é", "test", "Ö", "", ""),
    ("media/a, b.mp4", "train", "anna", "2", "9"),
    ("media/a, b.mp4", "train", "anna", "9", ""),
    ("media/c=1.gif", "train", "", "", ""),
    ("media/s.png", "val", "bo", "0", "5"),
]
HEADER = ("path", "split", "subject", "start", "stop")


def write_json_lines(path):
    lines = [
        json.dumps(
            {k: int(v) if k in ("start", "stop") else v for k, v in zip(HEADER, row, strict=True) if v}
        )
        for row in ROWS
    ]
    path.write_text("\n".join(lines) + "\n\n", "utf-8")
    return path


def facts(index, split):
    return [(c.name, c.subject, c.num_frames) for c in index.clips(split)]


@pytest.mark.parametrize("form", ["csv", "csv with byte order mark", "json lines"])
def test_forms(root, form):
    if form == "json lines":
        index = ManifestIndex(write_json_lines(root / "list.jsonl"))
    else:
        encoding = "utf-8-sig" if "mark" in form else "utf-8"
        index = ManifestIndex(write_csv(root / "list.csv", HEADER, *ROWS, encoding=encoding))
    assert facts(index, "train") == [
        ("media/a, b.mp4@2-9", "anna", 7),
        ("media/a, b.mp4@9-", "anna", 3),
        ("media/c=1.gif", "media/c=1.gif", 6),
    ]
    assert facts(index, "test") == [("media/é", "Ö", 8)]
    assert facts(index, "val") == [("media/s.png@0-5", "bo", 5)]
    first, second, *_ = index.clips("train")
    assert levels(first.reader.open(first).frames([0, 6], None)) == [2, 8]
    assert levels(second.reader.open(second).frames([2], None)) == [11]
    with pytest.raises(UserError, match="7 frames"):
        first.reader.open(first).frames([7], None)
    assert index.splits == ("train", "val", "test")


def test_only_the_needed_columns_and_another_root(root):
    (root / "lists").mkdir()
    path = write_csv(root / "lists/l.csv", ("split", "path"), ("test", "s.png"))
    index = ManifestIndex(path, root / "media")
    assert facts(index, "test") == [("s.png", "s.png", 5)]
    assert facts(index, "val") == facts(index, "test")
    with pytest.raises(UserError, match="no clip of split 'train'"):
        index.clips("train")
    absolute = write_csv(root / "lists/m.csv", ("path", "split"), (root / "media/s.png", "test"))
    assert ManifestIndex(absolute).clips("test")[0].num_frames == 5


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "list is empty"),
        ("path,split\n", "list is empty"),
        ("file,split\na,train\n", r"line 1: the header has no column 'path'"),
        ("path\na\n", r"line 1: the header has no column 'split'"),
        ("path,split\nmedia/s.png,train\nmedia/s.png,training\n", r"line 3: split is 'training'"),
        ("path,split\nmedia/s.png\n", "line 2: has not as many values"),
        ("path,split\nmedia/s.png,train,x\n", "line 2: has not as many values"),
        ("path,split\n,train\n", "line 2: no path"),
        ("path,split,start\nmedia/s.png,train,-1\n", "line 2: start is '-1'"),
        ("path,split,stop\nmedia/s.png,train,1.5\n", "line 2: stop is '1.5'"),
        ("path,split\nlist.csv,train\n", "line 2: 'list.csv' is no video"),
        ("path,split\nmedia/s.png,train\nmedia/s.png,train\n", "more than once in split 'train'"),
    ],
)
def test_malformed_csv(root, text, told):
    path = root / "list.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=told) as error:
        ManifestIndex(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"path": "media/s.png", "split": "train"}\n{"path": \n', "line 2: is not JSON"),
        ('["media/s.png"]\n', "line 1: is not an object"),
        ('{"path": 3, "split": "train"}\n', "line 1: no path"),
        ('{"path": "media/s.png"}\n', "line 1: split is None"),
        ('{"path": "media/s.png", "split": "train", "start": 0.5}\n', "line 1: start is 0.5"),
        ('{"path": "media/s.png", "split": "train", "start": [1]}\n', "line 1: start is"),
    ],
)
def test_malformed_json_lines(root, text, told):
    (root / "list.jsonl").write_text(text)
    with pytest.raises(UserError, match=told):
        ManifestIndex(root / "list.jsonl")


def test_no_text_and_no_file(root):
    (root / "list.csv").write_bytes(b"path,split\n\xff\xfe\x00,train\n")
    with pytest.raises(UserError, match="UTF-8"):
        ManifestIndex(root / "list.csv")
    with pytest.raises(UserError, match=r"gone\.csv: cannot be read"):
        ManifestIndex(root / "gone.csv")


def test_missing_and_broken_clips_are_problems_up_to_a_share(root):
    (root / "media/bad.mp4").write_text("x" * 100)
    good = [(f"media/{name}", "train") for name in ("a, b.mp4", "c=1.gif", "é", "s.png")]
    path = write_csv(root / "list.csv", ("path", "split"), *good, ("media/gone.mp4", "train"))
    with pytest.raises(UserError, match=r"1 of 5 .*line 6: .*gone\.mp4' is not there"):
        ManifestIndex(path)
    index = ManifestIndex(path, max_broken_share=0.2)
    assert len(index.clips("train")) == 4
    path = write_csv(root / "list.csv", ("path", "split"), *good, ("media/bad.mp4", "train"))
    assert [text.split(":")[0] for text in ManifestIndex(path, max_broken_share=0.2).problems] == [
        "media/bad.mp4"
    ]
    path = write_csv(
        root / "list.csv", HEADER, ("media/s.png", "train", "", 2, 6), ("media/é", "train", "", 0, 8)
    )
    assert "line 2: frames 2 to 6" in ManifestIndex(path, max_broken_share=0.5).problems[0]


def test_other_columns_are_told(root, caplog):
    path = write_csv(root / "list.csv", ("path", "split", "caption"), ("media/s.png", "train", "x"))
    with caplog.at_level(logging.WARNING):
        ManifestIndex(path)
    assert "caption" in caplog.text


def test_each_file_is_demuxed_once_and_then_never(root, monkeypatch):
    probed = []
    probe = animate.data.layouts.probe
    monkeypatch.setattr(animate.data.layouts, "probe", lambda path: probed.append(path.name) or probe(path))
    path = write_csv(root / "list.csv", HEADER, *ROWS)
    first = ManifestIndex(path).clips("train")
    assert sorted(probed) == ["a, b.mp4", "c=1.gif"]
    assert ManifestIndex(path).clips("train") == first
    assert len(probed) == 2


def test_a_folder_and_a_list_keep_caches_of_their_own(root):
    (root / "media").rename(root / "train")
    folder = FolderIndex(root).clips("train")
    ManifestIndex(write_csv(root / "list.csv", ("path", "split"), ("train/s.png", "train")))
    assert FolderIndex(root).clips("train") == folder
    assert len(list(root.glob(".animate-index*"))) == 2
