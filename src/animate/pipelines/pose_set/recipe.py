"""What a data set is made of, and what its manifest says."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from PIL import ImageColor

from animate import __version__, safe_json
from animate.annotate.protocols import Pose
from animate.errors import UserError
from animate.layouts import layout_named
from animate.pipelines.framing import Box
from animate.pipelines.stream import check_range
from animate.sidecars import Sidecar, sidecars_of

if TYPE_CHECKING:
    Colour = tuple[int, int, int]
    """Red, green and blue in [0, 255]."""

MANIFEST = "manifest.json"
FORMAT = 1
STEP = 32
"""Sides are multiples of this: the networks halve them up to five times."""


def training_size(height: int, width: int) -> tuple[int, int]:
    """Bring both sides up to the next multiple of 32."""
    return -(-height // STEP) * STEP, -(-width // STEP) * STEP


class Segment(NamedTuple):
    """How the person is cut out, and what is put behind."""

    mattes: str
    """A back-end of mattes, or ``sidecar``: those that lie with the video."""
    background: Colour | Path
    """A colour, or a picture."""

    @classmethod
    def parse(cls, mattes: str, background: str) -> Segment:
        """Read a colour by its name in CSS or as ``#rrggbb``, else the name of a picture's file.

        Raises:
            UserError: it is neither; or a colour that is to be transparent, with nothing behind it.

        """
        colour = _colour(background)
        if colour is None and not Path(background).is_file():
            raise UserError(
                f"--background {background or '(empty)'}: neither a colour, such as green or #00ff00, nor a"
                " picture that is there"
            )
        return cls(mattes, colour or Path(background))

    def to_json(self) -> dict[str, str]:
        """Describe it by plain values."""
        behind = self.background
        text = "#{:02x}{:02x}{:02x}".format(*behind) if isinstance(behind, tuple) else str(behind)
        return {"mattes": self.mattes, "background": text}


def _colour(text: str) -> Colour | None:
    """Read a colour; None where the text says none."""
    try:
        red, green, blue, *alpha = ImageColor.getrgb(text)
    except ValueError:
        return None
    if alpha:
        raise UserError(f"--background {text}: there is nothing behind a background; leave out its alpha")
    return (red, green, blue) if max(red, green, blue) <= 255 else None


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a video becomes a data set; equal recipes make equal ones."""

    role: Literal["target", "source"] = "target"
    """The person that is learned, who gets ``train/`` and ``test/``; or the one whose dance is danced."""
    size: tuple[int, int] = (512, 512)
    """(height, width) of the frames, multiples of 32."""
    crop: Literal["centre", "person"] | Box = "centre"
    """The largest part of the right aspect in the middle; the person's, over the whole video; or a given one,
    in pixels, which is widened to the aspect."""
    start: int = 0
    """First frame of the video."""
    stop: int | None = None
    """The frame before which to stop; None: the end."""
    fps: float | None = None
    """Frames per second; None, or more than the video has: all frames."""
    backend: str = "keypoint_rcnn"
    """What finds the poses, unless they are given."""
    poses: Path | None = None
    """A file or folder of poses, one for each frame of the video."""
    poses_size: tuple[int, int] | None = None
    """(height, width) of the pictures that these are of; None: the video's."""
    smooth: str = "none"
    """A smoothing over time (``pose_smoothing.SMOOTHINGS``)."""
    test_share: float = 0.2
    """Share of the frames, the last in time, that training does not see; of a target."""
    segment: Segment | None = None
    """Another background; of a target."""

    def __post_init__(self) -> None:
        check_range(self.start, self.stop)
        if self.fps is not None and not self.fps > 0:
            raise UserError(f"--fps {self.fps:g}: give frames per second above 0")
        if not 0 < self.test_share < 1:
            raise UserError(f"--test-share {self.test_share:g}: give a share between 0 and 1, such as 0.2")
        if self.segment is not None and self.role == "source":
            raise UserError("--segment goes with --role target: of a source the poses are used, not pictures")

    def to_json(self) -> dict[str, Any]:
        """Describe it by plain values."""
        crop = self.crop if isinstance(self.crop, str) else list(self.crop)
        poses = str(self.poses) if self.poses else None
        values = asdict(self) | {"crop": crop, "poses": poses, "size": list(self.size)}
        values.pop("segment")  # named only where there is one
        return values | ({"segment": self.segment.to_json()} if self.segment else {})


