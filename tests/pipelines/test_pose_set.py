"""Data sets of frames and poses: the joints lie where they are seen, and nothing is lost or done twice."""

import json
from dataclasses import replace

import numpy as np
import pytest
from pose_clips import FPS, NOSE, joints, picture, reddest, write_clip, write_poses

from animate.annotate import backends
from animate.annotate.figures import Figure, make_pose, to_unit
from animate.data.index import FolderIndex
from animate.data.pose_views import PoseWindow
from animate.data.views import WholeClip
from animate.errors import UserError
from animate.layouts import COCO17
from animate.ops.random import numpy_generator
from animate.pipelines.framing import Box
from animate.pipelines.pose_set import prepare as preparing
from animate.pipelines.pose_set import video, work
from animate.pipelines.pose_set.cutting import centre, reaches_over, widened
from animate.pipelines.pose_set.prepare import prepare
from animate.pipelines.pose_set.reading import frame
from animate.pipelines.pose_set.recipe import PoseSet, Recipe, training_size
from animate.pipelines.pose_set.video import Footage
from animate.sidecars import Sidecar
from animate.video.image import write_image
from animate.video.probe import probe

COUNT = 40


class Finder:
    """Knows the joints of each frame by the place of the red disc; counts the frames that it is shown."""

    name, version, layout = "known", "1", "coco17"
    looked_at = 0

    def __call__(self, frames):
        Finder.looked_at += len(frames)
        every = np.stack([joints(number)[:, :2] for number in range(COUNT)])
        figures = []
        for image in frames:
            number = int(np.argmin(np.linalg.norm(every[:, NOSE] - reddest(image), axis=1)))
            figures.append(Figure(to_unit(every[number], image.shape[:2]), np.ones(17)))
        return make_pose(COCO17, figures)


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch):
    for module in (video, preparing):
        monkeypatch.setattr(module, "CHUNK", 16)
    monkeypatch.setitem(backends.POSES, "known", Finder)
    Finder.looked_at = 0


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    folder = tmp_path_factory.mktemp("media")
    write_clip(folder / "me.mp4", COUNT)
    write_poses(folder / "me.npy", COUNT, away=[3, 4, 35])
    return folder


def make(media, output, *, overwrite=False, advance=preparing.untold, **recipe):
    settings = {"size": (64, 64), "poses": media / "me.npy"} | recipe
    made = Recipe(**settings)
    return prepare(Footage.open(media / "me.mp4", made), output, made, overwrite=overwrite, advance=advance)


@pytest.fixture(scope="module")
def target(media, tmp_path_factory):
    """A finished data set, of which 3 frames have no pose."""
    return make(media, tmp_path_factory.mktemp("sets") / "me")


def test_training_reads_it_without_further_ado(target):
    index = FolderIndex(target.folder)
    assert (index.problems, index.ignored) == ([], [])
    clip = index.clips("train")[0]
    assert (clip.num_frames, clip.size, clip.fps) == (32, (64, 64), FPS)
    assert probe(clip.path).keyframes.tolist() == list(range(32))
    reader = clip.reader.open(clip)
    view = PoseWindow("coco18")
    seen = {int(view(clip, reader, numpy_generator(n), (64, 64))["frame_index"][1]) for n in range(60)}
    assert len(seen) > 15
    assert not seen & {3, 4, 5}
    chunk = next(WholeClip(4, ("points", "visible"), "coco18").chunks(index.clips("test")[0], (64, 64)))
    assert chunk["visible"].any(axis=1).all()


def test_the_last_fifth_is_held_out_and_holds_usable_frames_only(target):
    assert [(piece.path, piece.first, piece.count) for piece in target.pieces] == [
        ("train/frames.mp4", 0, 32),
        ("test/frames_0.mp4", 32, 3),
        ("test/frames_1.mp4", 36, 4),
    ]
    assert target.skipped == dict.fromkeys((3, 4, 35), "no person found")
    assert PoseSet.load(target.folder) == target
    assert target.numbers == list(range(COUNT))
    np.testing.assert_allclose(target.times, np.arange(COUNT) / FPS, atol=1e-4)


def test_a_long_held_out_part_is_cut_for_several_devices():
    good = np.ones(1000, bool)
    pieces = preparing._held_out(good, 800)
    assert [piece.count for piece in pieces] == [25] * 8
    assert [piece.first for piece in pieces] == list(range(800, 1000, 25))


CROPS = {
    "centre": {"crop": "centre"},
    "person": {"crop": "person"},
    "given": {"crop": Box(30, 10, 60, 80)},
    "wide": {"crop": "centre", "size": (32, 96)},
    "upright": {"crop": "person", "size": (96, 32)},
}


