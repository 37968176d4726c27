"""Another background in a data set: the person stays as she is, and everything else is what was put there."""

import json

import numpy as np
import pytest
from pose_clips import joints, write_clip, write_poses

from animate.annotate import backends
from animate.annotate.figures import to_pixels
from animate.data.export import write_clip as write_puppet
from animate.data.synthetic import OnePuppetIndex
from animate.errors import UserError
from animate.pipelines.pose_set import prepare as preparing
from animate.pipelines.pose_set import video
from animate.pipelines.pose_set.background import followed, laid_over, plate
from animate.pipelines.pose_set.prepare import prepare
from animate.pipelines.pose_set.reading import frame
from animate.pipelines.pose_set.recipe import PoseSet, Recipe, Segment
from animate.pipelines.pose_set.video import Footage
from animate.sidecars import Key, digest, place, sidecars_of, write_sidecar
from animate.video.image import write_image

COUNT, SIDE = 20, 64


def disc(size, x, y, radius):
    """(H, W): 1 inside, falling to 0 over 4 pixels."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    return np.clip((radius + 2 - np.hypot(columns - x, rows - y)) / 4, 0, 1).astype(np.float32)


class Discs:
    """A matte with two persons: one about the followed one's hips, one in the corner; counts frames."""

    name, version = "discs", "1"
    looked_at = 0

    def __call__(self, frames):
        Discs.looked_at += len(frames)
        size = frames.shape[1:3]
        return np.stack([np.maximum(disc(size, 64, 55, 30), disc(size, 8, 8, 6))] * len(frames))


class Apart(Discs):
    """Tells persons apart; keeps the boxes that it is given."""

    name = "apart"
    boxes = ()

    def around(self, frames, boxes):
        Apart.boxes += tuple(boxes)
        return np.stack([disc(frames.shape[1:3], 64, 55, 10)] * len(frames))


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch, tmp_path):
    for module in (video, preparing):
        monkeypatch.setattr(module, "CHUNK", 8)
    for matter in (Discs, Apart):
        monkeypatch.setitem(backends.MATTES, matter.name, matter)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    Discs.looked_at, Apart.boxes = 0, ()


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    """A stick figure with its poses, and a puppet with its truth."""
    folder = tmp_path_factory.mktemp("media")
    write_clip(folder / "me.mp4", COUNT)
    write_poses(folder / "me.npy", COUNT, away=[4])
    index = OnePuppetIndex(train_clips=1, val_clips=1, test_clips=1, frames=COUNT, size=SIDE)
    (clip,) = index.clips("train")
    write_puppet(clip, folder, (2 * SIDE, 2 * SIDE), "")
    (folder / clip.name).rename(folder / "puppet")
    for sidecar in folder.glob(f"{clip.name}.*"):
        sidecar.rename(folder / sidecar.name.replace(clip.name, "puppet"))
    return folder, clip


def make(media, output, mattes, background="#00ff00", advance=preparing.untold, **recipe):
    settings = {"size": (96, 128), "poses": media[0] / "me.npy"} | recipe
    made = Recipe(**settings, segment=Segment.parse(mattes, str(background)))
    name = "puppet" if mattes == "sidecar" else "me.mp4"
    return prepare(Footage.open(media[0] / name, made), output, made, advance=advance)


def test_of_a_matte_the_followed_person_is_kept():
    size = (40, 60)
    hers, others = disc(size, 15, 20, 8), disc(size, 45, 20, 8)
    both = np.maximum(hers, others)
    np.testing.assert_array_equal(followed(both, np.array([[14.0, 22.0], [30.0, 5.0]])), hers)
    np.testing.assert_array_equal(followed(both, np.array([[14.0, 22.0], [45.0, 20.0]])), both)
    for nowhere in ([[30.0, 5.0]], [[-4.0, 20.0], [14.0, 400.0]], np.zeros((0, 2))):
        assert not followed(both, np.array(nowhere)).any()
    assert not followed(np.zeros(size, np.float32), np.array([[1.0, 1.0]])).any()


