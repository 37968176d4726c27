"""A prepared store gives what its source gives, from any place, and never anything torn or made up."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import shutil
import subprocess
import sys
import tarfile
import zlib
from dataclasses import replace
from pathlib import Path

import fsspec
import numpy as np
import pytest
from clip_files import levels, write_frames, write_gif, write_video
from PIL import Image

from animate.data.check import Finding, check
from animate.data.export import export
from animate.data.folder import folder_index
from animate.data.index import FolderIndex
from animate.data.manifest import ManifestIndex
from animate.data.module import VideoDataModule
from animate.data.store.index import StoreIndex
from animate.data.store.layout import TABLE, PartIndex, StoreError
from animate.data.store.part import write_part
from animate.data.store.plan import Recipe, begin, plan_of
from animate.data.store.prepare import finish, working
from animate.data.synthetic import PuppetIndex
from animate.data.views import FramePair, Reconstruction
from animate.errors import UserError
from animate.video.atomic import temporary_file, temporary_name
from animate.video.decode import FrameError

SIZE = (48, 48)
LOSSLESS = Recipe(SIZE, None, part_frames=8)


def prepare(source, folder, recipe=LOSSLESS):
    """As the command does, in this process."""
    plan = plan_of(source, recipe)
    begin(folder, plan)
    for part in plan.pending(folder, plan.parts):
        write_part(folder, part, recipe, plan.digest, lambda _: None)
    return finish(folder, plan)


def left_by_a_killed_process(target):
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    name = temporary_name(target).name.replace(f"-{os.getpid()}-", f"-{gone.pid}-")
    (target.parent / name).write_bytes(b"torn")


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Puppets with their truth and mattes, as mp4, and a folder of frames and a GIF beside them."""
    folder = tmp_path_factory.mktemp("source") / "data"
    drawn = PuppetIndex(train_clips=2, val_clips=1, test_clips=1, frames=6, size=48)
    export(drawn, folder, ("train", "test"), SIZE)
    write_frames(folder / "train" / "id7_walk", 5)
    write_gif(folder / "train" / "id7_run.gif", 5)
    return folder


@pytest.fixture(scope="module")
def store(source, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stores") / "lossless"
    prepare(FolderIndex(source), folder)
    return folder


@pytest.fixture
def mine(store, tmp_path):
    """A copy that a test may spoil."""
    return Path(shutil.copytree(store, tmp_path / "mine"))


def batches(root):
    data = VideoDataModule(
        folder_index(root),
        image_size=48,
        batch_size=2,
        train_view=FramePair(),
        eval_view=Reconstruction(frames=3),
        num_workers=0,
        repeats=2,
    )
    return [*data.train_dataloader(), *data.val_dataloader()]


def test_batches_are_those_of_the_source(source, store):
    """Without loss, at the size of training: the same clips, draws and pixels."""
    pairs = list(zip(batches(source), batches(store), strict=True))
    assert len(pairs) > 3
    for ours, theirs in pairs:
        assert ours["clip"] == theirs["clip"]
        assert not theirs["skipped"]
        assert ours["tensors"].keys() == theirs["tensors"].keys()
        for key, value in ours["tensors"].items():
            assert value.equal(theirs["tensors"][key])


def test_clips_keep_what_is_known_of_them(source, store):
    there, here = FolderIndex(source, id_sampling=True), StoreIndex(store, id_sampling=True)
    for split in ("train", "val", "test"):
        facts = [
            [(c.name, c.subject, c.num_frames, c.fps) for c in index.clips(split)] for index in (there, here)
        ]
        assert facts[0] == facts[1]
    assert {"id7"} < {clip.subject for clip in here.clips("train")}
    assert here.header.psnr is None
    assert not here.problems


def test_annotations_come_along(source, store):
    clips = [
        [c for c in index.clips("train") if "mp4" in c.name]
        for index in (FolderIndex(source), StoreIndex(store))
    ]
    for ours, theirs in zip(*clips, strict=True):
        frames = [4, 0, 4]
        known = [clip.reader.open(clip).truth(frames, (24, 24)) for clip in (ours, theirs)]
        assert set(known[0]) == set(known[1]) == {"points", "visible", "identity", "layout", "person_mask"}
        for key in known[0]:
            np.testing.assert_array_equal(known[0][key], known[1][key])
    folder = next(clip for clip in StoreIndex(store).clips("train") if clip.name == "id7_walk")
    assert not folder.reader.open(folder).truth([0], SIZE)


def test_a_part_is_a_plain_tar_of_pictures(store):
    index = StoreIndex(store)
    clip = index.clips("train")[0]
    frames = clip.reader.open(clip).frames(range(clip.num_frames), None)
    with tarfile.open(clip.path) as tar:
        names = [
            name for name in tar.getnames() if name.startswith("00000-000000/") and name.endswith(".webp")
        ]
        assert len(names) == clip.num_frames
        for name, frame in zip(sorted(names), frames, strict=True):
            np.testing.assert_array_equal(np.asarray(Image.open(tar.extractfile(name))), frame)
    stated = {part.name: part.tar for part in index.header.parts}
    for name, file in stated.items():
        content = (store / f"{name}.tar").read_bytes()
        assert len(content) == file.size
        assert hashlib.blake2b(content, digest_size=16).hexdigest() == file.digest


def test_loss_is_stated_as_it_is(source, tmp_path):
    header = prepare(FolderIndex(source), tmp_path / "lossy", Recipe(SIZE, 60))
    errors = []
    for split in ("train", "test"):
        for ours, theirs in zip(
            FolderIndex(source).clips(split), StoreIndex(tmp_path / "lossy").clips(split), strict=True
        ):
            both = [c.reader.open(c).frames(range(c.num_frames), SIZE).astype(float) for c in (ours, theirs)]
            errors += list(((both[0] - both[1]) ** 2).mean(axis=(1, 2, 3)))
    assert header.psnr == pytest.approx(10 * np.log10(255**2 / np.mean(errors)))
    assert header.worst_psnr == pytest.approx(10 * np.log10(255**2 / np.max(errors)))
    assert 20 < header.worst_psnr < header.psnr < 50
    assert header.codec == "jpeg"


def test_ranges_of_a_manifest(source, tmp_path):
    clip = FolderIndex(source).clips("train")[-1]
    lines = [
        {"path": f"train/{clip.name}", "split": "test", "subject": "ann", "start": 2, "stop": 5},
        {"path": f"train/{clip.name}", "split": "train", "subject": "ann", "start": 0, "stop": 4},
    ]
    manifest = source.parent / "list.jsonl"
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))
    index = ManifestIndex(manifest, source)
    prepare(index, tmp_path / "store")
    stored = StoreIndex(tmp_path / "store")
    for split in ("train", "test"):
        (ours,), (theirs,) = index.clips(split), stored.clips(split)
        assert (ours.name, ours.subject, ours.num_frames) == (theirs.name, theirs.subject, theirs.num_frames)
        one, other = ours.reader.open(ours), theirs.reader.open(theirs)
        np.testing.assert_array_equal(one.frames([0, 2], SIZE), other.frames([0, 2], SIZE))
        np.testing.assert_array_equal(one.truth([1, 2], SIZE)["points"], other.truth([1, 2], SIZE)["points"])
    report = check(stored.by_split, root="")
    assert len(report.findings[Finding.LEAK]) == 1  # frames 2 and 3 are in both


