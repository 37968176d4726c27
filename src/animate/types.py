"""The shapes, ranges and names of what travels between the parts, stated once.

Conventions, everywhere: pictures are RGB, ``float32`` in [0, 1], channels first, ``(B, T, C, H, W)`` with
time and ``(B, C, H, W)`` without; points are ``(x, y)`` in [-1, 1], the corner pixels' centres lying at -1
and 1 (``align_corners=True``); a mask is 1 where the thing that it is named after is.
``uint8`` pictures exist in two places only: in the data workers and in the video reader and writer, there as
``(T, H, W, 3)``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NotRequired, TypedDict

if TYPE_CHECKING:
    from torch import Tensor


class Keypoints(TypedDict):
    """Points of a motion model with the local affine motion around each.

    ``value`` is ``(B, K, 2)``; ``jacobian`` is ``(B, K, 2, 2)`` and absent where the model estimates none.
    """

    value: Tensor
    jacobian: NotRequired[Tensor]


class Batch(TypedDict):
    """What every LightningModule receives, after augmentation, on its device.

    B is the batch, T the frames that the view took of each clip, J the annotated points.
    """

    frames: Tensor
    """(B, T, 3, H, W) float32 in [0, 1]. For a frame pair T is 2: source, then driving."""
    frame_index: Tensor
    """(B, T) int64: which frames of the clip these are."""
    clip: list[str]
    """The names of the B clips."""
    seed: list[int]
    """The B sample seeds: every random draw that concerns a sample derives from its seed (``ops.random``)."""
    skipped: NotRequired[list[str]]
    """Clips that could not be read, each with its reason: in training another draw stands in their place, in
    evaluation they are left out."""
    points: NotRequired[Tensor]
    """(B, T, J, 2) true or annotated points in [-1, 1]."""
    visible: NotRequired[Tensor]
    """(B, T, J) bool."""
    person_mask: NotRequired[Tensor]
    """(B, T, 1, H, W) float32 in [0, 1], 1 on the figure."""
    background: NotRequired[Tensor]
    """(B, T, 3, H, W) float32 in [0, 1]: the same frames without the figure."""
    hole_mask: NotRequired[Tensor]
    """(B, T, 1, H, W) float32, 1 in the hole that is to be filled and 0 around it."""
    identity: NotRequired[Tensor]
    """(B,) int64: which subject this is."""
    label: NotRequired[Tensor]
    """(B, T, 1, H, W) int64: what each pixel shows, by class."""
    instance: NotRequired[Tensor]
    """(B, T, 1, H, W) int64: which thing each pixel belongs to."""


class StepOutput(TypedDict):
    """What ``validation_step`` and ``test_step`` return: the contract between modules and callbacks.

    N is the number of predicted frames; metrics and sample pictures read nothing else.
    """

    prediction: Tensor
    """(N, 3, H, W) in [0, 1]."""
    target: Tensor
    """(N, 3, H, W) in [0, 1]."""
    source: Tensor
    """(N, 3, H, W) in [0, 1]: what copying the first frame would give."""
    clip: list[str]
    """The clip of each of the N frames."""
    frame: list[int]
    """The number of each of the N frames within its clip."""
    source_keypoints: NotRequired[Tensor]
    """(N, K, 2) in [-1, 1]."""
    target_keypoints: NotRequired[Tensor]
    """(N, K, 2) in [-1, 1]."""
    mask: NotRequired[Tensor]
    """(N, 1, H, W) in [0, 1]: the region of interest, where the method has one."""
    pictures: NotRequired[dict[str, Tensor]]
    """Named intermediate pictures, (N, 3 or 1, h, w) in [0, 1], for the sample grid."""


class Points(TypedDict):
    """Points that a back-end found in N pictures: one figure each."""

    value: Tensor
    """(N, J, 2) float32 in [-1, 1]; (0, 0) where not found."""
    found: Tensor
    """(N, J) bool."""


class Embeddings(TypedDict):
    """What a back-end says of the identity of the main figure in each of N pictures."""

    value: Tensor
    """(N, D) float32; zeros where not found."""
    found: Tensor
    """(N,) bool."""


class Evaluated(StepOutput):
    """A StepOutput as metrics read it, with what back-ends found in it.

    Only the five required entries of ``StepOutput`` are always there; a metric names in its ``needs`` what
    else it reads. A clip's frames arrive in the order of time, and all of them before those of another clip.
    """

    masks: NotRequired[dict[str, Tensor]]
    """Regions of the target by name (``person``, ``face_box``, ``hole``): (N, 1, H, W) in [0, 1]."""
    baselines: NotRequired[dict[str, Tensor]]
    """What is predicted without the model, by the name of its row in a report: (N, 3, H, W) in [0, 1]."""
    prediction_points: NotRequired[dict[str, Points]]
    """What was found in the predictions, by name (``landmarks``, ``pose``, ``puppet``)."""
    target_points: NotRequired[dict[str, Points]]
    """The same of the targets."""
    prediction_identity: NotRequired[Embeddings]
    target_identity: NotRequired[Embeddings]
    source_identity: NotRequired[Embeddings]
