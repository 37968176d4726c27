"""``animate matte``: pictures and videos whose figures are known, cut out by a back-end that finds them."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from animate import checkpoints
from animate.annotate import backends
from animate.cli import main
from animate.networks.u2net import U2NetMatting
from animate.video.decode import stream
from animate.video.encode import VideoWriter
from animate.video.image import write_image

SIZE = (40, 56)


def picture(left=10, top=8):
    image = np.full((*SIZE, 3), 60, np.uint8)
    image[top : top + 20, left : left + 20] = (230, 30, 20)
    return image


class Reds:
    """Finds what is red; batches are noted."""

    name, version = "reds", "1"
    batches: ClassVar[list[int]] = []

    def __call__(self, frames):
        self.batches.append(len(frames))
        return ((frames[..., 0] > 150) & (frames[..., 1] < 90)).astype(np.float32)


@pytest.fixture(autouse=True)
def reds(monkeypatch):
    monkeypatch.setitem(backends.MATTES, "reds", Reds)
    monkeypatch.setattr(Reds, "batches", [])


@pytest.fixture
def photo(tmp_path):
    write_image(tmp_path / "photo.png", picture())
    return tmp_path / "photo.png"


@pytest.fixture
def clip(tmp_path):
    with VideoWriter(tmp_path / "clip.mp4", 10) as writer:
        for number in range(12):
            writer.write(picture(left=4 + 2 * number))
    return tmp_path / "clip.mp4"


def run(capsys, *arguments):
    code = main([str(argument) for argument in ("matte", *arguments)])
    return code, capsys.readouterr()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_pictures_and_videos(photo, clip, tmp_path, capsys):
    output = tmp_path / "mattes"
    code, said = run(capsys, photo, clip, "--backend", "reds", "--output", output)
    assert (code, said.err) == (0, "")
    assert "figure in 1 of 1 frame;" in said.out
    assert "figure in 12 of 12 frames;" in said.out
    assert names(output) == ["clip.mp4", "clip_cutout.mp4", "photo.png", "photo_cutout.png"]

    truth = (picture()[..., 0] > 150) * 255
    matte = np.asarray(Image.open(output / "photo.png"))
    np.testing.assert_array_equal(matte, np.repeat(truth[..., None], 3, 2))
    cutout = np.asarray(Image.open(output / "photo_cutout.png"))
    np.testing.assert_array_equal(cutout[..., :3], picture())
    np.testing.assert_array_equal(cutout[..., 3], truth)

    given, mattes, shown = (
        list(stream(path)) for path in (clip, output / "clip.mp4", output / "clip_cutout.mp4")
    )
    assert [frame.time for frame in mattes] == [frame.time for frame in given]
    for frame, matte, cut in zip(given, mattes, shown, strict=True):
        red = cv2.erode((frame.image[..., 0] > 150).astype(np.uint8), np.ones((5, 5))) == 1
        away = cv2.dilate((frame.image[..., 0] > 150).astype(np.uint8), np.ones((5, 5))) == 0
        assert matte.image[red].min() > 230
        assert matte.image[away].max() < 25
        assert np.abs(cut.image[red].astype(int) - frame.image[red]).mean() < 12
        assert (cut.image[away][:, 1] > cut.image[away][:, 0]).all()


def test_a_folder_of_pictures_is_a_video(tmp_path, capsys):
    (tmp_path / "frames.1").mkdir()
    for number in range(3):
        write_image(tmp_path / "frames.1" / f"{number}.png", picture(left=10 + number))
    code, _ = run(
        capsys, tmp_path / "frames.1", "--backend", "reds", "--output", tmp_path / "o", "--smooth", "offline"
    )
    assert code == 0
    assert names(tmp_path / "o") == ["frames.1.mp4", "frames.1_cutout.mp4"]
    assert len(list(stream(tmp_path / "o" / "frames.1.mp4"))) == 3


def test_frames_go_through_in_batches(clip, tmp_path, capsys):
    run(capsys, clip, "--backend", "reds", "--output", tmp_path / "o")
    assert sum(Reds.batches) == 12
    assert max(Reds.batches) <= 8


def test_flicker_is_smoothed_unless_told_not_to(tmp_path, capsys, monkeypatch):
    """A matte that jumps in a picture that stands still."""
    with VideoWriter(tmp_path / "still.mp4", 10) as writer:
        for _ in range(10):
            writer.write(picture())

    class Jumping(Reds):
        seen = 0

        def __call__(self, frames):
            numbers = np.arange(self.seen, self.seen + len(frames))
            self.seen += len(frames)
            return np.ones(frames.shape[:3], np.float32) * (numbers % 2)[:, None, None] * 0.4 + 0.3

    monkeypatch.setitem(backends.MATTES, "jumping", Jumping)
    changes = {}
    for smooth in ("none", "causal", "offline"):
        output = tmp_path / smooth
        run(capsys, tmp_path / "still.mp4", "--backend", "jumping", "--output", output, "--smooth", smooth)
        levels = [frame.image.mean() / 255 for frame in stream(output / "still.mp4")]
        changes[smooth] = np.abs(np.diff(levels)).mean()
    assert changes["none"] > 0.35
    assert changes["causal"] < 0.7 * changes["none"]
    assert changes["offline"] < 0.3 * changes["none"]


def test_nothing_found_is_said(tmp_path, capsys):
    write_image(tmp_path / "grey.jpg", np.full((9, 9, 3), 90, np.uint8))
    code, said = run(capsys, tmp_path / "grey.jpg", "--backend", "reds", "--output", tmp_path / "o")
    assert code == 0
    assert "nothing found in 1 frame" in said.out


def test_what_is_there_stays_without_overwrite(photo, tmp_path, capsys):
    output = tmp_path / "o"
    run(capsys, photo, "--backend", "reds", "--output", output)
    (output / "photo.png").write_bytes(b"mine")
    code, said = run(capsys, photo, "--backend", "reds", "--output", output)
    assert code == 2
    assert "photo.png exists" in said.err
    assert (output / "photo.png").read_bytes() == b"mine"
    code, _ = run(capsys, photo, "--backend", "reds", "--output", output, "--overwrite")
    assert code == 0
    assert np.asarray(Image.open(output / "photo.png")).shape == (*SIZE, 3)


def test_one_bad_input_among_good_ones(photo, tmp_path, capsys):
    (tmp_path / "text.mp4").write_text("no video")
    code, said = run(capsys, tmp_path / "text.mp4", photo, "--backend", "reds", "--output", tmp_path / "o")
    assert code == 1
    assert said.err.startswith("failed: ")
    assert "text.mp4" in said.err
    assert names(tmp_path / "o") == ["photo.png", "photo_cutout.png"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["none.png"], "none.png"),
        (["text.mp4"], "text.mp4"),
        (["empty"], "holds no pictures"),
        (["photo.png", "other/photo.jpg"], "would both become"),
        (["photo.png", "--edges", "0.5"], "--edges"),
        (["photo.png", "--output", "text.mp4"], "is a file"),
        (["photo.png", "--output", "a/b"], "does not exist"),
        (["photo.png", "--output", "."], "would be replaced"),
        (["photo.png", "--backend", "none"], "known are"),
        (["photo.png", "--backend", "u2netp"], "animate convert u2net"),
        (["photo.png", "--device", "abacus"], "no such device"),
    ],
)
def test_every_refusal_is_one_line_and_leaves_nothing(
    arguments, reason, photo, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("ANIMATE_WEIGHTS", raising=False)
    Path("empty").mkdir()
    Path("other").mkdir()
    Path("text.mp4").write_text("no video")
    write_image(Path("other/photo.jpg"), picture())
    before = names(tmp_path)
    defaults = [] if "--output" in arguments else ["--output", "o"]
    defaults += [] if "--backend" in arguments else ["--backend", "reds"]
    code, said = run(capsys, *arguments, *defaults)
    assert code == 2
    assert said.err.count("\n") == 1
    assert reason in said.err
    assert names(tmp_path) == before


def test_a_checkpoint_of_ones_own(photo, tmp_path, capsys):
    networks = U2NetMatting(width=4, image_size=32)
    state = {f"networks.{key}": value for key, value in networks.state_dict().items()}
    description = checkpoints.describe("u2net", networks.arguments)
    checkpoints.save(tmp_path / "mine.ckpt", {"state_dict": state}, description)
    code, _ = run(
        capsys, photo, "--checkpoint", tmp_path / "mine.ckpt", "--output", tmp_path / "o", "--edges"
    )
    assert code == 0
    assert torch.from_numpy(np.array(Image.open(tmp_path / "o" / "photo.png"))).shape == (*SIZE, 3)
