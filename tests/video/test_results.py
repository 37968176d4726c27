"""Folders of results: whole or not at all, with the folders that they lie in, and nothing of others lost."""

import json
import os
from pathlib import Path

import pytest

from animate.errors import UserError
from animate.video.results import LISTING, check_folder, parents, results_folder


def put(target, *names, overwrite=False):
    with results_folder(target, overwrite) as folder:
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("of ours")
    return target


def everything(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def refusal(target, overwrite=True):
    with pytest.raises(UserError) as told:
        check_folder(target, overwrite)
    assert "\n" not in str(told.value)
    return str(told.value)


def test_the_folders_it_lies_in_are_made_with_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for target in (tmp_path / "a/b/c", Path("x/y")):
        check_folder(target, overwrite=False)
        assert not target.parent.exists()
        assert (put(target, "table") / "table").read_text() == "of ours"
    files = [f"{place}/{name}" for place in ("a/b/c", "x/y") for name in (LISTING, "table")]
    assert everything(tmp_path) == sorted(["a", "a/b", "a/b/c", "x", "x/y", *files])


def test_after_an_exception_only_what_was_there_is_left(tmp_path):
    (tmp_path / "there").mkdir()
    with pytest.raises(ZeroDivisionError), results_folder(tmp_path / "there/a/b", False) as folder:
        (folder / "table").write_text(str(1 / 0))
    assert list(tmp_path.rglob("*")) == [tmp_path / "there"]


def test_folders_that_got_something_else_stay(tmp_path):
    with parents(tmp_path / "a/b/c"):
        (tmp_path / "a/other").write_text("of somebody")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "other"]


def test_a_file_on_the_way_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    for target in (tmp_path / "file/x", tmp_path / "file/x/y"):
        with pytest.raises(UserError, match=r"file is no folder"):
            check_folder(target, overwrite=False)


def test_folders_that_cannot_be_made_are_told(tmp_path):
    os.symlink(tmp_path / "nowhere/at/all", tmp_path / "link")  # noqa: PTH211
    with pytest.raises(UserError, match="cannot be written"), parents(tmp_path / "link/x"):
        pass
    assert os.listdir(tmp_path) == ["link"]  # noqa: PTH208


def test_results_of_ours_are_replaced_by_the_new_ones_alone(tmp_path):
    target = put(tmp_path / "out", "old", "frames/0.png", "line\nbreak", os.fsdecode(b"latin \xe4"))
    (target / "frames" / ".animate-index.json").write_text("made in reading")
    put(target, "new", overwrite=True)
    assert everything(tmp_path) == ["out", f"out/{LISTING}", "out/new"]
    assert json.loads((target / LISTING).read_text("utf-8")) == ["new"]


@pytest.mark.parametrize("name", ["notes.txt", "my/own/notes.txt", ".hidden", "frames/1.png"])
def test_files_of_others_are_never_replaced(tmp_path, name):
    target = put(tmp_path / "out", "old", "frames/0.png")
    (target / name).parent.mkdir(parents=True, exist_ok=True)
    (target / name).write_text("mine")
    before = everything(tmp_path)
    assert f"out holds {name}, which is not of the results" in refusal(target)
    with pytest.raises(UserError, match="move it away or name another folder"):
        put(target, "new", overwrite=True)
    assert everything(tmp_path) == before


def test_a_name_of_many_lines_is_told_in_one(tmp_path):
    (put(tmp_path / "out", "old") / "a\nb\x1b").touch()
    assert "holds a?b?, which" in refusal(tmp_path / "out")


def test_links_in_results_are_not_followed(tmp_path):
    (put(tmp_path / "photos", "one.jpg") / LISTING).unlink()
    target = put(tmp_path / "out", "old")
    (target / "album").symlink_to(tmp_path / "photos")
    assert "out holds album, which" in refusal(target)
    (target / "album").unlink()
    (target / LISTING).rename(tmp_path / "listing")
    (target / LISTING).symlink_to(tmp_path / "listing")
    assert "holds something else than results" in refusal(target)


@pytest.mark.parametrize("text", [None, "", "{", "7", '{"old": 1}', "[" * 100_000, b"\xff", "[[], {}, 3]"])
def test_a_listing_that_says_nothing_protects_everything(tmp_path, text):
    target = put(tmp_path / "out", "old")
    (target / LISTING).unlink()
    if text is not None:
        (target / LISTING).write_bytes(text if isinstance(text, bytes) else text.encode())
    told = "holds old, which" if text == "[[], {}, 3]" else "holds something else than results"
    assert told in refusal(target)


@pytest.mark.parametrize(("overwrite", "told"), [(True, r"holds notes\.txt"), (False, "is not empty")])
def test_what_came_while_the_work_went_on_is_not_lost(tmp_path, overwrite, told):
    target = tmp_path / "out"
    if overwrite:
        put(target, "old")

    def work():
        with results_folder(target, overwrite) as folder:
            (folder / "new").touch()
            target.mkdir(exist_ok=True)
            (target / "notes.txt").write_text("mine")

    with pytest.raises(UserError, match=f"{told}.*; what was made is in .*out_2"):
        work()
    assert everything(tmp_path / "out_2") == [LISTING, "new"]
    assert (target / "notes.txt").read_text() == "mine"
    assert everything(target) == ([LISTING, "notes.txt", "old"] if overwrite else ["notes.txt"])
    assert everything(tmp_path)[0] == "out"


@pytest.mark.parametrize("name", ["", ".", "..", "sub/..", "../here", "/", "link"])
def test_the_folder_that_the_command_runs_in_is_not_replaced(tmp_path, monkeypatch, name):
    here = put(tmp_path / "here", "sub/x")
    (tmp_path / "here/link").symlink_to(here)
    monkeypatch.chdir(here)
    before = everything(tmp_path)
    told = refusal(Path(name))
    assert told.startswith(f"{Path(name)} is the folder that this command runs in, or one that it lies in")
    with pytest.raises(UserError, match="name a new folder"):
        put(Path(name), "new", overwrite=True)
    assert everything(tmp_path) == before


@pytest.mark.parametrize("files", [(), ("old",)])
def test_of_a_link_the_real_folder_is_replaced(tmp_path, files):
    real, link = tmp_path / "disk/real", tmp_path / "link"
    real.mkdir(parents=True)
    put(real, *files) if files else None
    link.symlink_to(real)
    if files:
        assert refusal(link, overwrite=False).startswith(f"{link} is not empty")
    put(link, "new", overwrite=bool(files))
    assert link.is_symlink()
    assert everything(real) == [LISTING, "new"]
    assert everything(tmp_path) == ["disk", "disk/real", f"disk/real/{LISTING}", "disk/real/new", "link"]


def test_a_link_to_nothing_says_where_the_folder_goes(tmp_path):
    (tmp_path / "link").symlink_to("disk/real")
    put(tmp_path / "link", "new")
    assert everything(tmp_path) == ["disk", "disk/real", f"disk/real/{LISTING}", "disk/real/new", "link"]
    (tmp_path / "circle").symlink_to("circle")
    assert "leads in a circle" in refusal(tmp_path / "circle")