@dataclass(frozen=True, slots=True)
class Piece:
    """A clip of the data set."""

    path: str
    """Relative to the data set's folder."""
    first: int
    """Which of the frames is its first."""
    count: int


@dataclass(frozen=True, slots=True)
class PoseSet:
    """A finished data set."""

    folder: Path
    recipe: dict[str, Any]
    """:meth:`Recipe.to_json`, with what it was applied to: the video's content, the back-end's version."""
    video: str
    size: tuple[int, int]
    """(height, width) of the frames."""
    fps: float
    layout: str
    """Of the points."""
    picture: tuple[int, int]
    """(height, width) of the video."""
    box: Box
    """The part of it that the frames show."""
    numbers: list[int]
    """Of each of N frames, its number in the video."""
    times: list[float]
    """And when it is shown, in seconds on the video's clock."""
    pieces: list[Piece]
    skipped: dict[int, str] = field(default_factory=dict)
    """Frames without a usable pose, each with the reason, by their place among the N."""

    @classmethod
    def load(cls, folder: Path) -> PoseSet:
        """Read the manifest. Raises ``UserError`` when this is no finished data set."""
        path = folder / MANIFEST
        if not path.is_file():
            raise UserError(
                f"{folder}: no {MANIFEST} in it, so no data set of poses; make one: animate pose2vid prepare"
            )
        try:
            values = safe_json.loads(path.read_text("utf-8"))
            if values["format"] == FORMAT:
                return cls._of(folder, values)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, UserError) as error:
            raise UserError(f"{path} is damaged ({error}); prepare the data set again") from error
        raise UserError(f"{path} was written by another version; prepare the data set again")

    @classmethod
    def _of(cls, folder: Path, values: dict[str, Any]) -> PoseSet:
        return cls(
            folder,
            recipe=dict(values["recipe"]),
            video=str(values["video"]),
            size=_size(values["size"]),
            fps=float(values["fps"]),
            layout=layout_named(str(values["layout"])).name,
            picture=_size(values["picture"]),
            box=Box(*_whole(values["box"])),
            numbers=_whole(values["numbers"]),
            times=[float(time) for time in values["times"]],
            pieces=[Piece(str(p["path"]), *_whole([p["first"], p["count"]])) for p in values["pieces"]],
            skipped={int(number): str(reason) for number, reason in values["skipped"].items()},
        )

    def write(self, folder: Path) -> None:
        """Write the manifest into a folder."""
        values = asdict(self) | {"format": FORMAT, "version": __version__}
        values.pop("folder")
        (folder / MANIFEST).write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n", "utf-8")

    @property
    def aspect(self) -> float:
        """(W - 1) / (H - 1), for ``pose_normalisation.Filmed``."""
        return (self.size[1] - 1) / (self.size[0] - 1)

    def require(self, role: Literal["target", "source"]) -> None:
        """Raise ``UserError`` when it was prepared in the other role."""
        prepared = self.recipe.get("role")
        if prepared != role:
            raise UserError(
                f"{self.folder} was prepared as the {prepared}, and is given as the {role}; exchange --source"
                f" and --target, or prepare it with --role {role}"
            )

    def poses(self) -> Pose:
        """Read the poses of all N frames from the sidecars; frames that no piece has are not found.

        Raises:
            UserError: a sidecar is missing or damaged.

        """
        joints = len(layout_named(self.layout).points)
        points = np.zeros((len(self.numbers), joints, 2), np.float32)
        found, score = np.zeros(points.shape[:2], np.bool_), np.zeros(points.shape[:2], np.float32)
        for piece in self.pieces:
            where = slice(piece.first, piece.first + piece.count)
            places = sidecars_of("pose", self.folder / piece.path)
            if not places:
                raise UserError(
                    f"{self.folder / piece.path}: its poses are missing; prepare the data set again"
                )
            with Sidecar(places[0]) as sidecar:
                for whole, name in ((points, "points"), (found, "found"), (score, "score")):
                    whole[where] = sidecar.array(name)
        return Pose(self.layout, points, found, score)


def _whole(values: list[object]) -> list[int]:
    """Check that values of a manifest are whole numbers, and no strings that are taken for some."""
    numbers = [value for value in values if isinstance(value, int)]
    if len(numbers) != len(values):
        raise ValueError("something that is no whole number stands where one should")
    return numbers


def _size(values: list[object]) -> tuple[int, int]:
    height, width = _whole(values)
    return height, width
