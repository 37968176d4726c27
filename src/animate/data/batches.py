"""From what the data workers hand over to a batch on the device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from animate.data.transforms import MAPS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from animate.data.dataset import RawBatch
    from animate.types import Batch


def as_batch(raw: RawBatch) -> Batch:
    """Bring what the workers handed over to the conventions of ``types.Batch``, without augmentation."""
    tensors: Mapping[str, torch.Tensor] = raw["tensors"]
    batch: dict[str, Any] = {key: _as_float(key, value) for key, value in tensors.items()}
    batch |= {"clip": raw["clip"], "seed": raw["seed"]}
    if raw["skipped"]:
        batch["skipped"] = [f"{clip}: {reason}" for clip, reason in raw["skipped"]]
    return batch  # type: ignore[return-value]  # the keys are those of Batch: a view names them


def _as_float(key: str, value: torch.Tensor) -> torch.Tensor:
    if value.dtype == torch.uint8:
        planes = value.movedim(-1, -3)
        return planes.to(torch.float32, memory_format=torch.contiguous_format).div_(255)
    return value.unsqueeze(-3) if key in {"person_mask", "hole_mask", *MAPS} else value
