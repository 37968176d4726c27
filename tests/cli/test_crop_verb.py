"""`animate crop`: drawn figures whose places are known, with a sound track, cut out and looked at."""

from __future__ import annotations

import csv
import json
import os
import re
from fractions import Fraction
from types import SimpleNamespace

import av
import cv2
import numpy as np
import pytest

from animate.annotate import backends
from animate.annotate.protocols import Box
from animate.cli import main
from animate.data.manifest import ManifestIndex
from animate.data.synthetic import PuppetIndex
from animate.video.decode import stream
from animate.video.encode import VideoWriter
from animate.video.image import write_image
from animate.video.probe import probe

RATE, FPS, COUNT, SIZE, SIDE = 48000, 25, 100, (96, 160), 24
CLICKS = (0.5, 3.0)  # seconds
LOST = range(30, 60)  # frames in which the second figure is away


def places(number):
    """(left, top) of the figures in a frame: one sways, the other is away for a while."""
    sway = round(6 * np.sin(number / 9))
    return [(20 + sway, 30), *([] if number in LOST else [(110, 40 + sway)])]


def picture(number, figures=None):
    """Red squares on a grey ground with a grain."""
    image = np.random.default_rng(number % 3).integers(90, 120, (*SIZE, 1), np.uint8).repeat(3, axis=2)
    for left, top in places(number) if figures is None else figures:
        image[top : top + SIDE, left : left + SIDE] = (230, 20, 30)
    return image


def is_red(image):
    return (image[..., 0] > 150) & (image[..., 1] < 90)


def centre(image):
    """(x, y) of the middle of what is red, by how red it is, measured from the picture's corner."""
    red = np.clip(image[..., 0].astype(float) - image[..., 1] - 60, 0, None)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]] + 0.5
    return (red * x).sum() / red.sum(), (red * y).sum() / red.sum()


class Reds:
    """Finds red squares, the largest first."""

    name, version = "reds", "1"
    looked_at = 0

    def __call__(self, frames):
        Reds.looked_at += len(frames)
        return [self.boxes(frame) for frame in frames]

    def boxes(self, frame):
        height, width = frame.shape[:2]
        _, _, found, _ = cv2.connectedComponentsWithStats(is_red(frame).astype(np.uint8))
        corners = [(x, y, x + w - 1, y + h - 1) for x, y, w, h, area in found[1:].tolist() if area > 50]
        scale = np.array([width - 1, height - 1] * 2) / 2
        return [Box(*(np.array(corner) / scale - 1).tolist()) for corner in corners]


