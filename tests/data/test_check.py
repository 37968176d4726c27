import json
import shutil
import sys
import types

import numpy as np
import pytest
from clip_files import flat, moving, write_frames, write_gif, write_strip, write_video
from PIL import Image

from animate.cli.main import main
from animate.data.check import Finding, check, evenly, is_still
from animate.data.export import export
from animate.data.index import Clip, FolderIndex
from animate.data.manifest import ManifestIndex
from animate.data.sheet import contact_sheet
from spoiled import spoil_packets


@pytest.fixture(autouse=True)
def _own_cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user-cache"))


def mirrored(i):
    return moving(i)[:, ::-1]


@pytest.fixture
def root(tmp_path):
    """A data set without a fault."""
    root = tmp_path / "my data"
    write_video(root / "train/a.mp4", 10, moving)
    write_frames(root / "train/b", 5, moving)
    write_video(root / "test/c.mp4", 20, mirrored, fps=10)
    return root


def look(root, **options):
    index = FolderIndex(root, max_broken_share=1.0, id_sampling=options.get("id_sampling", False))
    return check(index.by_split, root=str(root), unreadable=index.problems, ignored=index.ignored, **options)


def test_nothing_wrong(root):
    report = look(root, repeats=3)
    assert report.ok
    assert report.findings == {}
    assert report.samples_per_epoch == 6
    train, test = report.splits["train"], report.splits["test"]
    assert (train.clips, train.subjects, train.frames, train.exact) == (2, 2, 15, False)
    assert train.sizes == {"64x64": 2}
    assert train.num_frames == (5, 10, 10)
    assert test.fps == {"10": 1}
    assert test.seconds == pytest.approx(2.0)
    assert look(root, decode=True).splits["train"].exact


def test_still_and_moving(tmp_path):
    noise = np.random.default_rng(0)

    def still(i):
        return (moving(0) * 0.9 + noise.integers(0, 3, (64, 64, 3))).astype(np.uint8)

    def blinking(i):
        image = moving(0)
        image[40:46, 40:50] = 60 * (i % 3)  # 60 of 4096 pixels
        return image

    write_video(tmp_path / "train/still.mp4", 20, still)
    write_video(tmp_path / "train/blinking.mp4", 20, blinking)
    write_video(tmp_path / "train/moving.mp4", 20, moving)
    assert look(tmp_path).findings[Finding.NEAR_STILL] == ("train/still.mp4: 20 frames of 20 compared",)


def test_a_loop_that_the_samples_hit_in_one_phase_is_not_still(tmp_path):
    write_frames(tmp_path / "train/loop", 17, lambda i: moving(i % 4))
    assert evenly(17, 5) == [0, 4, 8, 12, 16]
    assert Finding.NEAR_STILL not in look(tmp_path).findings


def test_the_rule_of_stillness():
    frames = np.full((3, 64, 64, 3), 100, np.uint8)
    frames[1] += 4
    assert is_still(frames)
    frames[2, 0, :40, 1] = 200  # 40 of 4096 pixels: below 1 %
    assert is_still(frames)
    frames[2, 0, :41, 1] = 200
    assert not is_still(frames)


def test_evenly():
    assert evenly(10, 4) == [0, 3, 6, 9]
    assert evenly(2, 5) == [0, 1]
    assert evenly(1, 5) == [0]


def test_copies_in_one_split_and_in_both(root):
    shutil.copy(root / "train/a.mp4", root / "train/other name.mov")
    shutil.copy(root / "train/a.mp4", root / "train/third.mp4")
    shutil.copytree(root / "train/b", root / "test/b2")
    findings = look(root).findings
    assert findings[Finding.DUPLICATE] == (
        "train/a.mp4 = train/other name.mov",
        "train/a.mp4 = train/third.mp4",
    )
    assert findings[Finding.LEAK] == ("train/b = test/b2",)


def test_files_of_equal_size_are_not_copies(root):
    content = (root / "train/a.mp4").read_bytes()
    (root / "train/d.mp4").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert Finding.DUPLICATE not in look(root).findings