def test_shards_and_a_run_that_was_stopped_give_the_same_store(source, store, tmp_path):
    index = FolderIndex(source)
    plan = plan_of(index, LOSSLESS)
    assert len(plan.parts) > 2
    folder = tmp_path / "store"
    begin(folder, plan)
    for part in plan.shard(2, 2):
        write_part(folder, part, LOSSLESS, plan.digest, lambda _: None)
    assert finish(folder, plan) is None
    with pytest.raises(UserError, match="not whole yet"):
        folder_index(folder)
    first, *rest = plan.shard(1, 2)
    left_by_a_killed_process(folder / f"{first.name}.tar")
    left_by_a_killed_process(folder / "plan.json")
    (folder / f"{first.name}.tar").write_bytes(b"its index is not written yet")
    done = [folder / f"{part.name}.tar" for part in plan.shard(2, 2)]
    times = [path.stat().st_mtime_ns for path in done]
    assert plan.pending(folder, plan.parts) == [first, *rest]
    prepare(index, folder)
    assert files(folder) == files(store)
    assert times == [path.stat().st_mtime_ns for path in done]


def test_a_run_that_ends_leaves_what_another_one_writes_at_this_moment(source, tmp_path):
    folder = tmp_path / "store"
    plan = plan_of(FolderIndex(source), LOSSLESS)
    begin(folder, plan)
    (folder / ".shard-1-of-1.lock").touch()  # of a run that was killed
    left_by_a_killed_process(folder / "part-00001.tar")
    with working(folder, 1, 2), temporary_file(folder / "part-00000.tar") as theirs:
        theirs.write_bytes(b"so far")
        assert prepare(FolderIndex(source), folder) is not None
        theirs.write_bytes((folder / "part-00000.tar").read_bytes())
        assert (folder / ".shard-1-of-2.lock").exists()
    finish(folder, plan)
    assert not list(folder.glob(".*"))


