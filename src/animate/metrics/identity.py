"""Who is seen: embeddings that a recogniser gives of the main figure.

All of them read ``prediction_identity`` and ``target_identity`` of :class:`animate.types.Evaluated`. A frame
whose target shows nobody is never defined. Where the prediction shows nobody, distances are not defined, and
the frame is counted as missing; verification and identification count it as not recognised.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from hashlib import blake2b
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torchmetrics.utilities import dim_zero_cat

from animate.errors import UserError
from animate.metrics.base import Definition, FrameMetric, FrameScores, VideoMetric
from animate.metrics.functional import identity as measure

if TYPE_CHECKING:
    from animate.types import Embeddings, Evaluated

_FOMM = 'Siarohin et al., "First Order Motion Model for Image Animation" (2019), section 4'
_FOMM_CODE = "pose-evaluation, the published evaluation code of the First Order Motion Model"


def embeddings(frames: Evaluated) -> tuple[Embeddings, Embeddings]:
    """Give the identities found in the predictions and in the targets.

    Raises:
        UserError: no recogniser looked at them, or it gave embeddings of different lengths.

    """
    if "prediction_identity" not in frames or "target_identity" not in frames:
        raise UserError("no identities of prediction and target; choose a back-end for them")
    prediction, target = frames["prediction_identity"], frames["target_identity"]
    if prediction["value"].shape != target["value"].shape:
        shapes = [tuple(found["value"].shape) for found in (prediction, target)]
        raise UserError(f"identities of prediction {shapes[0]} and target {shapes[1]} do not fit together")
    return prediction, target


class EmbeddingMetric(FrameMetric):
    """A frame metric over the embeddings of prediction and target.

    Args:
        backend: name and version of the recogniser, for the definition.

    """

    needs = frozenset({"identity"})

    def __init__(self, backend: str = "") -> None:
        super().__init__()
        self.backend = backend

    @abstractmethod
    def score(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Compare two (N, D): (N,) float64."""

    def per_frame(self, frames: Evaluated) -> FrameScores:
        """See :class:`FrameMetric`. Needs ``prediction_identity`` and ``target_identity``."""
        prediction, target = embeddings(frames)
        found = prediction["found"] & target["found"]
        value = self.score(prediction["value"], target["value"])
        return FrameScores(torch.where(found, value, torch.nan), ~found)


class CSIM(EmbeddingMetric):
    """Cosine similarity of identities."""

    @property
    def definition(self) -> Definition:
        """See :class:`FrameMetric`."""
        text = (
            "mean over frames of the cosine of the angle between the embeddings of prediction and target; "
            "frames in which one of them shows nobody are missing"
        )
        source = 'Zakharov et al., "Few-Shot Adversarial Learning of Neural Talking Head Models" (2019)'
        return Definition("csim", text, "", -1, 1, True, source, self.backend)

    def score(self, prediction: Tensor, target: Tensor) -> Tensor:
        """See :class:`EmbeddingMetric`."""
        return measure.csim(prediction, target)


class AED(EmbeddingMetric):
    """Average Euclidean distance of identities, as worded in papers."""

    @property
    def definition(self) -> Definition:
        """See :class:`FrameMetric`."""
        text = (
            "mean over frames of the Euclidean distance between the embeddings of prediction and target; "
            "frames in which one of them shows nobody are missing"
        )
        return Definition("aed", text, "", 0, math.inf, False, _FOMM, self.backend)

    def score(self, prediction: Tensor, target: Tensor) -> Tensor:
        """See :class:`EmbeddingMetric`."""
        return measure.aed(prediction, target)


class AEDSquared(EmbeddingMetric):
    """Average Euclidean distance of identities as the reference codes it: squared."""

    @property
    def definition(self) -> Definition:
        """See :class:`FrameMetric`."""
        text = (
            "mean over frames of the sum of squared differences of the embeddings of prediction and target "
            "(no root); frames in which one of them shows nobody are missing"
        )
        return Definition("aed_squared", text, "", 0, math.inf, False, _FOMM_CODE, self.backend)

    def score(self, prediction: Tensor, target: Tensor) -> Tensor:
        """See :class:`EmbeddingMetric`."""
        return measure.aed_squared(prediction, target)


class Verification(FrameMetric):
    """How often the figure in the prediction is taken for the target's person.

    Args:
        threshold: embeddings closer than this (Euclidean) are taken for the same person; the recogniser
            states it.
        backend: name and version of the recogniser, for the definition.

    """

    needs = frozenset({"identity"})

    def __init__(self, threshold: float, backend: str = "") -> None:
        super().__init__()
        self.threshold = threshold
        self.backend = backend

    @property
    def definition(self) -> Definition:
        """See :class:`FrameMetric`."""
        text = (
            f"share of frames whose prediction's embedding is closer than {self.threshold:g} (Euclidean) to "
            "the target's, a prediction that shows nobody counting as not; frames whose target shows nobody "
            "are missing"
        )
        source = 'Huang et al., "Labeled Faces in the Wild" (2007)'
        return Definition("verification", text, "", 0, 1, True, source, self.backend)

    def per_frame(self, frames: Evaluated) -> FrameScores:
        """See :class:`FrameMetric`. Needs ``prediction_identity`` and ``target_identity``."""
        prediction, target = embeddings(frames)
        close = measure.aed(prediction["value"], target["value"]) < self.threshold
        value = (close & prediction["found"]).double()
        return FrameScores(torch.where(target["found"], value, torch.nan), ~target["found"])