def test_ranges_of_one_file_are_copies_when_they_overlap(root):
    lines = [("train", 0, 5), ("train", 5, 8), ("train", 7, 10), ("test", 0, 3)]
    text = "path,split,start,stop\n" + "".join(f"train/a.mp4,{s},{a},{b}\n" for s, a, b in lines)
    (root / "list.csv").write_text(text)
    findings = check(ManifestIndex(root / "list.csv").by_split, root="list.csv").findings
    assert findings[Finding.DUPLICATE] == ("train/train/a.mp4@5-8 = train/train/a.mp4@7-10",)
    assert findings[Finding.LEAK] == ("train/train/a.mp4@0-5 = test/train/a.mp4@0-3",)


def test_subjects(tmp_path):
    for name in ("train/id1#a", "train/id1#b", "train/id2#a", "test/id1#c"):
        write_strip(tmp_path / f"{name}.png", 4, side=16 + len(name) % 3)
    report = look(tmp_path, id_sampling=True, repeats=5)
    assert report.splits["train"].subjects == 2
    assert report.samples_per_epoch == 10
    assert report.findings[Finding.SHARED_SUBJECT] == ("id1",)
    assert Finding.SHARED_SUBJECT not in look(tmp_path).findings
    assert look(tmp_path, repeats=5).samples_per_epoch == 15


def test_clips_that_will_be_squeezed_are_told(root):
    write_video(root / "train/wide.mp4", 5, lambda i: moving(i, (64, 96)))
    report = look(root)
    assert report.findings == {Finding.NOT_SQUARE: ("train/wide.mp4: 96x64",)}
    assert report.ok


def test_short_unreadable_and_missing(root):
    write_video(root / "train/one.mp4", 1)
    (root / "train/zero.mp4").touch()
    shutil.rmtree(root / "test")
    report = look(root)
    assert not report.ok
    assert report.findings[Finding.TOO_SHORT] == ("train/one.mp4: 1 frame",)
    assert report.findings[Finding.UNREADABLE][0].startswith("train/zero.mp4: is empty")
    assert report.findings[Finding.EMPTY_SPLIT] == ("test",)


def test_damage_is_found_by_decoding(root):
    spoil_packets(root / "train/a.mp4", [9])
    (root / "train/b/3.png").write_bytes((root / "train/b/3.png").read_bytes()[:60])
    report = look(root, decode=True)
    damaged = report.findings[Finding.DAMAGED]
    assert [text.split(" frames")[0] for text in damaged] == ["train/a.mp4: 1 of 10", "train/b: 1 of 5"]
    assert "the last good one is 4" in damaged[1]
    assert root / "train/b" not in report.counts


def test_a_lost_end_corrects_the_count(tmp_path):
    write_video(tmp_path / "train/a.mkv", 30, moving)
    path = write_video(tmp_path / "train/b.mp4", 30, moving, gop=1)
    spoil_packets(path, range(25, 30))
    index = FolderIndex(tmp_path)
    report = check(index.by_split, root="", decode=True)
    assert report.counts == {path: 25, tmp_path / "train/a.mkv": 30}
    assert report.splits["train"].frames == 55
    index.correct(report.counts)
    assert [c.num_frames for c in FolderIndex(tmp_path).clips("train")] == [30, 25]
    assert look(tmp_path, decode=True).findings.get(Finding.DAMAGED) is None


def test_a_video_that_starts_late_is_counted_whole(tmp_path):
    write_video(tmp_path / "train/a.mkv", 23, moving, first_pts=50)
    assert FolderIndex(tmp_path).clips("train")[0].reader.info.unpack(tmp_path).times[0] == pytest.approx(2.0)
    assert look(tmp_path, decode=True).counts == {tmp_path / "train/a.mkv": 23}


def test_gif_and_strip_are_decoded_whole(tmp_path):
    write_gif(tmp_path / "train/a.gif", 6, moving)
    path = write_strip(tmp_path / "train/s.png", 6)
    assert look(tmp_path, decode=True).findings.get(Finding.DAMAGED) is None
    path.write_bytes(path.read_bytes()[:80])
    assert look(tmp_path, decode=True).findings[Finding.DAMAGED][0].startswith("train/s.png: 6 of 6")


def test_frames_of_several_sizes(root):
    Image.fromarray(flat(0, (10, 20))).save(root / "train/b/9.png")
    assert look(root, decode=True).findings[Finding.MIXED_SIZES] == ("train/b: 64x64 (5), 20x10 (1)",)


