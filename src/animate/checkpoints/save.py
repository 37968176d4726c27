"""Writing checkpoints that describe themselves and hold nothing but tensors and plain values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from animate.checkpoints.description import KEY
from animate.checkpoints.files import write

if TYPE_CHECKING:
    from animate.checkpoints.description import Description

PLAIN = (Tensor, bool, int, float, str, bytes, type(None), torch.Size, torch.dtype, torch.device)


def save(path: str | Path, state: Mapping[str, Any], description: Description) -> None:
    """Write ``state`` with its description, whole or not at all.

    Args:
        path: The file; its folder is made when it is missing, an older file is replaced.
        state: What the checkpoint holds besides: at least ``"state_dict"``, with keys ``networks.*`` and
            perhaps ``discriminator.*``; Lightning's other keys too when a trainer saves.
        description: From ``describe``.

    Raises:
        TypeError: A value is neither a tensor nor plain, so that ``weights_only=True`` would refuse the file.
        UserError: The place cannot be written to.

    """
    checkpoint = {**state, KEY: dict(description)}
    strange = _not_plain(checkpoint)
    if strange:
        raise TypeError(f"a checkpoint holds tensors and plain values only, but {strange}")
    write(Path(path), checkpoint)


def _not_plain(value: object, where: str = "") -> str | None:
    """Name the first value, depth first, that the safe reader would refuse."""
    if isinstance(value, Mapping):
        inner = [(f"{where}.{key}" if where else str(key), item) for key, item in value.items()]
        inner += [(f"a key of {where}", key) for key in value]
    elif isinstance(value, list | tuple | set):
        inner = [(f"{where}[{number}]", item) for number, item in enumerate(value)]
    else:
        return None if isinstance(value, PLAIN) else f"{where} is a {type(value).__qualname__}"
    return next(filter(None, (_not_plain(item, name) for name, item in inner)), None)
