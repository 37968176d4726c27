"""What a process of the tests of metrics runs; a module of its own name, so that it finds it again."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import torch.distributed as dist

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = timedelta(seconds=60)  # for the other process, should one of them fail


def in_group(function: Callable, rank: int, store: str, *arguments) -> None:
    dist.init_process_group("gloo", init_method=store, rank=rank, world_size=2, timeout=PATIENCE)
    try:
        function(rank, *arguments)
    finally:
        dist.destroy_process_group()
