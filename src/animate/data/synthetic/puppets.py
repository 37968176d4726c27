"""The drawn data set: an index of puppet clips, and the reader that draws their frames and tells the truth.

Nothing is stored: a clip is a handful of integers, and each frame is drawn when it is asked for, at any size,
independently of the other frames.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from animate.data.clips import FrameStore, require
from animate.data.index import SPLITS, Clip
from animate.data.synthetic.canvas import blank, finished
from animate.data.synthetic.chance import Chance
from animate.data.synthetic.kinds import KINDS, Kind, kind_named
from animate.data.synthetic.palette import NUM_CODES
from animate.data.synthetic.places import draw_scene
from animate.data.synthetic.scene import cast_shadow
from animate.errors import UserError
from animate.layouts import puppets_layout
from animate.ops.random import mix

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from animate.data.clips import ClipReader
    from animate.data.index import Split
    from animate.data.synthetic.figure import Figure
    from animate.data.synthetic.scene import Scene

    Size = tuple[int, int]

_RUN_IN, _RUN_OUT = 15, 3
"""Frames before and after a clip that are computed, so that what swings is in motion when the clip begins."""
_LOOK, _SCENE, _MOTION, _ORDER = 1, 2, 3, 4
_HELD_OUT: Mapping[Split, range] = {"test": range(1), "val": range(1, 2), "train": range(2, 10)}
"""The last digits of the identities of each split."""
_CACHED_CLIPS = 512
"""Figures and scenes that a process keeps; a clip of 32 frames takes about 0.3 MB."""
_PLATES = FrameStore(max_bytes=96 * 2**20)
"""Painted still scenes of this process."""


@dataclass(frozen=True, slots=True)
class Puppet:
    """All that a clip is drawn from. Equal puppets are equal pictures, on every machine.

    ``look``, ``scene`` and ``motion`` are seeds: of the figure's build, hair and patterns, of the place, and
    of the movement. ``identity``, in [0, ``NUM_CODES``), is what the garments' colours encode.
    ``joint_kinds`` are the kinds whose joints the truth has room for.
    """

    kind: str
    identity: int
    look: int
    scene: int
    motion: int
    num_frames: int
    fps: float
    markers: bool
    joint_kinds: tuple[str, ...]

    def open(self, clip: Clip) -> ClipReader:
        """See ``ClipSource``."""
        return PuppetReader(self, clip.size)


class PuppetReader:
    """Draws the frames of a puppet's clip; see ``ClipReader``."""

    def __init__(self, puppet: Puppet, size: Size) -> None:
        self._puppet, self._size = puppet, size

    def frames(self, indices: Sequence[int], size: Size | None = None) -> NDArray[np.uint8]:
        """(T, H, W, 3) uint8 RGB."""
        require(indices, self._puppet.num_frames, f"puppet {self._puppet.kind}")
        size = size or self._size
        return np.stack([draw_frame(self._puppet, int(i), size) for i in indices])

    def truth(self, indices: Sequence[int], size: Size | None = None) -> Mapping[str, NDArray[Any]]:
        """Tell what is known about these frames; each entry is computed when it is looked up.

        ``points`` (T, J, 2) float32 in [-1, 1], beyond that where a joint is outside of the picture;
        ``visible`` (T, J) bool; ``person_mask`` (T, H, W) float32 in [0, 1]; ``background`` (T, H, W, 3)
        uint8, the scene with the figure's shadow and without the figure; ``parts`` (T, H, W) uint8 as in
        :func:`part_names`; ``identity`` () int64, unique over all kinds; ``layout`` () str, of the points.
        """
        require(indices, self._puppet.num_frames, f"puppet {self._puppet.kind}")
        return PuppetTruth(self._puppet, [int(i) for i in indices], size or self._size)