def test_a_plate_of_another_size_is_cut_in_its_middle():
    wide = np.zeros((20, 60, 3), np.uint8)
    wide[:, 20:40] = 200
    np.testing.assert_array_equal(plate(wide, (10, 10)), np.full((10, 10, 3), 200))
    assert plate(wide, (64, 48)).shape == (64, 48, 3)
    np.testing.assert_array_equal(plate(wide, (20, 60)), wide)


def test_mixing():
    image, behind = np.full((1, 2, 3), 200, np.uint8), np.array([[[10, 20, 30]]], np.uint8)
    mixed = laid_over(image, np.array([[1.0, 0.25]], np.float32), behind)
    np.testing.assert_array_equal(mixed[0], [[200, 200, 200], [58, 65, 72]])  # 57.5 and 72.5 to even


@pytest.mark.parametrize("behind", ["colour", "plate"])
def test_a_drawn_puppet_before_another_background(media, tmp_path, behind):
    """Against the drawing itself: its frames, its true mattes, and the formula."""
    colour = np.array([20, 90, 160])
    write_image(tmp_path / "plate.png", np.full((30, 90, 3), colour, np.uint8))
    background = tmp_path / "plate.png" if behind == "plate" else "#145aa0"
    made = make(
        media, tmp_path / "set", "sidecar", background, poses=None, backend="puppet_person", size=(SIDE, SIDE)
    )
    reader = media[1].reader.open(media[1])
    whole = (2 * SIDE, 2 * SIDE)
    shown = 0
    for number in (0, 9, 19):
        matte = reader.truth([number], whole)["person_mask"][0][..., None]
        expected = matte * reader.frames([number], whole)[0] + (1 - matte) * colour
        expected = expected.reshape(SIDE, 2, SIDE, 2, 3).mean(axis=(1, 3))
        assert np.abs(frame(made, number) - expected).mean() < 3  # crf 8
        shown += number not in made.skipped
    assert shown
    (told,) = [made.recipe["segment"]]
    assert told["mattes"] == "sidecar"
    assert told["made_by"].startswith("drawn ")
    assert ("picture" in told) == (behind == "plate")
    assert PoseSet.load(tmp_path / "set").recipe["segment"] == told


def test_the_background_is_part_of_the_recipe(media, tmp_path):
    first = make(media, tmp_path / "set", "discs")
    assert make(media, tmp_path / "set", "discs", "lime") == first  # the same colour
    assert Discs.looked_at == COUNT
    with pytest.raises(UserError, match="is not empty"):
        make(media, tmp_path / "set", "discs", "red")
    write_image(tmp_path / "plate.png", np.zeros((9, 9, 3), np.uint8))
    make(media, tmp_path / "plated", "discs", tmp_path / "plate.png")
    write_image(tmp_path / "plate.png", np.ones((9, 9, 3), np.uint8))
    with pytest.raises(UserError, match="is not empty"):
        make(media, tmp_path / "plated", "discs", tmp_path / "plate.png")


def test_the_second_person_is_gone_and_a_frame_without_pose_is_empty(media, tmp_path):
    made = make(media, tmp_path / "set", "discs")
    green = np.array([0, 255, 0])
    assert np.abs(frame(made, 0)[2:14, 2:14] - green).max() < 12
    assert np.abs(frame(made, 0)[40:60, 54:74] - green).mean() > 40
    assert np.abs(frame(made, 4) - green).max() < 12
    assert made.skipped == {4: "no person found"}


def test_who_tells_persons_apart_is_told_whom(media, tmp_path):
    make(media, tmp_path / "set", "apart")
    assert len(Apart.boxes) == COUNT
    assert Apart.boxes[4] is None
    (left, top), (right, bottom) = to_pixels(np.array(Apart.boxes[7][:4]).reshape(2, 2), (96, 128))
    known = joints(7)[:, :2]
    np.testing.assert_allclose([left, top], known.min(axis=0), atol=1e-3)
    np.testing.assert_allclose([right, bottom], known.max(axis=0), atol=1e-3)


class Killed(Exception):  # noqa: N818
    pass