def test_verb_fine(root, tmp_path, capsys):
    assert (
        main(
            [
                "data",
                "check",
                str(root),
                "--sheet",
                str(tmp_path / "é s.png"),
                "--json",
                str(tmp_path / "r.json"),
            ]
        )
        == 0
    )
    out = capsys.readouterr().out
    assert "clips" in out
    assert "64x64 (2)" in out
    assert "Samples per epoch: 2" in out
    assert "Fine" in out
    assert "\x1b" not in out
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["ok"] is True
    assert report["splits"]["train"]["frames"] == 15
    sheet = np.array(Image.open(tmp_path / "é s.png"))
    assert sheet.shape[1] > 6 * 64
    assert (sheet == 0).all(axis=2).sum() > 3 * 5 * 64 * 64 // 2  # the black grounds of the frames are there


def test_verb_wrong(root, tmp_path, capsys):
    for i in range(12):
        (root / f"train/[bold]{i}.mp4").touch()
    assert main(["data", "check", str(root), "--decode", "--json", str(tmp_path / "r.json")]) == 1
    out = capsys.readouterr().out
    assert "files that cannot be read: 12" in out
    assert "train/[bold]0.mp4: is empty" in out
    assert "and 2 more" in out
    assert len(json.loads((tmp_path / "r.json").read_text())["findings"]["unreadable"]) == 12


def test_verb_takes_a_manifest(root, tmp_path, capsys):
    (tmp_path / "list.csv").write_text("path,split,subject\ntrain/a.mp4,train,x\ntest/c.mp4,test,\n")
    arguments = [
        "data",
        "check",
        str(tmp_path / "list.csv"),
        "--root",
        str(root),
        "--decode",
        "--id-sampling",
    ]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "every frame was decoded" in out
    assert "Samples per epoch: 1" in out
    assert ManifestIndex(tmp_path / "list.csv", root).clips("train")[0].exact


def test_sheet_shows_what_can_be_decoded(root):
    index = FolderIndex(root)
    whole = contact_sheet(index.by_split, columns=5)
    (root / "train/b/2.png").write_bytes(b"")
    damaged = contact_sheet(index.by_split, columns=5)
    changed = (whole != damaged).any(axis=2)
    assert changed[:, : changed.shape[1] // 6 * 3].sum() == 0  # name, first and second frame
    assert 1000 < changed.sum() < 96 * 96
    assert look(root).findings[Finding.DAMAGED][0].startswith("train/b")


def test_verb_prints_any_name_in_one_line(root, tmp_path, capsys):
    (root / "train/bad\n\x1b[31mé.mp4").touch()
    assert main(["data", "check", str(root), "--json", str(tmp_path / "r.json")]) == 1
    assert "train/bad??[31mé.mp4: is empty" in capsys.readouterr().out


def test_verb_flat(root, capsys):
    assert main(["data", "check", str(root / "train")]) == 0
    assert "read as one split" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["{tmp}/nowhere"], "data=puppets"),
        (["{tmp}/empty"], "no clips"),
        (["{root}", "--sheet", "{tmp}/s.gif"], "png or .jpg"),
        (["{root}", "--sheet", "{tmp}/none/s.png"], "does not exist"),
        (["{root}", "--repeats", "0"], "positive"),
        (["{root}", "--strip-size", "axb"], "HEIGHTxWIDTH"),
        (["{root}/train/a.mp4"], "no CSV"),
    ],
)
def test_verb_bad_input(root, tmp_path, capsys, arguments, told):
    (tmp_path / "empty").mkdir()
    assert main(["data", "check", *(text.format(tmp=tmp_path, root=root) for text in arguments)]) == 2
    err = capsys.readouterr().err
    assert told in err
    assert err.startswith("animate: error: ")
    assert err.count("\n") == 1


class Drawing:
    """Clips drawn on demand, with truth that is a closed form of the frame number."""

    problems = ()

    def clips(self, split):
        return [Clip(f"{split}_{n}", "s", None, 40, True, 25.0, (64, 64), self) for n in range(2)]

    def open(self, _clip):
        return self

    def frames(self, indices, size):
        assert size == (64, 64)
        return np.stack([moving(i % 20) for i in indices])

    def truth(self, indices, _size):
        points = np.array([[[i / 40, -i / 40]] for i in indices], np.float32)
        visible = points[..., 0] > 0.5
        layout = np.asarray("hand21")
        return {"points": points, "visible": visible, "identity": np.int64(7), "layout": layout, "extra": 1}


