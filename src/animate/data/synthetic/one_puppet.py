"""Many clips of one puppet in one place: what a model of one person is trained on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from typing_extensions import override

from animate.data.synthetic.puppets import Puppet, PuppetIndex

if TYPE_CHECKING:
    from animate.data.index import Split
    from animate.data.synthetic.kinds import Kind


class OnePuppetIndex(PuppetIndex):
    """Clips of the same puppet in the same scene; only its motion differs. See ``ClipIndex``.

    Validation and test hold motions that training never saw, so most of their poses are new, too.

    Args:
        kind: ``person``, ``face`` or ``animal``.
        train_clips: number of training clips; likewise for the other splits.
        frames: frames of each clip.
        size: side of the pictures where no size is asked for.
        seed: another seed is another puppet, scene and set of motions.
        markers: whether every visible joint carries its coloured marker.
        fps: frames per second.

    Raises:
        UserError: as in ``PuppetIndex``.

    """

    def __init__(
        self,
        *,
        kind: str = "person",
        train_clips: int = 60,
        val_clips: int = 6,
        test_clips: int = 6,
        frames: int = 32,
        size: int = 128,
        seed: int = 0,
        markers: bool = True,
        fps: float = 25.0,
    ) -> None:
        super().__init__(
            train_clips=train_clips,
            val_clips=val_clips,
            test_clips=test_clips,
            frames=frames,
            size=size,
            seed=seed,
            kinds=[kind],
            markers=markers,
            fps=fps,
        )

    @override
    def _puppet(self, split: Split, number: int, kind: Kind) -> Puppet:
        motion = super()._puppet(split, number, kind).motion
        return replace(super()._puppet("train", 0, kind), motion=motion)