@pytest.fixture(autouse=True)
def _reds(monkeypatch, tmp_path):
    monkeypatch.setitem(backends.FACES, "reds", Reds)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(Reds, "looked_at", 0)


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """Four seconds of two figures, with clicks."""
    path = tmp_path_factory.mktemp("crop") / "talk.mp4"
    sound = np.zeros((1, COUNT * RATE // FPS), np.float32)
    for click in CLICKS:
        first = int(click * RATE)
        sound[0, first : first + 480] = 0.9 * np.sin(np.arange(480) * 0.3)
    with av.open(str(path), "w") as output:
        pictures = output.add_stream("libx264", rate=FPS, options={"crf": "10"})
        pictures.height, pictures.width, pictures.pix_fmt = *SIZE, "yuv420p"
        track = output.add_stream("aac", rate=RATE, layout="mono")
        for number in range(COUNT):
            output.mux(pictures.encode(av.VideoFrame.from_ndarray(picture(number), format="rgb24")))
        for first in range(0, sound.shape[1], 960):
            part = av.AudioFrame.from_ndarray(sound[:, first : first + 960], format="fltp", layout="mono")
            part.rate, part.pts, part.time_base = RATE, first, Fraction(1, RATE)
            output.mux(track.encode(part))
        output.mux(pictures.encode(None))
        output.mux(track.encode(None))
    return path


@pytest.fixture
def crop(tmp_path, capfd):
    """Run the verb; the result has what it printed, and the lines of crops.csv."""

    def run(*arguments, backend=("--backend", "reds", "--workers", "1"), output="clips"):
        target = tmp_path / output
        options = ("--output", target, "--min-size", "10", "--size", "64", *backend)
        code = main(["crop", *map(str, (*arguments, *options))])
        printed = capfd.readouterr()
        table = target / "crops.csv"
        rows = list(csv.DictReader(table.open(encoding="utf-8"))) if table.is_file() else []
        return SimpleNamespace(code=code, out=printed.out, err=printed.err, folder=target, rows=rows)

    return run


def clicks_in(path):
    """Seconds at which clicks are heard."""
    with av.open(str(path)) as container:
        samples, times = [], []
        for frame in container.decode(audio=0):
            samples.append(np.abs(frame.to_ndarray()[0]))
            times.append(frame.time + np.arange(frame.samples) / frame.rate)
    loud = np.concatenate(times)[np.concatenate(samples) > 0.3]
    return [float(t) for n, t in enumerate(loud) if n == 0 or t - loud[n - 1] > 0.2]


def test_two_figures_and_a_loss_are_three_clips_with_their_sound(crop, video):
    done = crop(video)
    assert done.code == 0, done.err
    ranges = [(int(row["start"]), int(row["stop"])) for row in done.rows]
    assert sorted(ranges) == [(0, 30), (0, 100), (60, 100)]
    assert "3 clips, 6.8 s (2 train, 1 test)" in done.out
    for row in done.rows:
        path, start, stop = done.folder / row["clip"], int(row["start"]), int(row["stop"])
        info = probe(path)
        assert (info.num_frames, info.fps, info.width, info.height) == (stop - start, FPS, 64, 64)
        expected = [t - start / FPS for t in CLICKS if start / FPS <= t < stop / FPS]
        assert clicks_in(path) == pytest.approx(expected, abs=0.03)


def test_each_frame_shows_its_figure_whole_at_one_scale(crop, video):
    done = crop(video, "--margin", "0.5")
    for row in done.rows:
        left, top, side = (float(row[name]) for name in ("left", "top", "side"))
        scale = 64 / side
        assert 0 <= left <= SIZE[1] - side
        assert 0 <= top <= SIZE[0] - side
        for number, frame in enumerate(stream(done.folder / row["clip"]), int(row["start"])):
            nearest = min(places(number), key=lambda place: abs(place[0] - left) + abs(place[1] - top))
            assert is_red(frame.image).sum() == pytest.approx((SIDE * scale) ** 2, rel=0.2)
            column, line = centre(frame.image)
            assert column == pytest.approx((nearest[0] + SIDE / 2 - left) * scale, abs=1.5)
            assert line == pytest.approx((nearest[1] + SIDE / 2 - top) * scale, abs=1.5)


def test_the_manifest_is_a_data_set(crop, video):
    done = crop(video)
    names = sorted(path.name for path in done.folder.iterdir())
    assert names == [".animate-results", "contact_sheet.png", "crops.csv", "manifest.csv", "test", "train"]
    index = ManifestIndex(done.folder / "manifest.csv")
    assert {split: len(index.clips(split)) for split in ("train", "test")} == {"train": 2, "test": 1}
    assert {clip.subject for clip in index.clips("train")} == {"talk"}


def test_a_smooth_square_keeps_the_figure_in_its_middle(crop, video):
    done = crop(video, "--smooth", "--margin", "0.4")
    (row,) = [row for row in done.rows if row["stop"] == "100" and row["start"] == "0"]
    centres = []
    for frame in stream(done.folder / row["clip"]):
        _, columns = np.nonzero(is_red(frame.image))
        centres.append(columns.mean())
    assert np.abs(np.array(centres) - 31.5).max() < 8
    fixed = crop(video, "--margin", "0.4", output="fixed")
    (row,) = [row for row in fixed.rows if row["stop"] == "100" and row["start"] == "0"]
    moving = [np.nonzero(is_red(frame.image))[1].mean() for frame in stream(fixed.folder / row["clip"])]
    assert np.ptp(moving) > 1.5 * np.ptp(centres)


def test_nothing_is_overwritten_and_boxes_are_found_once(crop, video):
    assert crop(video).code == 0
    again = crop(video)
    assert again.code == 2
    assert "--overwrite" in again.err
    assert len(again.err.splitlines()) == 1
    assert Reds.looked_at == COUNT
    narrower = crop(video, "--margin", "0.1", "--overwrite")
    assert narrower.code == 0
    assert "done before: 1 clip\n" in narrower.out
    assert Reds.looked_at == COUNT
    assert not list(narrower.folder.parent.glob(".*"))


def test_what_is_short_small_or_cut_is_reported(crop, tmp_path):
    path = tmp_path / "edge.mp4"
    with VideoWriter(path, FPS) as writer:
        for number in range(40):
            late = [(110, 60)] if number > 30 else []
            writer.write(picture(number, [(0, 30), *late]))
    done = crop(path)
    assert done.code == 0
    kept = [row for row in done.rows if row["clip"]]
    (left_out,) = [row for row in done.rows if not row["clip"]]
    assert left_out["notes"] == "too short: 0.36 s"
    assert f"left out: {path}, 1.24 s: too short: 0.36 s" in done.out
    assert "cut: at the edge of the picture in 100% of its frames" in kept[0]["notes"]
    assert "small: 48 pixels enlarged to 64" in kept[0]["notes"]
    assert "none is held out" in done.out
    too_small = crop(
        path, "--min-size", "30", output="large", backend=("--backend", "reds", "--min-size", "30")
    )
    assert too_small.code == 2
    assert re.search(r"the first is too small: 2[2-6] pixels", too_small.err)
    assert not too_small.folder.exists()


def test_boxes_from_a_file(crop, video, tmp_path):
    file = tmp_path / "boxes.json"
    entries = [{"frame": n, "box": [*places(n)[0], SIDE, SIDE]} for n in range(40)]
    entries += [{"frames": [50, 90], "box": [100, 30, 40, 40]}]
    file.write_text(json.dumps(entries))
    done = crop(video, backend=("--boxes", file))
    assert done.code == 0, done.err
    assert [(int(row["start"]), int(row["stop"])) for row in done.rows] == [(0, 40), (50, 90)]
    by_name = tmp_path / "named.json"
    by_name.write_text(json.dumps({"talk.mp4": [{"box": [20, 20, 40, 40]}]}))
    whole = crop(video, "--margin", "0", backend=("--boxes", by_name), output="whole")
    assert [(row["start"], row["stop"], row["left"], row["top"], row["side"]) for row in whole.rows] == [
        ("0", "100", "20.0", "20.0", "40.0")
    ]
    assert Reds.looked_at == 0


def test_what_a_box_has_outside_of_the_picture_is_cut_off(crop, video, tmp_path):
    file = tmp_path / "boxes.json"
    file.write_text(json.dumps([{"box": [60, -1e9, 2e9, 2e9]}]))
    done = crop(video, "--margin", "0", backend=("--boxes", file))
    assert done.code == 0, done.err
    (row,) = done.rows
    assert [float(row[name]) for name in ("box", "left", "top", "side")] == [96, 60, -2, 100]
    assert "cut: at the edge of the picture in 100% of its frames" in row["notes"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ('{"talk.mp4": 3}', "give"),
        ('{"other.mp4": []}', "has no boxes for talk.mp4; it names other.mp4"),
        ('[{"box": [1, 2, 3]}]', "the list, entry 0: is not like"),
        ('[{"box": [1, 2, 3, -4]}]', "shows nothing of a picture of 160x96"),
        ('[{"box": [500, 2, 30, 40]}]', "shows nothing"),
        ('[{"box": [10, 2, NaN, 40]}]', "shows nothing"),
        ('[{"box": [10, 2, 1%s, 40]}]' % ("0" * 400), "is too large"),
        ('[{"frame": 100, "box": [1, 2, 3, 4]}]', "not within the clip's 100"),
        ('[{"frame": "0", "box": [1, 2, 3, 4]}]', "not within the clip's 100"),
        ('[{"frames": 4, "box": [1, 2, 3, 4]}]', "not within the clip's 100"),
        ("[]", "no figure was found"),
    ],
)
def test_wrong_box_files_are_one_line(crop, video, tmp_path, content, message):
    file = tmp_path / "boxes.json"
    file.write_text(content)
    done = crop(video, backend=("--boxes", file))
    assert done.code == 2
    assert message in done.err
    assert len(done.err.splitlines()) == 1
    assert not done.folder.exists()


def test_whole_inputs_are_held_out_and_equal_names_do_not_collide(crop, tmp_path):
    for place in ("a/clip.mp4", "b/clip.mp4", "clip.mp4"):
        path = tmp_path / "videos" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        with VideoWriter(path, FPS) as writer:
            for number in range(26):
                writer.write(picture(number))
    done = crop(
        tmp_path / "videos" / "a", tmp_path / "videos" / "b" / "clip.mp4", tmp_path / "videos" / "clip.mp4"
    )
    assert done.code == 0, done.err
    assert sorted(row["clip"] for row in done.rows) == [
        *("test/clip-3_000.mp4", "test/clip-3_001.mp4"),
        *("train/clip-2_000.mp4", "train/clip-2_001.mp4"),
        *("train/clip_000.mp4", "train/clip_001.mp4"),
    ]
    ManifestIndex(done.folder / "manifest.csv")
    everything = crop(tmp_path / "videos", "--test-share", "0", output="all")
    assert {row["split"] for row in everything.rows} == {"train"}


def test_times_of_a_variable_rate_stay(crop, tmp_path):
    path, times = tmp_path / "vfr.mp4", [Fraction(n * n % 7 + 6 * n, 100) + n for n in range(12)]
    with VideoWriter(path, 1) as writer:
        for number, time in enumerate(times):
            writer.write(picture(number, [(60, 30)]), time)
    done = crop(path)
    assert done.code == 0, done.err
    expected = [float(t - times[0]) for t in times]
    (row,) = done.rows
    assert [float(f.time) for f in stream(done.folder / row["clip"])] == pytest.approx(expected, abs=1e-3)


def test_frame_folders_with_a_damaged_frame(crop, tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in range(30):
        write_image(folder / f"{number}.png", picture(number, [(60, 30)]))
    (folder / "12.png").write_bytes(b"\x89PNG damaged")
    done = crop(folder)
    assert done.code == 0, done.err
    assert "broken frames: frames: 12" in done.out
    (row,) = done.rows
    assert (row["start"], row["stop"]) == ("0", "30")
    assert "not found in 1 of 30 frames" in row["notes"]
    info = probe(done.folder / row["clip"])
    assert (info.num_frames, info.has_audio) == (29, False)
    assert float(info.times[12]) == pytest.approx(13 / 25)


def test_what_cannot_be_read_does_not_stop_the_others(crop, video, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "talk.mp4").write_bytes(video.read_bytes())
    (tmp_path / "in" / "broken.mp4").write_bytes(video.read_bytes()[:2000])
    write_image(tmp_path / "photo.png", picture(0))
    done = crop(tmp_path / "in", tmp_path / "photo.png")
    assert done.code == 1
    assert len(done.rows) == 3
    assert "not cropped: broken.mp4: " in done.out
    assert "not cropped: photo.png: is a picture" in done.out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--margin", "-1"), "--margin"),
        (("--test-share", "1"), "--test-share"),
        (("--min-length", "nan"), "--min-length"),
        (("--size", "65"), "an even number from 16 to 4096"),
        (("--size", "100000"), "an even number from 16 to 4096"),
        (("--backend", "nobody"), "no back-end 'nobody'; known are: "),
        (("--boxes", "boxes.json"), "either --boxes FILE or --backend NAME"),
        (("--fixed", "--smooth"), "not allowed with"),
    ],
)
def test_bad_options(video, tmp_path, capfd, options, message):
    backend = () if "--backend" in options else ("--backend", "reds")
    arguments = ["crop", str(video), "--output", str(tmp_path / "clips"), *backend, *options]
    assert main(arguments) == 2
    printed = capfd.readouterr().err
    assert message in printed
    assert len(printed.splitlines()) == 1
    assert not (tmp_path / "clips").exists()


