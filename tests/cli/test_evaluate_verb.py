from __future__ import annotations

import csv
import json
import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from animate.cli import main
from animate.metrics.evaluation import COPY_FIRST_FRAME, MODEL, PREVIOUS_FRAME
from animate.reports.record import read_record
from animate.video.image import write_image

if TYPE_CHECKING:
    from pathlib import Path

SIZES = {"a": 5, "deep/b": 18, "c": 1}  # frames of each clip; 18 is more than a chunk


def drawn(name: str, count: int, noise: float) -> np.ndarray:
    """Frames in which a square walks, with noise of its own seed."""
    random = np.random.default_rng(len(name))
    frames = np.full((count, 24, 32, 3), 60, np.float64)
    for i, frame in enumerate(frames):
        frame[6:16, i : i + 10] = (200, 150, 90)
    return (frames + noise * random.normal(size=frames.shape)).clip(0, 255).round().astype(np.uint8)


def write_frames(folder: Path, frames: np.ndarray) -> Path:
    folder.mkdir(parents=True)
    for i, frame in enumerate(frames):
        write_image(folder / f"{i:04d}.png", frame)
    return folder


@pytest.fixture(scope="module")
def places(tmp_path_factory) -> Path:
    """``theirs`` as it should be, ``ours`` with noise, as folders of frames."""
    root = tmp_path_factory.mktemp("pairs")
    for name, count in SIZES.items():
        write_frames(root / "ours" / name, drawn(name, count, 8.0))
        write_frames(root / "theirs" / name, drawn(name, count, 0.0))
    return root


@pytest.fixture
def call(tmp_path, capfd):
    (tmp_path / "results").mkdir()

    def run(prediction: Path, target: Path, *options: object):
        output = tmp_path / "results" / "report"
        paths = ("--prediction", prediction, "--target", target, "--output", output, "--device", "cpu")
        code = main(["evaluate", *map(str, paths), *map(str, options)])
        return code, output, capfd.readouterr()

    return run


@pytest.fixture
def refused(call, tmp_path):
    """The one line of a call that fails, which leaves nothing behind."""

    def run(*arguments: object) -> str:
        code, _, printed = call(*arguments)
        assert code == 2
        (line,) = printed.err.splitlines()
        assert line.startswith("animate: error: ")
        assert not list((tmp_path / "results").iterdir())
        return line

    return run


def all_frames(noise: float) -> dict[str, np.ndarray]:
    return {name: drawn(name, count, noise) / 255 for name, count in SIZES.items()}


def test_the_numbers_are_those_of_the_formulas(call, places) -> None:
    code, output, printed = call(places / "ours", places / "theirs", "--metrics", "l1,psnr,flicker")
    assert code == 0, printed.err
    evaluation = read_record(output / "metrics.json")
    ours, theirs = all_frames(8.0), all_frames(0.0)
    l1 = {n: np.abs(ours[n] - theirs[n]).mean((1, 2, 3)) for n in SIZES}
    square = {n: ((ours[n] - theirs[n]) ** 2).mean((1, 2, 3)) for n in SIZES}
    row = evaluation.rows[MODEL]
    assert row["l1"].value == pytest.approx(np.concatenate(list(l1.values())).mean(), rel=1e-5)
    psnr = -10 * np.log10(np.concatenate(list(square.values())))
    assert row["psnr"].value == pytest.approx(psnr.mean(), rel=1e-5)
    assert {clip.name: clip.frames for clip in evaluation.clips} == SIZES
    for clip in evaluation.clips:
        assert clip.values[MODEL]["l1"] == pytest.approx(l1[clip.name].mean(), rel=1e-5)
    assert row["l1"].frames == sum(SIZES.values())
    with (output / "per_clip.csv").open() as file:
        assert [entry["clip"] for entry in csv.DictReader(file)] == sorted(SIZES)
    for text in ("l1 ↓", "psnr ↑ dB", "copy first frame", "95 % interval", "report.html"):
        assert text in printed.out


def test_baselines_come_from_the_target(call, places) -> None:
    _, output, _ = call(places / "ours", places / "theirs", "--metrics", "l1")
    rows = read_record(output / "metrics.json").rows
    theirs = all_frames(0.0)
    copy = np.concatenate([np.abs(f - f[:1]).mean((1, 2, 3)) for f in theirs.values()])
    before = [np.abs(f - np.concatenate([f[:1], f[:-1]])).mean((1, 2, 3)) for f in theirs.values()]
    assert rows[COPY_FIRST_FRAME]["l1"].value == pytest.approx(copy.mean(), rel=1e-5)
    assert rows[PREVIOUS_FRAME]["l1"].value == pytest.approx(np.concatenate(before).mean(), rel=1e-5)


def test_a_folder_with_itself_is_perfect(call, places) -> None:
    _, output, printed = call(places / "theirs", places / "theirs")
    evaluation = read_record(output / "metrics.json")
    assert evaluation.rows[MODEL]["l1"].value == 0
    assert evaluation.rows[MODEL]["ssim"].value == pytest.approx(1)
    assert evaluation.warnings == []
    assert "warning" not in printed.out
    assert evaluation.provenance["codec"] == {"target": ["png"], "prediction": ["png"]}
    assert evaluation.provenance["crop"] == "whole frames at their own size"