def test_shards_may_begin_one_store_at_the_same_moment(source, tmp_path):
    folder = tmp_path / "store"
    plan = plan_of(FolderIndex(source), LOSSLESS)
    folder.mkdir()
    with temporary_file(folder / "plan.json") as theirs:
        theirs.write_text("{")
        begin(folder, plan)
        theirs.write_bytes((folder / "plan.json").read_bytes())
    begin(folder, plan)
    assert set(files(folder)) == {"plan.json"}


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"{}", b"\xff", b"[" * 100_000])
def test_a_damaged_plan_is_named(source, mine, text):
    (mine / "plan.json").write_bytes(text)
    with pytest.raises(UserError, match=r"plan\.json is damaged; delete .*mine, or name a new folder"):
        begin(mine, plan_of(FolderIndex(source), LOSSLESS))


def test_a_failed_part_leaves_nothing(source, tmp_path):
    plan = plan_of(FolderIndex(source), LOSSLESS)
    begin(tmp_path / "store", plan)

    def stop(_):
        raise UserError("stop")

    with pytest.raises(UserError, match="stop"):
        write_part(tmp_path / "store", plan.parts[0], LOSSLESS, plan.digest, stop)
    assert set(files(tmp_path / "store")) == {"plan.json"}


def test_another_store_is_not_touched(source, mine, tmp_path):
    before = files(mine)
    for recipe in (replace(LOSSLESS, quality=90), replace(LOSSLESS, size=(32, 32))):
        with pytest.raises(UserError, match="made otherwise"):
            prepare(FolderIndex(source), mine, recipe)
    assert files(mine) == before
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("dear")
    with pytest.raises(UserError, match="neither an empty folder nor a store"):
        prepare(FolderIndex(source), tmp_path / "full")


def test_damage_in_the_source_is_named_and_costs_no_more_than_it_must(tmp_path):
    write_frames(tmp_path / "data" / "train" / "walk", 6)
    write_frames(tmp_path / "data" / "train" / "run", 6)
    write_video(tmp_path / "data" / "test" / "whole.mp4", 6)
    (tmp_path / "data" / "train" / "walk" / "3.png").write_bytes(b"no picture")
    (tmp_path / "data" / "train" / "run" / "1.png").write_bytes(b"no picture")
    header = prepare(FolderIndex(tmp_path / "data"), tmp_path / "store")
    assert len(header.left_out) == 2
    assert "train/run: only 1 of its 6 frames" in header.left_out[0]
    (walk,) = StoreIndex(tmp_path / "store").clips("train")
    assert (walk.name, walk.num_frames) == ("walk", 3)
    assert levels(walk.reader.open(walk).frames([0, 1, 2], None)) == [0, 1, 2]


def test_a_torn_part_is_named_with_its_clips(mine):
    victim = mine / "part-00001.tar"
    victim.write_bytes(victim.read_bytes()[:-1000])
    with pytest.raises(UserError, match=r"part-00001.tar is torn: \d+ of \d+ bytes"):
        StoreIndex(mine)
    index = StoreIndex(mine, max_broken_share=0.9)
    lost = PartIndex.loads((mine / "part-00001.jsonl").read_bytes(), "").clips
    assert len(index.problems) == len(lost) > 0
    assert all(
        f"{clip.split}/{clip.name}" in problem for clip, problem in zip(lost, index.problems, strict=True)
    )
    victim.unlink()
    with pytest.raises(UserError, match=r"part-00001.tar is not there"):
        StoreIndex(mine)


def test_a_changed_byte_is_found_by_reading_and_by_checking(source, mine):
    clip = StoreIndex(mine).clips("train")[0]
    content = bytearray(clip.path.read_bytes())
    table = np.frombuffer(content, TABLE, count=clip.num_frames, offset=clip.reader.table[0])
    content[int(table[2]["offset"]) + 40] ^= 1
    clip.path.write_bytes(content)
    reader = clip.reader.open(clip)
    reader.frames([1, 3], None)
    with pytest.raises(FrameError, match=rf"part-00000.tar.*{clip.name}, frame 2: its checksum"):
        reader.frames([1, 2], None)
    index = StoreIndex(mine)
    report = check(index.by_split, root="", decode=True, unreadable=list(index.torn_parts()))
    assert "part-00000.tar: its checksum is wrong" in report.findings[Finding.UNREADABLE][0]
    assert f"train/{clip.name}: 1 of {clip.num_frames}" in report.findings[Finding.DAMAGED][0]
    clip.path.unlink()
    prepare(FolderIndex(source), mine)  # as the message says
    assert not list(StoreIndex(mine).torn_parts())


def spoil_header(folder, change):
    values = json.loads((folder / "store.json").read_text())
    change(values)
    (folder / "store.json").write_text(json.dumps(values))


