"""The closed table of what a checkpoint may describe.

A checkpoint names one of these architectures and gives plain, typed and bounded arguments. Nothing that
stands in a file is ever imported or called: a dotted path in a checkpoint would run code although the file
itself was read with ``weights_only=True``.
"""

from __future__ import annotations

import inspect
import math
import reprlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from animate.checkpoints.keys import printable
from animate.errors import UserError
from animate.layouts import LAYOUTS
from animate.networks.fomm import Discriminator, FirstOrderModel
from animate.networks.inpainting import BackgroundInpainter, GlobalLocalDiscriminator
from animate.networks.pix2pixhd import MultiscaleDiscriminator, Pix2PixHD
from animate.networks.pix2pixhd.regions import REGIONS
from animate.networks.u2net import U2NetMatting

if TYPE_CHECKING:
    from torch import nn


class Bound(Protocol):
    """The values that an argument may have; its text completes the phrase "must be ..."."""

    def accepts(self, value: object) -> bool:
        """Tell whether the value has the right type and lies in the range."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number from ``low`` to ``high``, both included."""

    low: int
    high: int

    def accepts(self, value: object) -> bool:
        """Tell whether the value is an int in the range; a bool, although Python calls it an int, is not."""
        return type(value) is int and self.low <= value <= self.high

    def __str__(self) -> str:
        return f"a whole number from {self.low} to {self.high}"


@dataclass(frozen=True, slots=True)
class Real:
    """A finite number from ``low`` to ``high``, both included."""

    low: float
    high: float

    def accepts(self, value: object) -> bool:
        """Tell whether the value is a number in the range."""
        if not isinstance(value, int | float) or isinstance(value, bool):
            return False
        return self.low <= value <= self.high and math.isfinite(value)

    def __str__(self) -> str:
        return f"a number from {self.low} to {self.high}"