class PuppetTruth(Mapping[str, "NDArray[Any]"]):
    """The truth about some frames; see :meth:`PuppetReader.truth`."""

    def __init__(self, puppet: Puppet, indices: list[int], size: Size) -> None:
        self._puppet, self._indices, self._size = puppet, indices, size
        self._compute: dict[str, Callable[[], NDArray[Any]]] = {
            "points": self._points,
            "visible": self._visible,
            "person_mask": self._matte,
            "background": self._background,
            "parts": self._parts,
            "identity": self._identity,
            "layout": self._layout,
        }

    def __getitem__(self, key: str) -> NDArray[Any]:
        return self._compute[key]()

    def __contains__(self, key: object) -> bool:
        return key in self._compute

    def __iter__(self) -> Iterator[str]:
        return iter(self._compute)

    def __len__(self) -> int:
        return len(self._compute)

    @property
    def _figure(self) -> Figure:
        return figure_of(self._puppet)

    def _span(self) -> tuple[int, slice]:
        """Return the number of joints over all kinds, and the place of this kind's."""
        counts = [len(kind_named(name).joints) for name in self._puppet.joint_kinds]
        own = self._puppet.joint_kinds.index(self._puppet.kind)
        return sum(counts), slice(sum(counts[:own]), sum(counts[: own + 1]))

    def _points(self) -> NDArray[np.float32]:
        count, own = self._span()
        points = np.zeros((len(self._indices), count, 2), dtype=np.float32)
        points[:, own] = self._figure.points[self._indices]
        return points

    def _visible(self) -> NDArray[np.bool_]:
        count, own = self._span()
        visible = np.zeros((len(self._indices), count), dtype=np.bool_)
        visible[:, own] = [self._figure.visible(i) for i in self._indices]
        return visible

    def _layout(self) -> NDArray[Any]:
        return np.asarray(puppets_layout(self._puppet.joint_kinds).name)

    def _matte(self) -> NDArray[np.float32]:
        return np.stack([_matte(self._puppet, i, self._size) for i in self._indices])

    def _background(self) -> NDArray[np.uint8]:
        return np.stack([finished(_plate(self._puppet, i, self._size)) for i in self._indices])

    def _parts(self) -> NDArray[np.uint8]:
        return np.stack([self._figure.part_map(i, self._size) for i in self._indices])

    def _identity(self) -> NDArray[np.int64]:
        kind = [k.name for k in KINDS].index(self._puppet.kind)
        return np.asarray(kind * NUM_CODES + self._puppet.identity, dtype=np.int64)


def draw_frame(puppet: Puppet, frame: int, size: Size) -> NDArray[np.uint8]:
    """Draw one frame: (H, W, 3) uint8 RGB."""
    canvas = _plate(puppet, frame, size)
    figure_of(puppet).paint(canvas, frame, size, markers=puppet.markers)
    return finished(canvas)


def part_names(puppet: Puppet) -> tuple[str, ...]:
    """Tell what the numbers in ``parts`` mean, from 1 on; 0 is the scene."""
    return figure_of(puppet).rig.parts


@lru_cache(maxsize=_CACHED_CLIPS)
def figure_of(puppet: Puppet) -> Figure:
    """Return the figure in all its frames."""
    times = np.arange(-_RUN_IN, puppet.num_frames + _RUN_OUT) / puppet.fps
    keep = slice(_RUN_IN, _RUN_IN + puppet.num_frames)
    draw = kind_named(puppet.kind).draw
    return draw(puppet.identity, Chance(puppet.look), Chance(puppet.motion), times, keep)


@lru_cache(maxsize=_CACHED_CLIPS)
def _scene_of(seed: int, num_frames: int, fps: float) -> Scene:
    return draw_scene(Chance(seed), np.arange(num_frames) / fps)


def _plate(puppet: Puppet, frame: int, size: Size) -> NDArray[np.uint8]:
    """Draw the scene with the figure's shadow, on a fresh canvas."""
    scene = _scene_of(puppet.scene, puppet.num_frames, puppet.fps)
    if scene.still:
        key = (f"{puppet.scene}", 0, size)
        painted = _PLATES.get(key)
        if painted is None:
            painted = scene.paint(size, 0)
            _PLATES.put(key, painted)
        canvas = painted.copy()
    else:
        canvas = scene.paint(size, frame)
    cast_shadow(canvas, figure_of(puppet).ground[frame], size)
    return canvas


def _matte(puppet: Puppet, frame: int, size: Size) -> NDArray[np.float32]:
    canvas = blank(size, channels=1)
    figure_of(puppet).paint_matte(canvas, frame, size, markers=puppet.markers)
    # Averaged as floats: a trace of the figure must not be rounded to 0.
    covered = canvas[:, :, 0].astype(np.float32) / 255.0
    return np.asarray(cv2.resize(covered, (size[1], size[0]), interpolation=cv2.INTER_AREA))