@pytest.mark.parametrize(("what", "weights"), [("face", "yunet"), ("person", "keypoint")])
def test_without_a_backend_the_free_one_is_taken(video, tmp_path, capfd, monkeypatch, what, weights):
    """Here it has no weights, and says whose it misses."""
    monkeypatch.setenv("ANIMATE_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("urllib.request.OpenerDirector.open", refuse)
    assert main(["crop", str(video), "--what", what, "--output", str(tmp_path / "clips")]) == 2
    licence, error = capfd.readouterr().err.splitlines()
    assert "licence" in licence
    assert error.startswith("animate: error: ")
    assert weights in error.lower()
    assert not (tmp_path / "clips").exists()


def refuse(*_arguments, **_options):
    raise OSError("no network here")


def test_a_folder_that_cannot_be_written_is_told_before_any_work(crop, video, monkeypatch):
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    done = crop(video)
    assert done.code == 2
    assert "cannot be written; choose another place" in done.err
    assert len(done.err.splitlines()) == 1
    assert Reds.looked_at == 0


def test_nobody_to_be_seen(crop, tmp_path):
    path = tmp_path / "empty.mp4"
    with VideoWriter(path, FPS) as writer:
        for number in range(10):
            writer.write(picture(number, []))
    done = crop(path)
    assert done.code == 2
    assert "no figure was found in 1 clip\n" in done.err
    assert not done.folder.exists()


def test_a_puppet_is_cropped_with_all_of_its_joints(crop, tmp_path):
    index = PuppetIndex(train_clips=1, val_clips=1, test_clips=1, frames=26, size=128, seed=0)
    clip = index.clips("train")[0]
    reader = clip.reader.open(clip)
    path = tmp_path / "puppet.mp4"
    with VideoWriter(path, 25) as writer:
        for image in reader.frames(range(26), (128, 128)):
            writer.write(np.pad(image, ((0, 0), (100, 60), (0, 0)), mode="edge"))
    done = crop(path, "--what", "person", backend=("--backend", "puppet", "--workers", "1"))
    assert done.code == 0, done.err
    (row,) = done.rows
    truth = reader.truth(range(26), (128, 128))
    joints = (truth["points"][truth["visible"]] + 1) / 2 * 127 + [100.5, 0.5]
    left, top, side = (float(row[name]) for name in ("left", "top", "side"))
    inside = (joints >= [left, top]).all(axis=1) & (joints <= [left + side, top + side]).all(axis=1)
    assert inside.mean() > 0.98
    assert side <= 128