def test_a_killed_run_goes_on(media, tmp_path):
    done = []

    def advance(count, what):
        done.append(count)
        if len(done) == 2:
            raise Killed(what)

    with pytest.raises(Killed):
        make(media, tmp_path / "set", "discs", advance=advance)
    assert Discs.looked_at == 16
    made = make(media, tmp_path / "set", "discs")
    assert Discs.looked_at == COUNT
    whole = make(media, tmp_path / "other", "discs")
    for piece in made.pieces:
        one, other = ((folder / piece.path).read_bytes() for folder in (made.folder, whole.folder))
        assert one == other
    assert made.skipped == whole.skipped


def test_frames_without_a_matte_of_the_person_are_told(media, tmp_path, monkeypatch):
    def corner(self, frames):
        both = [disc(frames.shape[1:3], 8, 8, 6) for _ in frames]
        return np.stack(
            [np.maximum(matte, disc(matte.shape, 64, 55, 30) * (n > 1)) for n, matte in enumerate(both)]
        )

    monkeypatch.setattr(Discs, "__call__", corner)
    made = make(media, tmp_path / "set", "discs")
    told = json.loads((tmp_path / "set/manifest.json").read_text())["skipped"]
    empty = dict.fromkeys((0, 1, 8, 9, 16, 17), "no matte of the person")
    assert made.skipped == empty | {4: "no person found"}
    assert told == {str(n): reason for n, reason in sorted(made.skipped.items())}


def sidecar(clip, backend, content, count=COUNT):
    key = Key("mattes", backend, "1", content)
    with write_sidecar(place(key, clip, None)) as writer:
        writer.finish(preparing.Header(key, count, (96, 128), 0))


@pytest.mark.parametrize(
    ("there", "message"),
    [
        ([], "has no mattes beside it, nor in the cache"),
        ([("a", "other", COUNT)], r"mattes\.a\.npz is out of date"),
        ([("a", "", COUNT), ("b", "", COUNT)], r"several sidecars with mattes.*mattes\.a\.npz.*leave one"),
        ([("a", "", 7)], r"has mattes of 7 frames, and .*me\.mp4 20"),
        ([("a", "", COUNT)], r"mattes\.a\.npz is damaged"),
    ],
    ids=["none", "stale", "several", "short", "empty"],
)
def test_mattes_that_cannot_be_used_are_told(media, tmp_path, there, message):
    clip = tmp_path / "me.mp4"
    clip.write_bytes((media[0] / "me.mp4").read_bytes())
    for backend, content, count in there:
        sidecar(clip, backend, content or digest([clip]), count)
    recipe = Recipe(size=(96, 128), poses=media[0] / "me.npy", segment=Segment.parse("sidecar", "grey"))
    with pytest.raises(UserError, match=message) as caught:
        prepare(Footage.open(clip, recipe), tmp_path / "set", recipe)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "set").exists()


def test_drawn_clips_have_their_mattes_beside_them(media):
    assert len(sidecars_of("mattes", media[0] / "puppet")) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mattes": "scissors"}, "mattes: there is no back-end 'scissors'"),
        ({"background": "no.png"}, r"--background no\.png: neither a colour.*nor a picture"),
        ({"background": "rgb(300,0,0)"}, r"--background rgb\(300,0,0\): neither a colour"),
        ({"background": ""}, r"--background \(empty\): neither a colour"),
        ({"background": "#00ff0080"}, "--background #00ff0080: .* leave out its alpha"),
        ({"role": "source"}, "--segment goes with --role target"),
    ],
    ids=["backend", "background", "bright", "empty", "alpha", "role"],
)
def test_what_makes_no_sense_is_told(media, tmp_path, settings, message):
    with pytest.raises(UserError, match=message):
        make(media, tmp_path / "set", **{"mattes": "discs"} | settings)
    assert list(tmp_path.iterdir()) == []


def test_a_plate_that_is_no_picture_is_told_before_the_work(media, tmp_path):
    (tmp_path / "plate.png").write_text("no picture")
    with pytest.raises(UserError, match=r"plate\.png is not a picture"):
        make(media, tmp_path / "set", "discs", tmp_path / "plate.png")
    assert [path.name for path in tmp_path.iterdir()] == ["plate.png"]