class PuppetIndex:
    """Clips of drawn puppets; see ``ClipIndex``.

    A tenth of the identities belongs to ``test``, a tenth to ``val``, the others to ``train``, and every clip
    has a scene and a motion of its own; so validation and test show identities and scenes that training never
    saw, moving in the same ways. Kinds take turns.

    The truth has one place for every joint of every kind in ``kinds`` (:attr:`joints`); those of other kinds
    than the clip's are at (0, 0) and not visible. So all samples of a data set have the same number of
    points.

    Args:
        train_clips: Number of training clips; likewise for the other splits.
        frames: Frames of each clip.
        size: Side of the pictures where no size is asked for.
        seed: Another seed is another data set. Identities keep their garments and change their looks.
        kinds: Which kinds of figures to draw.
        markers: Whether every visible joint carries its coloured marker.
        fps: Frames per second.

    Raises:
        UserError: A number is not positive, or a kind is not known.

    """

    def __init__(
        self,
        *,
        train_clips: int = 600,
        val_clips: int = 30,
        test_clips: int = 60,
        frames: int = 32,
        size: int = 64,
        seed: int = 0,
        kinds: Sequence[str] = ("person", "face", "animal"),
        markers: bool = True,
        fps: float = 25.0,
    ) -> None:
        numbers = {"train_clips": train_clips, "val_clips": val_clips, "test_clips": test_clips}
        numbers |= {"frames": frames, "size": size, "kinds": len(kinds)}
        for name, number in numbers.items():
            if number < 1:
                raise UserError(f"puppets: {name} is {number}; it has to be at least 1")
        if fps <= 0.0:
            raise UserError(f"puppets: fps is {fps}; it has to be positive")
        self._kinds = tuple(kind_named(name) for name in dict.fromkeys(kinds))
        self._counts: dict[Split, int] = {"train": train_clips, "val": val_clips, "test": test_clips}
        self._frames, self._size, self._seed, self._markers, self._fps = frames, size, seed, markers, fps
        self.problems: Sequence[str] = ()

    @property
    def kinds(self) -> tuple[str, ...]:
        """Which kinds of figures there are."""
        return tuple(kind.name for kind in self._kinds)

    @property
    def joints(self) -> tuple[str, ...]:
        """What the points of the truth are, each ``kind.joint``."""
        return tuple(f"{kind.name}.{joint}" for kind in self._kinds for joint in kind.joints)

    def clips(self, split: Split) -> Sequence[Clip]:
        """Return the clips of a split."""
        return [self._clip(split, number) for number in range(self._counts[split])]

    def _clip(self, split: Split, number: int) -> Clip:
        kind = self._kinds[number % len(self._kinds)]
        puppet = self._puppet(split, number, kind)
        name = f"{split}_{number:05d}_{kind.name}_{puppet.identity:03d}"
        return Clip(
            name=name,
            subject=f"{kind.name}_{puppet.identity:03d}",
            path=Path("puppets") / split / name,
            num_frames=self._frames,
            exact=True,
            fps=self._fps,
            size=(self._size, self._size),
            reader=puppet,
        )

    def _puppet(self, split: Split, number: int, kind: Kind) -> Puppet:
        pool = identities(split)
        place = [k.name for k in KINDS].index(kind.name)
        # The stride shares no factor with the pool's size, so every identity comes before any comes twice.
        start = mix(self._seed, _ORDER, place) % len(pool)
        identity = pool[(start + (number // len(self._kinds)) * 37) % len(pool)]
        clip_seed = mix(self._seed, SPLITS.index(split), number)
        return Puppet(
            kind=kind.name,
            identity=identity,
            look=mix(self._seed, _LOOK, place, identity),
            scene=mix(clip_seed, _SCENE),
            motion=mix(clip_seed, _MOTION),
            num_frames=self._frames,
            fps=float(self._fps),
            markers=self._markers,
            joint_kinds=tuple(k.name for k in self._kinds),
        )


def identities(split: Split) -> list[int]:
    """Return the identities that belong to a split; those of different splits are disjoint."""
    return [i for i in range(NUM_CODES) if i % 10 in _HELD_OUT[split]]
