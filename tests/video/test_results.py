"""Folders of results: whole or not at all, with the folders that they lie in."""

import os

import pytest

from animate.errors import UserError
from animate.video.results import check_folder, parents, results_folder


def test_the_folders_it_lies_in_are_made_with_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for target in (tmp_path / "a/b/c", (tmp_path / "x/y").relative_to(tmp_path)):
        check_folder(target, "marker", overwrite=False)
        assert not target.parent.exists()
        with results_folder(target, "marker", overwrite=False) as folder:
            (folder / "marker").write_text("done")
        assert (target / "marker").read_text() == "done"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "b", "c", "marker", "marker", "x", "y"]


def test_after_an_exception_only_what_was_there_is_left(tmp_path):
    (tmp_path / "there").mkdir()
    with pytest.raises(ZeroDivisionError), results_folder(tmp_path / "there/a/b", "marker", False) as folder:
        (folder / "marker").write_text(str(1 / 0))
    assert list(tmp_path.rglob("*")) == [tmp_path / "there"]


def test_folders_that_got_something_else_stay(tmp_path):
    with parents(tmp_path / "a/b/c"):
        (tmp_path / "a/other").write_text("of somebody")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "other"]


def test_a_file_on_the_way_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    for target in (tmp_path / "file/x", tmp_path / "file/x/y"):
        with pytest.raises(UserError, match=r"file is no folder"):
            check_folder(target, "marker", overwrite=False)


def test_folders_that_cannot_be_made_are_told(tmp_path):
    os.symlink(tmp_path / "nowhere/at/all", tmp_path / "link")  # noqa: PTH211
    with pytest.raises(UserError, match="cannot be written"), parents(tmp_path / "link/x"):
        pass
    assert os.listdir(tmp_path) == ["link"]  # noqa: PTH208