@pytest.mark.parametrize("name", CROPS)
def test_the_joints_lie_where_they_are_seen(media, tmp_path, name):
    """The red disc on the nose is looked for in the written frames."""
    frames = tmp_path / "frames"
    frames.mkdir()
    for number in range(COUNT):  # pictures: in a video red has half the resolution
        write_image(frames / f"{number}.png", picture(number))
    recipe = Recipe(**{"size": (64, 64), "poses": media / "me.npy", "role": "source"} | CROPS[name])
    made = prepare(Footage.open(frames, recipe), tmp_path / "set", recipe)
    pose = made.poses()
    scale = made.size[1] / made.box.width
    assert made.size[0] / made.box.height == pytest.approx(scale, rel=0.03)
    for number in (0, 7, 20, 39):
        x, y = (pose.points[number, NOSE] + 1) / 2 * (np.array(made.size[::-1]) - 1)
        if 4 < x < made.size[1] - 4 and 4 < y < made.size[0] - 4:
            np.testing.assert_allclose(reddest(frame(made, number)), [x, y], atol=0.2)
        else:
            assert name == "wide"


def test_a_source_keeps_every_frame(media, tmp_path):
    made = make(media, tmp_path / "dance", role="source")
    assert [(piece.path, piece.first, piece.count) for piece in made.pieces] == [
        ("test/frames.mp4", 0, COUNT)
    ]
    assert not made.poses().found[[3, 4, 35]].any()
    assert made.poses().found[5].all()


def test_ranges_and_rates(media, tmp_path):
    made = make(media, tmp_path / "part", role="source", start=5, stop=25, fps=7.0)
    assert made.numbers == [5, 9, 12, 16, 19, 23]  # nearest to 5 + n * 25 / 7
    assert made.fps == 7.0
    whole = make(media, tmp_path / "whole", role="source")
    np.testing.assert_array_equal(made.poses().points, whole.poses().points[made.numbers])
    assert np.abs(frame(made, 3).astype(float) - frame(whole, 16)).mean() < 1
    faster = make(media, tmp_path / "faster", role="source", fps=100.0)
    assert (faster.numbers, faster.fps) == (list(range(COUNT)), FPS)


def test_a_backend_finds_them_and_a_killed_run_goes_on(media, tmp_path):
    """Stopped after some pieces of each part: nothing is done twice, and the files are the same."""
    recipe = {"poses": None, "backend": "known", "smooth": "median"}
    whole = make(media, tmp_path / "whole", **recipe)
    assert Finder.looked_at == COUNT
    assert whole.recipe["version"] == "known 1"
    Finder.looked_at = 0
    for stop_after in (1, 4):  # pieces told: in the poses, then in the frames
        calls = []

        def stop(count, what, calls=calls, stop_after=stop_after):
            calls.append(what)
            if len(calls) == stop_after:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            make(media, tmp_path / "killed", advance=stop, **recipe)
        assert not (tmp_path / "killed").exists()
    assert calls == ["poses", "poses", "poses", "frames"]
    make(media, tmp_path / "killed", **recipe)
    assert Finder.looked_at == COUNT
    assert sorted(path.name for path in tmp_path.iterdir()) == ["killed", "whole"]
    for piece in whole.pieces:
        one, other = (tmp_path / name / piece.path for name in ("whole", "killed"))
        assert one.read_bytes() == other.read_bytes()
        for path in one.parent.glob(f"{one.name}.*"):
            assert path.read_bytes() == (other.parent / path.name).read_bytes()


def test_what_was_left_by_another_recipe_is_not_used(media, tmp_path):
    def stop(count, what):
        raise KeyboardInterrupt

    for size in ((64, 64), (32, 32)):
        with pytest.raises(KeyboardInterrupt):
            make(media, tmp_path / "set", size=size, advance=stop)
    assert json.loads((tmp_path / ".set.preparing/recipe.json").read_text())["size"] == [32, 32]
    assert frame(make(media, tmp_path / "set", size=(32, 32)), 0).shape == (32, 32, 3)