@dataclass(frozen=True, slots=True)
class Wholes:
    """A list of up to ``most`` whole numbers, at least one, each from ``low`` to ``high``."""

    low: int
    high: int
    most: int

    def accepts(self, value: object) -> bool:
        """Tell whether the value is such a list."""
        if not isinstance(value, list | tuple) or not 1 <= len(value) <= self.most:
            return False
        return all(Whole(self.low, self.high).accepts(each) for each in value)

    def __str__(self) -> str:
        return f"a list of 1 to {self.most} whole numbers from {self.low} to {self.high}"


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of a few words."""

    words: tuple[str, ...]

    def accepts(self, value: object) -> bool:
        """Tell whether the value is one of the words."""
        return type(value) is str and value in self.words

    def __str__(self) -> str:
        return "one of " + ", ".join(self.words)


@dataclass(frozen=True, slots=True)
class YesNo:
    """True or false."""

    def accepts(self, value: object) -> bool:
        """Tell whether the value is a bool."""
        return type(value) is bool

    def __str__(self) -> str:
        return "true or false"


@dataclass(frozen=True, slots=True)
class Part:
    """A network that can be built from a description: its class and what each argument may be."""

    build: Callable[..., nn.Module]
    bounds: Mapping[str, Bound]

    def complete(self, arguments: object, where: str) -> dict[str, object]:
        """Check every argument and fill in the defaults, so that the result does not depend on them.

        Raises:
            UserError: An argument is unknown, of another type or out of range; all of them are listed.

        """
        if not isinstance(arguments, Mapping):
            raise UserError(f"{where}: the arguments are a {type(arguments).__name__}, not a mapping")
        problems = [self._problem(printable(name), value) for name, value in arguments.items()]
        if any(problems):
            raise UserError(f"{where}: {'; '.join(filter(None, problems))}")
        parameters = inspect.signature(self.build).parameters
        return {name: arguments.get(name, parameters[name].default) for name in self.bounds}

    def _problem(self, name: str, value: object) -> str | None:
        if name not in self.bounds:
            return f"unknown argument {name} (known: {', '.join(self.bounds)})"
        if not self.bounds[name].accepts(value):
            return f"{name} must be {self.bounds[name]}, not {reprlib.repr(value):.40}"
        return None


def _no_discriminator() -> nn.Module:
    raise UserError("a method that is not adversarial has no discriminator")


@dataclass(frozen=True, slots=True)
class Architecture:
    """The networks of one method."""

    networks: Part
    discriminator: Part = field(default_factory=lambda: Part(_no_discriminator, {}))


_WIDTH = Whole(1, 4096)
_DEPTH = Whole(1, 8)
_NORM = OneOf(("instance", "batch"))

ARCHITECTURES: Mapping[str, Architecture] = {
    "fomm": Architecture(
        networks=Part(
            FirstOrderModel,
            {
                "image_size": Whole(16, 4096),
                "num_keypoints": Whole(1, 256),
                "jacobian": OneOf(("per_keypoint", "shared", "none")),
                "motion_size": Whole(8, 1024),
                "temperature": Real(1e-4, 100.0),
                "keypoint_width": _WIDTH,
                "keypoint_max_width": _WIDTH,
                "keypoint_depth": _DEPTH,
                "motion_width": _WIDTH,
                "motion_max_width": _WIDTH,
                "motion_depth": _DEPTH,
                "generator_width": _WIDTH,
                "generator_max_width": _WIDTH,
                "generator_depth": Whole(0, 8),
                "generator_blocks": Whole(0, 64),
                "occlusion": YesNo(),
                "generator_blend": YesNo(),
            },
        ),
        discriminator=Part(
            Discriminator,
            {
                "num_keypoints": Whole(1, 256),
                "width": _WIDTH,
                "max_width": _WIDTH,
                "depth": _DEPTH,
                "spectral_norm": YesNo(),
                "condition_on_keypoints": YesNo(),
            },
        ),
    ),
    "pix2pixhd": Architecture(
        networks=Part(
            Pix2PixHD,
            {
                "labels": Whole(1, 1024),
                "indexed": YesNo(),
                "skeleton": OneOf(("", *LAYOUTS)),
                "edges": YesNo(),
                "features": Whole(0, 64),
                "previous": YesNo(),
                "width": _WIDTH,
                "depth": Whole(0, 8),
                "blocks": Whole(0, 64),
                "enhancers": Whole(0, 4),
                "enhancer_blocks": Whole(0, 64),
                "norm": _NORM,
                "encoder_width": _WIDTH,
                "encoder_depth": Whole(0, 8),
                "clusters": Whole(1, 1000),
                "face": YesNo(),
                "face_width": _WIDTH,
                "face_depth": Whole(0, 8),
                "face_blocks": Whole(0, 64),
                "face_regions": OneOf(tuple(REGIONS)),
                "face_side": Whole(16, 1024),
            },
        ),
        discriminator=Part(
            MultiscaleDiscriminator,
            {
                "condition_channels": Whole(0, 4096),
                "frames": Whole(1, 64),
                "width": Whole(1, 512),
                "layers": _DEPTH,
                "scales": Whole(1, 8),
                "norm": OneOf(("instance", "batch", "spectral")),
            },
        ),
    ),
    "inpainting": Architecture(
        networks=Part(
            BackgroundInpainter,
            {
                "layout": OneOf(("impersonator", "ipercore", "unet")),
                "filters": Wholes(1, 4096, 8),
                "blocks": Whole(0, 64),
                "image_size": Whole(16, 4096),
            },
        ),
        discriminator=Part(
            GlobalLocalDiscriminator,
            {
                "width": Whole(1, 512),
                "layers": _DEPTH,
                "local_side": Real(0.05, 1.0),
            },
        ),
    ),
    "u2net": Architecture(
        networks=Part(
            U2NetMatting,
            {
                "layout": OneOf(("u2net", "u2netp")),
                "width": Whole(4, 1024),
                "image_size": Whole(16, 4096),
            },
        ),
    ),
}