def spoil_index(folder, change):
    """Change the index of the first part, and the header so that it fits: somebody means it."""
    place = folder / "part-00000.jsonl"
    head, clip, *rest = map(json.loads, place.read_text().splitlines())
    change(head, clip)
    text = "".join(json.dumps(line) + "\n" for line in (head, clip, *rest)).encode()
    place.write_bytes(text)

    def fit(values):
        values["parts"][0]["index"] = {
            "size": len(text),
            "digest": hashlib.blake2b(text, digest_size=16).hexdigest(),
        }
        values["parts"][0]["tar"] = head["tar"]

    spoil_header(folder, fit)


HOSTILE = {
    "part elsewhere": (spoil_header, lambda v: v["parts"][0].update(name="../../etc/passwd")),
    "part absolute": (spoil_header, lambda v: v["parts"][0].update(name="/etc/passwd")),
    "frames of a terapixel": (spoil_header, lambda v: v.update(size=[10**6, 10**6])),
    "huge index": (spoil_header, lambda v: v["parts"][0]["index"].update(size=10**15)),
    "no parts": (spoil_header, lambda v: v.pop("parts")),
    "deep": (lambda folder, _: (folder / "store.json").write_text("[" * 10**5), None),
    "a pickle": (lambda folder, _: (folder / "store.json").write_bytes(pickle.dumps({"format": 1})), None),
    "offset behind the end": (spoil_index, lambda _, c: c.update(table=[10**12, c["table"][1]])),
    "negative offset": (spoil_index, lambda _, c: c.update(table=[-8, c["table"][1]])),
    "frames that are not there": (spoil_index, lambda _, c: c.update(frames=10**9)),
    "sidecar elsewhere": (spoil_index, lambda _, c: c.update(annotations={"../../x.y.npz": [0, 10]})),
    "sidecar behind the end": (spoil_index, lambda _, c: c.update(annotations={"pose.x.npz": [0, 10**12]})),
    "a split of its own": (spoil_index, lambda _, c: c.update(split="../train")),
    "a quality beyond every float": (spoil_header, lambda v: v.update(psnr=10**400)),
    "a rate beyond every float": (spoil_index, lambda _, c: c.update(fps=10**400)),
    "a part of petabytes": (spoil_index, lambda h, _: h["tar"].update(size=1 << 60)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_index_is_refused_in_one_line(mine, name):
    spoil, change = HOSTILE[name]
    spoil(mine, change)
    with pytest.raises(StoreError) as caught:
        StoreIndex(mine)
    assert "\n" not in str(caught.value)
    assert str(mine) in str(caught.value)


def spoil_clip(folder, change):
    """Write over the table of the first clip, with a checksum that fits; return the clip."""
    clip = StoreIndex(folder).clips("train")[0]
    content = bytearray(clip.path.read_bytes())
    first, size = clip.reader.table
    table = np.frombuffer(content[first : first + size], TABLE).copy()
    change(table, content)
    content[first : first + size] = table.tobytes()
    clip.path.write_bytes(content)
    spoil_index(folder, lambda _, c: c.update(table_crc=zlib.crc32(table.tobytes())))
    return StoreIndex(folder).clips("train")[0]


def test_a_hostile_table_is_refused(mine):
    clip = spoil_clip(mine, lambda table, _: table["offset"].__setitem__(0, 2**64 - 1))
    with pytest.raises(FrameError, match="not in the part"):
        clip.reader.open(clip).frames([1], None)


def test_a_picture_that_claims_to_be_larger_is_not_decoded(mine):
    bomb = io.BytesIO()
    Image.new("L", (9000, 9000)).save(bomb, "WEBP", lossless=True)

    def plant(table, content):
        content[512 : 512 + bomb.tell()] = bomb.getvalue()
        table[0] = (512, bomb.tell(), zlib.crc32(bomb.getvalue()))

    clip = spoil_clip(mine, plant)
    with pytest.raises(FrameError, match="9000x9000"):
        clip.reader.open(clip).frames([0], None)


def test_an_object_store_is_read_by_ranges(store):
    """Through fsspec: the same arrays, and no more of a part than what is asked for."""
    memory = fsspec.filesystem("memory")
    memory.put(str(store), "/bucket/store", recursive=True)
    here, there = StoreIndex(store), folder_index("memory://bucket/store")
    one, other = here.clips("train")[0], there.clips("train")[0]
    np.testing.assert_array_equal(
        one.reader.open(one).frames([3, 1], None), other.reader.open(other).frames([3, 1], None)
    )
    known = [c.reader.open(c).truth([2], (24, 24)) for c in (one, other)]
    for key in known[0]:
        np.testing.assert_array_equal(known[0][key], known[1][key])
    with pytest.raises(UserError, match="no prepared store"):
        folder_index("memory://bucket/other")
    with pytest.raises(UserError, match="gopher"):
        folder_index("gopher://bucket/other")


def test_a_clip_in_the_index_is_small(store):
    clips = StoreIndex(store).clips("train")
    assert all(hash(clip) for clip in clips)
    assert len(pickle.dumps(clips)) / len(clips) < 1000