@pytest.mark.parametrize("suffix", [".mp4", ""])
def test_export_reads_back(tmp_path, suffix):
    export(Drawing(), tmp_path / "out é", ("train", "test"), (64, 64), suffix)
    index = FolderIndex(tmp_path / "out é")
    assert [c.name for c in index.clips("test")] == [f"test_0{suffix}", f"test_1{suffix}"]
    assert index.ignored == []
    clip = index.clips("train")[1]
    assert (clip.num_frames, clip.size, clip.fps) == (40, (64, 64), 25.0)
    frames = clip.reader.open(clip).frames([0, 39], None)
    np.testing.assert_allclose(frames[1].mean(), moving(19).mean(), atol=3)
    truth = clip.reader.open(clip).truth(range(40), None)
    assert set(truth) == {"points", "visible", "identity", "layout"}
    np.testing.assert_allclose(truth["points"][:, 0, 0], np.arange(40) / 40)
    assert truth["visible"].sum() == 19
    assert (truth["identity"], truth["layout"]) == (7, "hand21")
    assert (tmp_path / "out é/contact_sheet.png").is_file()
    assert not [path for path in tmp_path.iterdir() if "part" in path.name]


def test_export_to_a_link_writes_where_it_leads(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "disk/real")
    export(Drawing(), tmp_path / "out", ("train",), (64, 64))
    assert (tmp_path / "out").is_symlink()
    assert (tmp_path / "disk/real/contact_sheet.png").is_file()


def test_export_leaves_nothing_behind(tmp_path, monkeypatch):
    def failing(self, indices, size):
        raise RuntimeError("out of paint")

    monkeypatch.setattr(Drawing, "frames", failing)
    with pytest.raises(RuntimeError):
        export(Drawing(), tmp_path / "out", ("train",), (64, 64))
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def stand_in(monkeypatch):
    """The arguments that the puppets were asked for with; drawn by ``Drawing`` instead."""
    asked = {}

    class PuppetIndex(Drawing):
        def __init__(self, *, train_clips, val_clips, test_clips, frames, size, seed):
            asked.update(
                train=train_clips, val=val_clips, test=test_clips, frames=frames, size=size, seed=seed
            )

    module = types.ModuleType("animate.data.synthetic")
    module.PuppetIndex = PuppetIndex
    monkeypatch.setitem(sys.modules, "animate.data.synthetic", module)
    return asked


def test_puppets_verb_asks_for_what_it_was_told(stand_in, tmp_path, capsys):
    numbers = ["--clips", "2", "--test-clips", "3", "--size", "64", "--frames", "40", "--seed", "9"]
    assert main(["data", "puppets", "--output", str(tmp_path / "p"), "--format", "png", *numbers]) == 0
    assert stand_in == {"train": 2, "val": 1, "test": 3, "frames": 40, "size": 64, "seed": 9}
    assert len(list((tmp_path / "p/train/train_0").glob("*.png"))) == 40
    assert "data.root=" in capsys.readouterr().out


def test_puppets_verb_refuses_a_full_folder(stand_in, root, capsys):
    before = sorted(root.rglob("*"))
    assert main(["data", "puppets", "--output", str(root)]) == 2
    assert "not an empty folder" in capsys.readouterr().err
    assert sorted(root.rglob("*")) == before


def test_puppets_as_files_show_the_puppets(tmp_path):
    PuppetIndex = pytest.importorskip("animate.data.synthetic").PuppetIndex  # noqa: N806
    arguments = ["--clips", "2", "--test-clips", "1", "--size", "64", "--frames", "4", "--format", "png"]
    assert main(["data", "puppets", "--output", str(tmp_path / "p"), *arguments]) == 0
    drawn = PuppetIndex(train_clips=2, val_clips=1, test_clips=1, frames=4, size=64, seed=0).clips("train")[1]
    written = FolderIndex(tmp_path / "p").clips("train")[1]
    assert written.name == drawn.name
    wanted = drawn.reader.open(drawn).frames(range(4), (64, 64))
    np.testing.assert_array_equal(written.reader.open(written).frames(range(4), None), wanted)
