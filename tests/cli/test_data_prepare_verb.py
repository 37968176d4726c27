"""``animate data prepare`` as a user runs it: in processes, stopped, resumed, in shards, as jobs."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

from animate.cli import main
from animate.data.export import export
from animate.data.index import FolderIndex
from animate.data.store.index import StoreIndex
from animate.data.store.plan import Recipe, begin, plan_of
from animate.data.store.prepare import working
from animate.data.synthetic import PuppetIndex


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("source") / "data"
    drawn = PuppetIndex(train_clips=3, val_clips=1, test_clips=1, frames=6, size=48)
    export(drawn, folder, ("train", "test"), (48, 48))
    return folder


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


OPTIONS = ("--size", "48", "--part-frames", "8", "--workers", "2")


@pytest.fixture(scope="module")
def store(source, animate):
    """What one run makes."""
    folder = source.parent / "store"
    done = animate("data", "prepare", source, folder, *OPTIONS)
    assert done.returncode == 0, done.stderr
    assert "4 clips, 24 frames of 48x48 as jpeg, PSNR" in done.stdout
    assert f"train with data=videos data.root={folder}" in done.stdout
    return folder


def test_a_store_that_is_whole_is_left_alone(source, store, capsys):
    before = {path: path.stat().st_mtime_ns for path in store.iterdir() if path.name != "store.json"}
    kept = content(store)
    assert main(["data", "prepare", str(source), str(store), *OPTIONS]) == 0
    assert "4 clips" in capsys.readouterr().out
    assert content(store) == kept
    assert before == {path: path.stat().st_mtime_ns for path in store.iterdir() if path.name != "store.json"}


def test_check_reads_a_store(store, capsys, tmp_path):
    report = tmp_path / "report.json"
    assert main(["data", "check", str(store), "--decode", "--json", str(report)]) in (0, 1)
    found = json.loads(report.read_text())
    assert found["splits"]["train"]["clips"] == 3
    assert "damaged" not in found["findings"]
    part = tmp_path / "torn"
    part.mkdir()
    for name, data in content(store).items():
        (part / name).write_bytes(data)
    (part / "part-00000.tar").write_bytes(b"short")
    assert main(["data", "check", str(part), "--json", str(report)]) == 1
    assert "part-00000.tar is torn" in capsys.readouterr().out


def test_shards(source, store, tmp_path, animate):
    mine = tmp_path / "store"
    first = animate("data", "prepare", source, mine, *OPTIONS, "--shard", "2/2")
    assert first.returncode == 0, first.stderr
    assert "complete when all other shards have ended" in first.stdout
    assert animate("data", "check", mine).returncode == 2
    assert animate("data", "prepare", source, mine, *OPTIONS, "--shard", "1/2").returncode == 0
    assert content(mine) == content(store)


def test_a_shard_is_one_process_s_work(source, store, tmp_path, capsys):
    mine = tmp_path / "store"
    command = ["data", "prepare", str(source), str(mine), *OPTIONS, "--shard"]
    begin(mine, plan_of(FolderIndex(source), Recipe((48, 48), part_frames=8)))
    with working(mine, 1, 2):
        assert main([*command, "1/2"]) == 2
        told = capsys.readouterr().err
        assert "another process is at work on this store (shard 1/2); wait for it" in told
        assert len(told.splitlines()) == 1
        assert main([*command, "2/2"]) == 0
    assert main([*command, "1/2"]) == 0
    assert content(mine) == content(store)


def test_two_at_once_disturb_nobody(source, store, tmp_path):
    """Of all of it: one is told to wait, or finds all done; neither tears anything."""
    mine = tmp_path / "store"
    command = [sys.executable, "-m", "animate.cli", "data", "prepare", str(source), str(mine), *OPTIONS]
    runs = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    told = [run.communicate()[1] for run in runs]
    codes = [run.returncode for run in runs]
    assert 0 in codes
    for code, line in zip(codes, told, strict=True):
        assert code == 0 or "another process is at work on this store (shard 1/1)" in line
    assert content(mine) == content(store)


def test_how_much_may_be_broken(source, store, tmp_path, capsys):
    damaged = tmp_path / "data"
    shutil.copytree(source, damaged)
    (damaged / "train" / "empty.mp4").touch()
    command = ["data", "prepare", str(damaged), str(tmp_path / "store"), *OPTIONS]
    assert main(command) == 2
    told = capsys.readouterr().err
    assert "1 of 5 clips" in told
    assert "more than --max-skipped-share=0.1 allows. Repair or remove them, or raise it" in told
    assert not (tmp_path / "store").exists()
    assert main([*command, "--max-skipped-share", "0.5"]) == 1
    assert "not stored: train/empty.mp4" in capsys.readouterr().out


@pytest.mark.parametrize("cluster", ["debug", pytest.param("local", marks=pytest.mark.slow)])
def test_jobs_of_a_cluster(source, store, tmp_path, capsys, cluster):
    pytest.importorskip("submitit")
    mine = tmp_path / "store"
    jobs = ["--cluster", cluster, "--shards", "2", "--cluster-option", "timeout_min=5"]
    assert main(["data", "prepare", str(source), str(mine), *OPTIONS, *jobs]) == 0
    assert "4 clips" in capsys.readouterr().out
    assert content(mine) == content(store)


def test_a_job_that_fails_does_not_lose_the_others(source, tmp_path, capsys, monkeypatch):
    pytest.importorskip("submitit")
    from animate.data.store import prepare

    whole = prepare.write_parts

    def failing(folder, plan, parts, workers, advance):
        if parts[0].number == 1:
            raise RuntimeError("the node went away")
        whole(folder, plan, parts, workers, advance)

    monkeypatch.setattr(prepare, "write_parts", failing)
    arguments = ["data", "prepare", str(source), str(tmp_path / "store"), *OPTIONS, "--cluster", "debug"]
    assert main([*arguments, "--shards", "2"]) == 1
    told = capsys.readouterr().out
    assert "shard 2/2" in told
    assert "the node went away" in told
    assert "run the same command again" in told
    assert (tmp_path / "store" / "part-00000.jsonl").is_file()
    monkeypatch.undo()
    assert main([*arguments, "--shards", "1"]) == 0


def test_a_disk_that_is_full_leaves_nothing_torn(source, store, tmp_path, animate):
    mine = tmp_path / "store"
    full = animate("data", "prepare", source, mine, *OPTIONS, limit=20_000)
    assert full.returncode == 2
    assert len(full.stderr.splitlines()) == 1, full.stderr
    assert "make room" in full.stderr
    assert not [name for name in content(mine) if name.endswith(".tar") or name == "store.json"]
    assert animate("data", "prepare", source, mine, *OPTIONS).returncode == 0
    assert content(mine) == content(store)


NONSENSE = {
    "no source": (["nowhere", "out"], "is not there"),
    "size": (["{source}", "out", "--size", "0"], "0 is not a positive number"),
    "vast": (["{source}", "out", "--size", "100000"], "--size 100000x100000"),
    "quality": (["{source}", "out", "--quality", "101"], "--quality 101"),
    "both": (["{source}", "out", "--quality", "90", "--lossless"], "not allowed with"),
    "shard": (["{source}", "out", "--shard", "3/2"], "3/2 is not I/N"),
    "shard of a cluster": (["{source}", "out", "--cluster", "slurm"], "go together"),
    "option": (
        ["{source}", "out", "--cluster", "debug", "--shards", "1", "--cluster-option", "x"],
        "KEY=VALUE",
    ),
    "unknown option": (
        ["{source}", "out", "--cluster", "debug", "--shards", "1", "--cluster-option", "x=1"],
        "--cluster debug: ",
    ),
    "into itself": (["{source}", "{source}"], "name a new folder"),
    "inside": (["{source}", "{source}/train/store"], "store: is where the clips are; name a new folder out"),
    "share": (["{source}", "out", "--max-skipped-share", "2"], "2 is not from 0 to 1"),
    "a store of a store": (["{store}", "out"], "is a prepared store already"),
    "otherwise": (["{source}", "{store}", "--size", "32"], "made otherwise"),
}


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_is_one_line(source, store, tmp_path, monkeypatch, capsys, name):
    arguments, message = NONSENSE[name]
    if "cluster-option" in " ".join(arguments):
        pytest.importorskip("submitit")
    monkeypatch.chdir(tmp_path)
    before = content(store)
    assert main(["data", "prepare", *(word.format(source=source, store=store) for word in arguments)]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert len(told.splitlines()) == 1
    assert content(store) == before
    assert not list(tmp_path.rglob("*.tar"))


@pytest.mark.slow
def test_killed_at_any_moment(source, store, tmp_path):
    """SIGKILL of the command at random moments; the last run completes the store."""
    mine, rng = tmp_path / "store", random.Random(7)
    command = [sys.executable, "-m", "animate.cli", "data", "prepare", str(source), str(mine), *OPTIONS]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for _ in range(20):
        run = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.3, 5))
        run.send_signal(signal.SIGKILL)
        run.wait()
        if (mine / "store.json").exists():
            assert not list(StoreIndex(mine).torn_parts())
    assert subprocess.run(command, env=environment, check=False).returncode == 0
    assert content(mine) == content(store)