def test_lossy_inputs_are_warned_of_and_written_down(call, make_video, tmp_path) -> None:
    video = make_video(tmp_path / "x.mp4", 6)
    _, output, printed = call(video, video, "--metrics", "l1")
    evaluation = read_record(output / "metrics.json")
    assert evaluation.provenance["codec"] == {"target": ["h264"], "prediction": ["h264"]}
    assert any("predictions are stored with loss (h264)" in warning for warning in evaluation.warnings)
    assert "warning: the predictions are stored with loss (h264): the codec changes" in printed.out


def test_masks_and_resize(call, places, tmp_path) -> None:
    for name, count in SIZES.items():
        masks = np.zeros((count, 24, 32, 3), np.uint8)
        masks[:, :, :16] = 255
        write_frames(tmp_path / "masks" / name, masks)
    options = ("--mask", tmp_path / "masks", "--metrics", "l1,l1_inside_person")
    code, output, printed = call(places / "ours", places / "theirs", *options)
    assert code == 0, printed.err
    inside = [
        np.abs(o - t)[:, :, :16].mean((1, 2, 3))
        for o, t in zip(all_frames(8.0).values(), all_frames(0.0).values(), strict=True)
    ]
    row = read_record(output / "metrics.json").rows[MODEL]
    assert row["l1_inside_person"].value == pytest.approx(np.concatenate(inside).mean(), rel=1e-5)
    code, output, printed = call(
        places / "ours", places / "theirs", *options, "--resize", "16x12", "--overwrite"
    )
    assert code == 0, printed.err
    evaluation = read_record(output / "metrics.json")
    assert evaluation.provenance["crop"] == "whole frames, stretched to 16x12"
    assert evaluation.rows[MODEL]["l1"].value < row["l1"].value  # resizing averages the noise


def test_a_clip_that_breaks_is_left_out_and_named(call, places, tmp_path) -> None:
    for name, count in SIZES.items():
        write_frames(tmp_path / "ours" / name, drawn(name, count, 8.0))
    (tmp_path / "ours/deep/b/0011.png").write_bytes(b"no picture")
    code, output, printed = call(tmp_path / "ours", places / "theirs", "--metrics", "l1")
    assert code == 0, printed.err
    evaluation = read_record(output / "metrics.json")
    assert [clip.name for clip in evaluation.clips] == ["a", "c"]
    (told,) = evaluation.skipped
    assert told.startswith("deep/b: ")
    assert "0011.png" in told
    assert "left out: deep/b" in printed.out
    copied = json.loads((output / "metrics.json").read_text())
    assert all(math.isfinite(summary["value"]) for summary in copied["rows"][MODEL].values())


def test_puppets_need_no_back_end_to_be_named(call, places) -> None:
    """There are none in these pictures, which is counted and not an error."""
    code, output, printed = call(places / "theirs", places / "theirs", "--metrics", "l1,akd_puppet")
    assert code == 0, printed.err
    assert read_record(output / "metrics.json").rows[MODEL]["akd_puppet"].frames == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--metrics", "l1,nonsense"], "there is no 'nonsense'"),
        (["--metrics", ","], "name at least one metric"),
        (["--metrics", "csim"], "csim: no back-end for the identity was chosen"),
        (["--metrics", "keypoint_stability"], "keypoint_stability: there is no model"),
        (["--metrics", "l1,l1_inside_person"], "l1_inside_person: no back-end for the person of the target"),
        (["--metrics", "ssim_outside_face"], "ssim_outside_face: no back-end for the face of the target"),
        (["--metrics", "ms_ssim"], "none of the metrics can be computed; ms_ssim: MS-SSIM with 5 scales"),
        (["--landmarks", "nobody"], "there is no back-end 'nobody'"),
        (["--resize", "big"], "'big' is no size"),
        (["--resize", "0x5"], "'0x5' is no size"),
        (["--mask", "nowhere"], "nowhere: no such file or folder"),
    ],
)
def test_bad_options(refused, places, options, message) -> None:
    assert message in refused(places / "ours", places / "theirs", *options)


def test_bad_places(refused, places, make_video, tmp_path) -> None:
    nowhere = tmp_path / "nowhere"
    assert "no such file or folder" in refused(nowhere, places / "theirs")
    assert "has no counterpart" in refused(places / "ours", places / "theirs" / "deep")
    short, long = make_video(tmp_path / "short.mp4", 4), make_video(tmp_path / "long.mp4", 5)
    assert "has 4 frames" in refused(short, long)
    wide = make_video(tmp_path / "wide.mp4", 4, 48, 96)
    assert "--resize" in refused(short, wide)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    assert "none of its clips can be read" in refused(broken, long)
    (tmp_path / "nothing").mkdir()
    assert "holds neither videos nor pictures" in refused(tmp_path / "nothing", long)


def test_results_are_never_overwritten_unasked(call, places, tmp_path) -> None:
    options = (places / "theirs", places / "theirs", "--metrics", "l1")
    assert call(*options)[0] == 0
    code, output, printed = call(*options)
    assert code == 2
    assert "--overwrite" in printed.err
    assert call(*options, "--overwrite")[0] == 0
    (output / ".animate-results").unlink()
    code, _, printed = call(*options, "--overwrite")
    assert code == 2
    assert "holds something else" in printed.err