def test_a_data_set_is_not_made_twice_nor_lost(media, tmp_path):
    first = make(media, tmp_path / "set")
    before = (tmp_path / "set/train/frames.mp4").stat()
    assert make(media, tmp_path / "set") == first
    assert (tmp_path / "set/train/frames.mp4").stat() == before
    with pytest.raises(UserError, match=r"is not empty.*--overwrite"):
        make(media, tmp_path / "set", size=(32, 32))
    FolderIndex(tmp_path / "set").clips("train")
    assert (tmp_path / "set/.animate-index.json").is_file()  # made in reading: does not count
    assert make(media, tmp_path / "set", size=(32, 32), overwrite=True).size == (32, 32)
    (tmp_path / "set/train/notes.txt").write_text("mine")
    with pytest.raises(UserError, match=r"set holds train/notes\.txt, which is not of the results"):
        make(media, tmp_path / "set", overwrite=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other/thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="holds something else"):
        make(media, tmp_path / "other", overwrite=True)


def test_of_a_link_the_real_folder_becomes_the_data_set(media, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to("disk/set")
    assert make(media, tmp_path / "link").folder == tmp_path / "link"
    assert replace(PoseSet.load(tmp_path / "link"), folder=None) == replace(
        PoseSet.load(tmp_path / "disk/set"), folder=None
    )
    assert (tmp_path / "link").is_symlink()
    assert [path.name for path in (tmp_path / "disk").iterdir()] == ["set"]


def test_frames_that_cannot_be_decoded_are_skipped(media, tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in range(COUNT):
        write_image(folder / f"{number}.png", picture(number))
    for number in (0, 9, 16):
        (folder / f"{number}.png").write_bytes((folder / f"{number}.png").read_bytes()[:300])
    recipe = Recipe(size=(64, 64), role="source", backend="known")
    made = prepare(Footage.open(folder, recipe), tmp_path / "set", recipe)
    assert made.skipped == dict.fromkeys((0, 9, 16), "cannot be decoded")
    assert Finder.looked_at == COUNT - 3
    np.testing.assert_allclose(frame(made, 9).astype(float), frame(made, 8), atol=3)
    for first in (0, 16):  # of a piece of work: nothing lies before
        assert np.abs(frame(made, first).astype(int) - 127).max() <= 2
    assert made.poses().found[8].all()
    assert not made.poses().found[[0, 9, 16]].any()


def test_a_piece_in_which_nothing_can_be_decoded(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in range(COUNT):
        write_image(folder / f"{number}.png", picture(number))
        if 16 <= number < 32:
            (folder / f"{number}.png").write_bytes(b"\x89PNG")
    recipe = Recipe(size=(32, 32), role="source", backend="known")
    made = prepare(Footage.open(folder, recipe), tmp_path / "set", recipe)
    assert set(made.skipped) == set(range(16, 32))
    assert made.poses().found[32:].all()


def test_too_few_joints_in_the_frame_are_not_a_pose(media, tmp_path):
    made = make(media, tmp_path / "set", role="source", crop=Box(0, 0, 40, 40))
    assert set(made.skipped.values()) <= {"no person found", "0 joints in the frame, fewer than 4"} | {
        f"{n} joints in the frame, fewer than 4" for n in range(4)
    }
    assert len(made.skipped) > 3


def test_sides_are_brought_up_to_multiples_of_32():
    assert training_size(512, 512) == (512, 512)
    assert training_size(500, 33) == (512, 64)
    assert training_size(1, 1) == (32, 32)


def test_parts_have_the_aspect_and_lie_inside_where_they_can():
    assert centre((100, 200), (64, 64)) == Box(50, 0, 100, 100)
    assert centre((100, 200), (32, 96)) == Box(0, 16, 200, 67)
    assert widened((10, 10, 30, 50), (64, 64), (100, 200)) == Box(0, 10, 40, 40)
    assert widened((150, 40, 200, 100), (64, 64), (100, 200)) == Box(140, 40, 60, 60)
    tall = widened((10, 0, 60, 100), (64, 64), (100, 80))
    assert tall == Box(-15, 0, 100, 100)
    assert reaches_over(tall, (100, 80))
    assert widened((10, -20, 60, 120), (64, 64), (100, 200), least=(10, 5, 60, 95)) == Box(0, 0, 100, 100)
    assert not reaches_over(Box(0, 0, 100, 100), (100, 200))


BAD = {
    "no person": ({"poses": "away"}, r"me\.mp4: in none of 40 frames is a person, by .*away\.npy"),
    "other size": ({"poses": "large"}, r"large\.npy: .*of its points lie outside.*--poses-size"),
    "other length": ({"poses": "short"}, r"short\.npy has poses of 20 frames and the video has 40"),
    "no such poses": ({"poses": "none"}, r"none\.npy: no such file"),
    "beyond": ({"start": 90}, r"has frames 0 to 39; it cannot start at 90"),
    "empty range": ({"start": 9, "stop": 9}, "range from frame 9 to 9 is empty"),
    "rate": ({"fps": 0.0}, "--fps 0: give"),
    "share": ({"test_share": 1.5}, "--test-share 1.5"),
    "outside": ({"crop": Box(100, 0, 60, 60)}, r"--crop 100,0,60,60 does not fit into the video's 128x96"),
    "empty end": (
        {"poses": "gone"},
        r"in the last 8 frames, which are held out, are no two with a usable pose",
    ),
    "empty start": ({"poses": "late"}, r"no usable pose in the first 32 frames"),
    "too few": ({"stop": 4}, r"me\.mp4: 4 frames are too few to learn from"),
    "backend": ({"poses": None, "backend": "eyes"}, "there is no back-end 'eyes'"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_is_told_before_anything_is_there(media, tmp_path, name):
    write_poses(tmp_path / "away.npy", COUNT, away=range(COUNT))
    write_poses(tmp_path / "gone.npy", COUNT, away=range(32, COUNT))
    write_poses(tmp_path / "late.npy", COUNT, away=range(32))
    write_poses(tmp_path / "short.npy", COUNT // 2)
    write_poses(tmp_path / "large.npy", COUNT, draw=lambda n: joints(n) * [5, 5, 1])
    settings, complaint = BAD[name]
    if settings.get("poses"):
        settings = settings | {"poses": tmp_path / f"{settings['poses']}.npy"}
    with pytest.raises(UserError, match=complaint) as caught:
        make(media, tmp_path / "set", **settings)
    assert "\n" not in str(caught.value)
    assert not [path for path in tmp_path.iterdir() if path.suffix != ".npy"]


def test_nothing_is_left_of_what_cannot_be_begun(tmp_path):
    write_image(tmp_path / "1.png", picture(1))
    (tmp_path / "1.png").write_bytes((tmp_path / "1.png").read_bytes()[:300])
    recipe = Recipe(size=(32, 32), backend="known")
    with pytest.raises(UserError, match=r"1\.png is damaged"):
        prepare(Footage.open(tmp_path / "1.png", recipe), tmp_path / "set", recipe)
    assert [path.name for path in tmp_path.iterdir()] == ["1.png"]


def test_a_damaged_data_set_is_told(target, tmp_path):
    with pytest.raises(UserError, match=r"no manifest\.json.*animate pose2vid prepare"):
        PoseSet.load(tmp_path)
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(UserError, match=r"manifest\.json is damaged"):
        PoseSet.load(tmp_path)
    text = (target.folder / "manifest.json").read_text()
    (tmp_path / "manifest.json").write_text(text.replace('"format": 1', '"format": 7'))
    with pytest.raises(UserError, match="another version"):
        PoseSet.load(tmp_path)
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(UserError, match=r"train/frames\.mp4: its poses are missing"):
        PoseSet.load(tmp_path).poses()


@pytest.mark.parametrize(
    "wrong",
    [
        {"recipe": 3},
        {"size": [32]},
        {"size": [32, "32"]},
        {"layout": 7},
        {"layout": "nowhere"},
        {"numbers": ["a"]},
        {"numbers": None},
        {"fps": "fast"},
        {"box": [0, 0, 1]},
        {"pieces": [{"path": "a"}]},
        {"skipped": []},
    ],
)
def test_a_manifest_with_other_values_is_told(target, tmp_path, wrong):
    values = json.loads((target.folder / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps(values | wrong))
    with pytest.raises(UserError, match=r"manifest\.json is damaged"):
        PoseSet.load(tmp_path)


def test_pieces_that_are_damaged_are_told(tmp_path):
    (tmp_path / "poses.npz").write_bytes(b"PK torn")
    with pytest.raises(UserError, match=r"poses\.npz is damaged .*; delete it"):
        work._kept(tmp_path / "poses.npz", 3)
    np.savez(tmp_path / "poses.npz", **{name: np.zeros((2, 1)) for name in ("points", "found", "score")})
    with pytest.raises(UserError, match="poses of other frames"):
        work._kept(tmp_path / "poses.npz", 3)
    for text in ("[]", "{", '{"a": 1}', '{"7": "dark"}'):
        (tmp_path / "told.json").write_text(text)
        with pytest.raises(UserError, match=r"told\.json is damaged"):
            work._reasons(tmp_path / "told.json", {1: 0})


def test_sidecars_say_where_they_come_from(target):
    with Sidecar(next((target.folder / "train").glob("*.npz"))) as sidecar:
        assert sidecar.header.layout == "coco17"
        assert (sidecar.header.num_frames, sidecar.header.found) == (32, 30)
        assert sidecar.header.key.backend == "imported"
