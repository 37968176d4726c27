"""What ``animate inpaint compare`` does with a scene: every way's background of it, scored and shown."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    import numpy as np
    import torch
    from numpy.typing import NDArray

    from animate.annotate.protocols import Matter
    from animate.data.peopled import Peopled
    from animate.metrics.perception import PictureDistance
    from animate.networks.inpainting import BackgroundInpainter
    from animate.pipelines.backgrounds import Footage, Way
    from animate.reports.backgrounds import Scene


class Compared:
    """What every scene is put through."""

    def __init__(self, args: argparse.Namespace, networks: Mapping[str, BackgroundInpainter]) -> None:
        from animate.annotate import backends
        from animate.ops.classical_fills import CLASSICAL
        from animate.pipelines.backgrounds import ways

        self.notes: list[str] = []
        self._finder: Matter | None = backends.mattes(args.matte_backend) if args.matte_backend else None
        self._lpips = _lpips() if args.lpips else None
        self._ways: dict[str, Way] = ways(
            networks, CLASSICAL, video=args.frames > 1, mattes=self._finder is not None
        )

    def skip(self, problem: str) -> None:
        """Tell the user of a scene that cannot be read, and the reader of the table."""
        from animate.data.index import printable

        self.notes.append(f"skipped {printable(problem)}")
        print(self.notes[-1], file=sys.stderr)

    def scene(self, peopled: Peopled) -> Scene:
        """Make every background of a scene, and score it."""
        from animate.data.index import printable
        from animate.ops.complexity import entropy, gradient_energy
        from animate.reports.backgrounds import Scene

        footage = self._footage(peopled)
        middle = footage.clean[len(footage.clean) // 2][None]
        facts = {
            "gradient_energy": float(gradient_energy(middle)),
            "entropy": float(entropy(middle)),
            "hole_share": float(footage.hole[len(footage.hole) // 2].mean()),
        }
        rows = {name: self._scored(way, footage) for name, way in self._ways.items()}
        return Scene(printable(peopled.name), facts, rows)

    def _scored(self, way: Way, footage: Footage) -> dict[str, float]:
        from animate.metrics import backgrounds as metrics

        made = way(footage)
        found = metrics.scores(made.pictures, footage.clean, footage.hole)
        if self._lpips is not None:
            middle = slice(len(made.pictures) // 2, len(made.pictures) // 2 + 1)
            found["lpips_alex"] = float(self._lpips(made.pictures[middle], footage.clean[middle]))
        found |= metrics.stand_in(made.pictures, footage.clean, footage.matte, footage.hole)
        found |= metrics.mask_scores(made.hole, made.person, footage.matte)
        return found if made.crop is None else found | metrics.crop_scores(made.crop, footage.matte)

    def pictures(self, peopled: Peopled) -> dict[str, NDArray[np.uint8]]:
        """Show a scene's middle frame: with its person, without, and what every way makes of it."""
        footage = self._footage(peopled)
        middle = len(footage.clean) // 2
        shown = {"input": footage.shown, "truth": footage.clean}
        shown |= {name: way(footage).pictures for name, way in self._ways.items()}
        return {name: _picture(pictures[middle]) for name, pictures in shown.items()}

    def _footage(self, peopled: Peopled) -> Footage:
        import torch

        from animate.pipelines.backgrounds import Footage

        clean, shown = (
            torch.from_numpy(one).movedim(-1, 1).float().div(255) for one in (peopled.clean, peopled.shown)
        )
        matte, hole = (torch.from_numpy(one)[:, None] for one in (peopled.matte, peopled.hole))
        found = None if self._finder is None else torch.from_numpy(self._finder(peopled.shown))[:, None]
        return Footage(clean, shown, matte, hole, found)


def _lpips() -> PictureDistance:
    from animate.training.annotators import make_networks

    make = make_networks().lpips
    assert make is not None
    return make("alex")


def _picture(picture: torch.Tensor) -> NDArray[np.uint8]:
    found: NDArray[np.uint8] = picture.mul(255).round().byte().movedim(0, -1).numpy()
    return found