class Identification(VideoMetric):
    """How many clips are recognised: the nearest of all clips' true identities is that of the clip's person.

    An identity is the mean embedding of the clip's frames in which the recogniser found somebody. Memory
    grows with the clips, not with the frames.

    Args:
        threshold: clips whose true identities are this close (Euclidean) show the same person, so one of them
            may be taken for the other.
        backend: name and version of the recogniser, for the definition.

    """

    needs = frozenset({"identity"})
    clip_ids: list[Tensor]
    """A hash of each clip's name, (1,) int64."""
    sums: list[Tensor]
    """Of each clip (2 + 2 D,) float64: frames found, then summed embeddings; prediction, then target."""
    missing: Tensor
    """How many frames did not count because the recogniser found nobody in prediction or target."""

    def __init__(self, threshold: float, backend: str = "") -> None:
        super().__init__()
        self.threshold = threshold
        self.backend = backend
        self.add_state("clip_ids", [], dist_reduce_fx="cat")
        self.add_state("sums", [], dist_reduce_fx="cat")
        self.add_state("missing", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        self._begin()

    def _begin(self) -> None:
        """Give each list an empty entry: a process without clips must still send the right type."""
        self.clip_ids.append(torch.zeros(0, dtype=torch.int64, device=self.missing.device))
        self.sums.append(torch.zeros(0, dtype=torch.float64, device=self.missing.device))

    def reset(self) -> None:
        """Forget all clips."""
        super().reset()
        self._begin()

    @property
    def definition(self) -> Definition:
        """See :class:`VideoMetric`."""
        text = (
            "share of clips whose mean prediction embedding has as its nearest (Euclidean), among the mean "
            f"target embeddings of all clips, its own or one within {self.threshold:g} of it (the same "
            "person); a clip whose predictions show nobody counts as not, one whose targets show nobody does "
            "not count"
        )
        source = 'Phillips et al., "The FERET evaluation methodology for face-recognition algorithms" (2000)'
        return Definition("identification", text, "", 0, 1, True, source, self.backend)

    def update(self, frames: Evaluated) -> None:
        """See :class:`VideoMetric`. Needs ``prediction_identity`` and ``target_identity``."""
        prediction, target = embeddings(frames)
        self.missing += (~(prediction["found"] & target["found"])).sum()
        found = torch.stack([prediction["found"], target["found"]], 1).double()
        values = torch.stack([prediction["value"], target["value"]], 1).double() * found.unsqueeze(-1)
        rows = torch.cat([found, values.flatten(1)], 1)
        names = frames["clip"]
        for name in dict.fromkeys(names):
            here = torch.tensor([other == name for other in names], device=rows.device)
            self._add(name, rows[here].sum(0))

    def _add(self, name: str, row: Tensor) -> None:
        digest = blake2b(name.encode(), digest_size=8).digest()
        clip_id = torch.tensor([int.from_bytes(digest, signed=True)], device=row.device)
        # A clip's frames follow one another: only the last can be the same. Should it come again, its entries
        # are added up at the end.
        if torch.equal(self.clip_ids[-1], clip_id):
            self.sums[-1] = self.sums[-1] + row
            return
        self.clip_ids.append(clip_id)
        self.sums.append(row)

    def compute(self) -> Tensor:
        """See :class:`VideoMetric`."""
        counts, means = self._clips()
        known = counts[:, 1] > 0
        right = measure.identified(means[known, 0], means[known, 1], self.threshold)
        return (right & (counts[known, 0] > 0)).double().mean()

    def _clips(self) -> tuple[Tensor, Tensor]:
        """Put together what belongs to a clip: frames found (C, 2) and mean embeddings (C, 2, D)."""
        entries = dim_zero_cat(self.clip_ids)
        if len(entries) == 0:
            return torch.zeros(0, 2), torch.zeros(0, 2, 1)
        ids, clip = torch.unique(entries, return_inverse=True)
        rows = dim_zero_cat(self.sums).view(len(entries), -1)
        clips = rows.new_zeros(len(ids), rows.shape[1]).index_add(0, clip, rows)
        counts, sums = clips[:, :2], clips[:, 2:].reshape(len(ids), 2, -1)
        return counts, sums / counts.clamp(min=1).unsqueeze(-1)
