"""``animate inpaint compare`` as a whole, with tiny networks; and what is refused."""

from __future__ import annotations

import argparse
import csv
import json
import math

import numpy as np
import pytest
import torch
from PIL import Image

from animate import checkpoints
from animate.cli import inpaint_compare, inpaint_scenes
from animate.cli.inpaint_scenes import Compared
from animate.cli.main import main
from animate.data.export import write_clip
from animate.data.hole_shapes import Silhouettes
from animate.data.holes import Holes
from animate.data.index import FolderIndex
from animate.data.peopled import Peopled, PeopledScenes
from animate.data.scenes import SceneFolderIndex
from animate.data.synthetic import PuppetIndex
from animate.errors import UserError
from animate.networks.inpainting import BackgroundInpainter
from animate.ops.person_masks import VARIANTS
from animate.pipelines.inpaint import NetworkFiller
from animate.reports import backgrounds as reports
from animate.training import annotators
from animate.video.encode import VideoWriter
from animate.video.image import read_image, write_image

SIDE = 32
FILLS = ["telea", "navier_stokes", "nearest_pixel"]
MATTES = [f"matte_{name}" for name in VARIANTS]


def save_network(path, seed, side=SIDE):
    torch.manual_seed(seed)
    networks = BackgroundInpainter("impersonator", (4, 8), 1, image_size=side)
    state = {f"networks.{key}": value for key, value in networks.state_dict().items()}
    checkpoints.save(path, {"state_dict": state}, checkpoints.describe("inpainting", networks.arguments))
    return path


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Networks, scenes with one that is cut short and one that is no picture, and people with mattes."""
    folder = tmp_path_factory.mktemp("compare with späce")
    save_network(folder / "plain.ckpt", 0)
    save_network(folder / "varied.ckpt", 1)
    save_network(folder / "large.ckpt", 0, side=48)
    save_network(folder / "telea.ckpt", 0)
    scenes, rng = folder / "scenes", np.random.default_rng(0)
    scenes.mkdir()
    for number in range(2):
        coarse = rng.integers(0, 256, (5, 6, 3))
        write_image(scenes / f"häuser {number}.png", np.kron(coarse, np.ones((8, 8, 1))).astype(np.uint8))
    Image.fromarray(rng.integers(0, 256, (40, 40, 4), np.uint8), "RGBA").save(scenes / "alpha.png")
    with VideoWriter(scenes / "walk.mp4", 25) as video:
        for number in range(3):
            video.write(np.full((48, 48, 3), 60 + 50 * number, np.uint8))
    whole = (scenes / "häuser 0.png").read_bytes()
    (scenes / "cut.png").write_bytes(whole[: len(whole) // 2])
    (scenes / "nothing.png").write_bytes(b"no picture")
    clip = PuppetIndex(test_clips=1, frames=3, kinds=["person"]).clips("test")[0]
    for name in ("people", "matteless"):
        write_clip(clip, folder / name, (48, 48), ".mp4")
    for sidecar in (folder / "matteless").glob("*mattes*"):
        sidecar.unlink()
    (folder / "empty").mkdir()
    return folder


@pytest.fixture
def call(place, monkeypatch, capfd):
    monkeypatch.chdir(place)

    def compare(*arguments):
        code = main(["inpaint", "compare", *map(str, arguments)])
        return code, capfd.readouterr()

    return compare


BOTH = ("--checkpoints", "plain.ckpt", "varied.ckpt")
REAL = ("--data", "scenes", "--people", "people", "--frames", "2")


def lines_of(folder):
    with (folder / "clips.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_folders_of_scenes_and_people(call, place, tmp_path):
    output = tmp_path / "new" / "täble"
    code, printed = call(*BOTH, *REAL, "--matte-backend", "puppet", "--output", output)
    assert code == 0, printed.err
    assert "4 scenes" in printed.out
    assert f"written to {output / 'table.md'}" in printed.out
    sheets = ["best.png", "typical.png", "worst.png"]
    files = sorted([".animate-results", "clips.csv", "comparison.json", "table.md", *sheets])
    assert sorted(path.name for path in output.iterdir()) == files
    lines = lines_of(output)
    rows = ["plain", "varied", *FILLS, "plate_from_video", *MATTES]
    assert [line["row"] for line in lines] == rows * 4
    names = ["alpha.png", "häuser 0.png", "häuser 1.png", "walk.mp4"]
    assert [line["scene"] for line in lines][:: len(rows)] == names
    for name in ("cut.png", "nothing.png"):
        told = [line for line in printed.err.splitlines() if line.startswith(f"skipped {name}")]
        assert len(told) == 1
        assert f"- {told[0]}" in (output / "table.md").read_text(encoding="utf-8").splitlines()
    record = json.loads((output / "comparison.json").read_text())
    assert record["provenance"]["data"] == str(place / "scenes")
    assert record["provenance"]["frames"] == 2
    cropped = [line["row"] for line in lines if line["crop_kept"]]
    assert cropped == ["matte_v3"] * 4
    sheet = read_image(output / "best.png")
    assert sheet.shape[1] > 13 * 128, "input, truth and eleven rows"
    again = call(*BOTH, *REAL, "--matte-backend", "puppet", "--output", output, "--overwrite")
    assert again[0] == 0, again[1].err
    assert lines_of(output) == lines


def test_the_numbers_are_those_of_the_network_in_the_true_hole(call, place, tmp_path):
    code, printed = call(*BOTH, *REAL, "--clips", "3", "--seed", "5", "--output", tmp_path / "out")
    assert code == 0, printed.err
    scenes = SceneFolderIndex(place / "scenes", flat="test", max_broken_share=1).clips("test")[:3]
    people = Silhouettes(FolderIndex(place / "people", flat="train"))
    data = PeopledScenes(scenes, Holes(people, (0.05, 0.3), inpaint_compare.DRIFT), 2, (SIDE, SIDE), 5)
    read = [data[number] for number in (0, 2)]  # the second is cut short
    for name in ("plain", "varied"):
        filler = NetworkFiller(checkpoints.load(place / f"{name}.ckpt", method="inpainting"))
        lines = [line for line in lines_of(tmp_path / "out") if line["row"] == name]
        assert [line["scene"] for line in lines] == [one.name for one in read]
        for line, one in zip(lines, read, strict=True):
            clean = torch.from_numpy(one.clean[1:]).movedim(-1, 1) / 255
            hole = torch.from_numpy(one.hole[1:, None])
            error = (filler(clean, hole) - clean).numpy()[0][:, one.hole[1] > 0]
            assert float(line["psnr_hole"]) == pytest.approx(-10 * math.log10((error**2).mean()), abs=1e-3)
            assert float(line["hole_share"]) == pytest.approx(one.hole[1].mean(), abs=1e-6)


def test_one_frame_leaves_out_what_needs_a_video(call, tmp_path):
    code, printed = call(*BOTH, "--clips", "2", "--frames", "1", "--output", tmp_path / "out")
    assert code == 0, printed.err
    lines = lines_of(tmp_path / "out")
    assert [line["row"] for line in lines] == ["plain", "varied", *FILLS] * 2
    assert not any("flicker" in name for name in lines[0])
    assert all(line["seam"] for line in lines)


def test_lpips_is_a_column_where_it_is_asked_for(call, tmp_path, monkeypatch):
    def distance(made, true):
        assert made.shape == true.shape == (1, 3, SIDE, SIDE)
        return torch.tensor([0.25])

    monkeypatch.setattr(inpaint_scenes, "_lpips", lambda: distance)
    code, printed = call(*BOTH, "--clips", "1", "--frames", "2", "--lpips", "--output", tmp_path / "out")
    assert code == 0, printed.err
    assert {line["lpips_alex"] for line in lines_of(tmp_path / "out")} == {"0.25"}


def test_lpips_without_its_weights_is_one_line(call, tmp_path, monkeypatch):
    def refused(net):
        raise UserError("no network here")

    monkeypatch.setattr(annotators, "lpips_distance", refused)
    code, printed = call(*BOTH, "--clips", "1", "--lpips", "--output", tmp_path / "out")
    assert code == 2
    assert printed.err == "animate: error: no network here\n"
    assert not (tmp_path / "out").exists()


def test_labels_that_look_like_markup_are_shown(call, place, tmp_path):
    save_network(tmp_path / "[bold]run.ckpt", 2)
    one = ("--checkpoints", tmp_path / "[bold]run.ckpt")
    code, printed = call(*one, "--clips", "1", "--frames", "1", "--output", tmp_path / "out")
    assert code == 0, printed.err
    assert "[bold]run" in printed.out
    assert "1 scene" in map(str.strip, printed.out.splitlines())


def test_files_of_one_name_are_told_apart(place, tmp_path):
    names = inpaint_compare._names([tmp_path / "a" / "x.ckpt", tmp_path / "b" / "x.ckpt"])
    assert names == ["a/x", "b/x"]
    assert inpaint_compare._names([tmp_path / "x.ckpt", tmp_path / "x.pth"]) == ["x.ckpt", "x.pth"]


def compared_by(place):
    parser = argparse.ArgumentParser()
    inpaint_compare.add_parser(parser.add_subparsers())
    args = parser.parse_args(
        ["compare", "--checkpoints", str(place / "plain.ckpt"), "--output", "x", "--matte-backend", "puppet"]
    )
    return Compared(args, inpaint_compare._networks(args.checkpoints))


def test_a_person_who_is_not_in_the_middle_frame_gives_no_numbers(place, tmp_path):
    """What is measured on the person or the hole is not defined then; such a scene is on no sheet."""
    compared, rng = compared_by(place), np.random.default_rng(0)
    clean = rng.integers(0, 256, (4, SIDE, SIDE, 3), np.uint8)
    matte = np.zeros((4, SIDE, SIDE), np.float32)
    matte[0, :8, :8] = 1
    gone = Peopled("gone", clean, clean, matte, matte)
    scene = compared.scene(gone)
    for row, found in scene.rows.items():
        for name in ("psnr_hole", "l1_hole", "ssim_hole", "l1_edge", "seam", "person_left"):
            assert math.isnan(found[name]), (row, name)
        assert math.isfinite(found["one_minus_ms_ssim"])
    assert math.isnan(scene.rows["matte_v3"]["crop_kept"])
    seen = matte.copy()
    seen[2, :8, :8] = 1
    other = compared.scene(Peopled("there", clean, clean, seen, seen))
    result = reports.Backgrounds([scene, other], "plain", {})
    reports.write(result, tmp_path)
    assert "nan" not in (tmp_path / "table.md").read_text(encoding="utf-8").lower()
    record = json.loads((tmp_path / "comparison.json").read_text(), parse_constant=pytest.fail)
    told = record["groups"]["all"]["plain"]["psnr_hole"]["value"]
    assert told == pytest.approx(other.rows["plain"]["psnr_hole"])
    assert reports.chosen(result, "plain")["worst"] == [1]
    assert set(compared.pictures(gone)) == {"input", "truth", *scene.rows}


@pytest.mark.parametrize("when", ["scene", "pictures"])
def test_an_interruption_leaves_nothing(call, tmp_path, monkeypatch, when):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Compared, when, interrupted)
    output = tmp_path / "new" / "out"
    code, printed = call(*BOTH, "--clips", "1", "--frames", "1", "--output", output)
    assert code == 130
    assert printed.err == "animate: error: interrupted\n"
    assert not any(tmp_path.iterdir())


ONE = ("--checkpoints", "plain.ckpt")
FEW = ("--clips", "1", "--frames", "1")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((*ONE, "--clips", "0"), "--clips 0: at least 1"),
        ((*ONE, "--frames", "0"), "--frames 0: at least 1"),
        ((*ONE, *FEW, "--share", "0.3", "0.1"), "share=[0.3, 0.1]"),
        ((*ONE, "./plain.ckpt"), "one is named twice"),
        ((*ONE, "large.ckpt"), "trained at different sizes (plain 32, large 48)"),
        (("--checkpoints", "telea.ckpt"), "telea: a checkpoint and another row have this name"),
        (("--checkpoints", "nowhere.ckpt"), "there is no checkpoint nowhere.ckpt"),
        ((*ONE, "--data", "nowhere"), "--data nowhere: no such folder"),
        ((*ONE, "--data", "plain.ckpt"), "--data plain.ckpt: no such folder"),
        ((*ONE, "--data", "empty"), "--data empty: no picture or video in it"),
        ((*ONE, "--people", "nowhere"), "--people nowhere: no such folder"),
        ((*ONE, "--people", "empty"), "--people empty: no clips in it"),
        ((*ONE, *FEW, "--people", "matteless"), "has no mattes; `animate annotate mattes`"),
        ((*ONE, "--matte-backend", "magic"), "there is no back-end 'magic'"),
        ((*ONE, "--matte-backend", "plain.ckpt"), "holds networks of the method inpainting"),
        ((), "the following arguments are required: --checkpoints"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(call, tmp_path, arguments, told):
    code, printed = call(*arguments, "--output", tmp_path / "new" / "out")
    assert code == 2
    assert told in printed.err
    assert printed.err.count("\n") == 1
    assert not any(tmp_path.iterdir())


def test_a_checkpoint_of_another_method_is_refused(call, checkpoint, tmp_path):
    code, printed = call("--checkpoints", checkpoint, "--output", tmp_path / "out")
    assert code == 2
    assert "holds networks of the method fomm; this works with those of inpainting" in printed.err


def test_what_lies_at_the_output_is_kept(call, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    for more in ((), ("--overwrite",)):
        code, printed = call(*ONE, *FEW, "--output", tmp_path, *more)
        assert code == 2
        assert str(tmp_path) in printed.err
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    assert call(*ONE, *FEW, "--output", tmp_path / "notes.txt")[0] == 2


def test_a_folder_with_nothing_that_can_be_read_is_refused(call, place, tmp_path):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "cut.png").write_bytes((place / "scenes" / "cut.png").read_bytes())
    code, printed = call(*ONE, *FEW, "--data", tmp_path / "bad", "--output", tmp_path / "out")
    assert code == 2
    assert printed.err.splitlines()[0].startswith("skipped cut.png: ")
    assert "no scene of it can be read" in printed.err.splitlines()[1]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [((), "--image or --video is missing"), (("--image", "x.png"), "--output is missing")],
)
def test_inpaint_without_its_arguments_is_one_line(capfd, arguments, told):
    assert main(["inpaint", *arguments]) == 2
    printed = capfd.readouterr()
    assert told in printed.err
    assert printed.err.count("\n") == 1
