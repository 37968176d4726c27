"""How much memory a training step will take, found by going through it with tensors that have none.

The module's own training step runs on a copy whose weights and pictures are PyTorch's fake tensors: shapes,
types and devices without values. Every tensor that the step makes is added up for as long as it lives, so
precision, recomputation, frozen parts and the order of things count by themselves. What libraries use inside
of one operation does not: the reordered copies of oneDNN, the workspaces of cuDNN, the gaps of an allocator.
"""

from __future__ import annotations

import copy
import os
import warnings
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from contextlib import AbstractContextManager

    from pytorch_lightning import LightningModule
    from torch._subclasses.fake_tensor import FakeTensorMode

_PICTURES = 5  # dimensions: (B, T, C, H, W)


@dataclass(frozen=True)
class Estimate:
    """Bytes on one device, at the moment of a training step when they are most."""

    weights: int
    """Parameters, buffers, the feature networks of losses, and the batch."""
    gradients: int
    """Of everything that learns; those of the step before live until the backward pass begins."""
    adam: int
    """Two moments of everything that learns."""
    kept: int
    """What the forward pass leaves for the backward pass."""
    passing: int
    """What more there is at the peak."""
    copies: int = 0
    """Averaged weights, and the buckets in which processes exchange gradients."""

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.gradients + self.adam + self.kept + self.passing + self.copies

    def __str__(self) -> str:
        parts = {
            "weights": self.weights,
            "gradients": self.gradients,
            "Adam": self.adam,
            "kept for the backward pass": self.kept,
            "passing": self.passing,
            "copies": self.copies,
        }
        named = ", ".join(f"{name} {readable(size)}" for name, size in parts.items() if size)
        return f"{readable(self.total)} ({named})"


def readable(size: int) -> str:
    """Write bytes as ``5.2 GiB`` or, below one, ``340 MiB``."""
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"


def size_of(tensors: Iterable[Tensor]) -> int:
    """Sum the bytes of the elements of some tensors."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def memory_of(device: torch.device) -> int | None:
    """Tell how many bytes a GPU, or this machine, has; None where that is not known."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    if device.type == "cpu" and hasattr(os, "sysconf"):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def estimate(
    module: LightningModule,
    batch: Mapping[str, Any],
    context: Callable[[], AbstractContextManager[Any]],
    accumulates: bool = False,
) -> Estimate:
    """Go through one training step with Adam, on the device where module and batch are.

    The module, its random numbers and the batch stay as they are.

    Args:
        module: returns its loss from ``training_step``.
        batch: of real values; the pictures of it, tensors of five dimensions, are not looked at.
        context: gives the context of the forward pass (autocast).
        accumulates: whether gradients of the batches before are there when the backward pass adds to them.

    Raises:
        Exception: the step cannot be gone through without values.

    """
    from torch._subclasses.fake_tensor import FakeTensorMode  # which imports for a second

    fakes = FakeTensorMode(allow_non_fake_inputs=True)
    ledger = _Ledger()
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")
        shadow = _shadow(module, fakes)
        pictures = {
            name: fakes.from_tensor(value)
            for name, value in batch.items()
            if isinstance(value, Tensor) and value.dim() == _PICTURES and value.is_floating_point()
        }
        shown = {**batch, **pictures}
        ledger.hold([*shadow.parameters(), *shadow.buffers(), *tree_leaves(shown)])
        return _gone_through(shadow, shown, ledger, context, accumulates)


def _gone_through(
    shadow: LightningModule,
    batch: Mapping[str, Any],
    ledger: _Ledger,
    context: Callable[[], AbstractContextManager[Any]],
    accumulates: bool,
) -> Estimate:
    learning = [parameter for parameter in shadow.parameters() if parameter.requires_grad]
    for parameter in learning:
        parameter.grad = torch.empty_like(parameter)
    gradients = size_of(learning)
    ledger.hold(parameter.grad for parameter in learning)
    with ledger:
        with context():
            step: Any = shadow.training_step(batch, 0)
        weights = ledger.held - gradients
        kept = ledger.live - ledger.held
        if not accumulates:
            shadow.zero_grad()
        (step if isinstance(step, Tensor) else step["loss"]).backward()
    passing = ledger.peak - weights - gradients - kept
    return Estimate(weights, gradients, 2 * gradients, kept, passing)


def _shadow(module: LightningModule, fakes: FakeTensorMode) -> LightningModule:
    """Copy a module with fake tensors in the place of its weights and buffers; it logs nothing."""
    memo: dict[int, Any] = {}
    for parameter in module.parameters():
        fake = fakes.from_tensor(parameter.detach())
        memo[id(parameter)] = nn.Parameter(fake, requires_grad=parameter.requires_grad)
    memo |= {id(buffer): fakes.from_tensor(buffer) for buffer in module.buffers()}
    shadow = copy.deepcopy(module, memo)
    for layer in shadow.modules():
        if isinstance(layer, nn.SyncBatchNorm):
            layer.__class__ = nn.BatchNorm2d  # type: ignore[assignment]  # else it would wait for other ranks
    vars(shadow).update(dict.fromkeys(("log", "log_dict"), _say_nothing))
    return shadow


def _say_nothing(*_: Any, **__: Any) -> None:
    """Stand in the place of ``log``."""


class _Ledger(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the memory behind all tensors, each storage once and for as long as somebody has it.

    Attributes:
        held: bytes of what was there before, and of what else turns up without having been made.
        live: bytes of all that there is now.
        peak: the most that ``live`` was.

    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.held = self.live = self.peak = 0
        self._known: dict[int, weakref.ref[torch.UntypedStorage]] = {}

    def hold(self, values: Iterable[Any]) -> None:
        """Count the tensors among some values as there before."""
        self.held += sum(self._add(value) for value in values if isinstance(value, Tensor))

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Do an operation, and count what comes out of it."""
        self.hold(tree_leaves((args, kwargs)))
        made = func(*args, **(kwargs or {}))
        for value in tree_leaves(made):
            if isinstance(value, Tensor):
                self._add(value)
        return made

    def _add(self, tensor: Tensor) -> int:
        """Count the storage of a tensor, unless it is known; return its bytes, or else 0."""
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self._known:
            return 0
        self._known[key] = weakref.ref(storage, lambda _: self._remove(key, size))
        self.live += size
        self.peak = max(self.peak, self.live)
        return size

    def _remove(self, key: int, size: int) -> None:
        del self._known[key]
        self.live -= size
