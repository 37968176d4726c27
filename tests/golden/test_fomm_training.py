"""Losses, gradients and optimisation steps against the published implementation in float64.

In float64 ours agree with the published code to rounding, so the bounds are tight: an error of the code
shows.

In float32 neither implementation gives the exact gradient. Where a weight differs in its last bit, some ReLU
or absolute value falls on the other side of its kink, and batch norm over as little as 8 values (the golden
pictures are tiny) carries that into every gradient before it. ``float64.json`` keeps beside each result how
far the published code's own float32 was off, at most, in 25 runs whose weights differ in the last bit. Our
float32 run is held to the bound (losses 1e-4, gradients and steps 1e-3) or to twice that deviation, whichever
is larger: one run more of the same scatter can exceed the largest one seen. Worst and median over each
network's parameters are held, each to its own bound.

The drawn cases sample with corners aligned, as the published weights were trained; the golden ones without.
"""

from __future__ import annotations

import functools
import statistics
from typing import TYPE_CHECKING

import drawn
import pytest
import torch
import torch.nn.functional as F
from fomm_cases import DRAWN, FLOAT64, NAMES, SUBSET, Case, read
from fomm_training import TERMS, gradients_of, module_of, steps_of, terms_of, theirs
from safetensors.torch import load_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

EXACT, EXACT_STEP = 1e-9, 1e-5
LOSS, GRADIENT, STEP = 1e-4, 1e-3, 1e-3
LR = 2e-4
SCATTER = 2  # one run more may be off by more than the largest seen
VECTORS = load_file(SUBSET / "float64.safetensors")
worst: dict[tuple[str, str], float] = {}


@pytest.fixture(scope="module", autouse=True)
def report() -> Iterator[None]:
    """Print the largest error of each comparison (pytest -s)."""
    yield
    for (case, what), error in sorted(worst.items()):
        print(f"\n{case:22} {what:32} {error:.1e}", end="")


def check(case: str, what: str, error: float, bound: float) -> None:
    worst[case, what] = max(worst.get((case, what), 0.0), error)
    assert error <= bound, f"{case} {what}: {error:.2e} > {bound:.2e}"


@functools.cache
def cached(name: str) -> Case:
    return read(name)


@pytest.fixture(params=[*DRAWN, *NAMES])
def name(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A case; sampling without aligned corners is in force for the golden ones."""
    if request.param in DRAWN:
        return request.param
    original = F.grid_sample

    def unaligned(*args: Tensor, align_corners: bool, **options: str) -> Tensor:
        assert align_corners is True
        return original(*args, align_corners=False, **options)

    monkeypatch.setattr(F, "grid_sample", unaligned)
    return f"golden_{request.param}"


@pytest.fixture
def double() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def in_precision(name: str, dtype: torch.dtype) -> Case:
    return cached(name.removeprefix("golden_")).to(dtype)


def loss_error(terms: dict[str, Tensor], golden: dict[str, float]) -> float:
    assert {TERMS.get(name, name) for name in golden} == set(terms)
    return max(
        abs(terms[TERMS.get(name, name)].item() - value) / abs(value) for name, value in golden.items()
    )


def gradients_in(
    name: str, mode: str, dtype: torch.dtype, patch: pytest.MonkeyPatch
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Terms and gradients of one case."""
    case, before = in_precision(name, dtype), torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    module = module_of(case).train(mode == "train")
    terms = terms_of(case, module, patch)
    gradients = gradients_of(module, terms)
    torch.set_default_dtype(before)
    return terms, gradients


def fingerprints(values: dict[str, Tensor]) -> Tensor:
    return torch.tensor(
        [drawn.fingerprint(name, values[name]) for name in sorted(values)], dtype=torch.float64
    )


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("mode", ["eval", "train"])
def test_losses_and_gradients_in_float64(name: str, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Norm and projection of the gradient of every parameter."""
    terms, gradients = gradients_in(name, mode, torch.float64, monkeypatch)
    check(name, f"float64 {mode} losses", loss_error(terms, FLOAT64[name][mode]["losses"]), EXACT)
    ours, golden = fingerprints(gradients), VECTORS[f"{name}.{mode}"]
    assert ours.shape == golden.shape
    norms = golden[:, :1]
    # A bias before a normalisation has no gradient in exact arithmetic: the largest one is its measure.
    size = torch.where(norms < 1e-9 * norms.max(), norms.max(), norms)
    check(name, f"float64 {mode} gradients", ((ours - golden).abs() / size).max().item(), EXACT)


@pytest.mark.usefixtures("double")
def test_optimisation_steps_in_float64(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The terms of every step, and what the steps changed in every weight and statistic."""
    golden = steps_or_skip(name)
    case = in_precision(name, torch.float64)
    module, before = module_of(case), module_of(case).state_dict()
    history = steps_of(case, module, monkeypatch, len(golden["losses"]))
    for step, (terms, values) in enumerate(zip(history, golden["losses"], strict=True)):
        check(name, f"float64 step {step} losses", loss_error(terms, values), EXACT)
    check_updates(name, before, module_of(case).state_dict() | module.state_dict())


def check_updates(name: str, before: dict[str, Tensor], after: dict[str, Tensor]) -> None:
    kept = [key for key in before if not key.endswith("num_batches_tracked")]
    names = {theirs(key, before): key for key in kept}
    updates = {theirs: after[key] - before[key] for theirs, key in names.items()}
    ours, golden = fingerprints(updates), VECTORS[f"{name}.steps"]
    assert ours.shape == golden.shape
    counts = torch.tensor([[updates[key].numel()] for key in sorted(updates)]).sqrt()
    norms, small = golden[:, :1], 0.01 * LR * counts
    # Biases without a gradient (see above) move by rounding over Adam's epsilon: far less than other weights.
    moving = (norms > small).squeeze(1)
    assert moving.float().mean() > 0.6  # without an adversarial weight the discriminator stands still
    assert (ours[~moving, :1] < small[~moving]).all()
    error = ((ours - golden).abs() / norms)[moving].max().item()
    check(name, "float64 change by the steps", error, EXACT_STEP)


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_losses_and_gradients_in_float32(name: str, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against the published losses in float64, and our float64 gradients, which the test above compares."""
    golden = FLOAT64[name][mode]
    terms, gradients = gradients_in(name, mode, torch.float32, monkeypatch)
    bound = max(LOSS, SCATTER * golden["float32"]["losses"])
    check(name, f"float32 {mode} losses", loss_error(terms, golden["losses"]), bound)
    exact = gradients_in(name, mode, torch.float64, monkeypatch)[1]
    check_float32(name, mode, gradients, exact)
    if name.startswith("golden_") and mode == "train":  # the golden float32 gradients are as far off as told
        check_float32(name, f"{mode}, golden", cached(name[7:]).all("losses.grad."), exact, median=False)


def check_float32(
    name: str, what: str, gradients: dict[str, Tensor], exact: dict[str, Tensor], *, median: bool = True
) -> None:
    """The worst and the median error of each network, relative to each parameter's largest entry."""
    largest = max(value.norm() for value in exact.values())
    errors: dict[str, list[float]] = {}
    for key, gradient in gradients.items():
        if exact[key].norm() > 1e-6 * largest:
            error = (gradient.double() - exact[key]).abs().max() / exact[key].abs().max()
            errors.setdefault(key.split(".")[0], []).append(error.item())
    allowed = FLOAT64[name][what.split(",")[0]]["float32"]
    for part, values in errors.items():
        check(
            name, f"float32 {what} worst {part}", max(values), max(GRADIENT, SCATTER * allowed["worst"][part])
        )
        if median:
            bound = max(GRADIENT, SCATTER * allowed["median"][part])
            check(name, f"float32 {what} median {part}", statistics.median(values), bound)


def test_optimisation_steps_in_float32(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Adam's first steps are nearly the signs of the gradient: all of its rounding enters the next losses."""
    golden = steps_or_skip(name)
    case = in_precision(name, torch.float32)
    history = steps_of(case, module_of(case), monkeypatch, len(golden["losses"]))
    for step, (terms, values) in enumerate(zip(history, golden["losses"], strict=True)):
        bound = max(STEP, SCATTER * golden["float32"][step])
        check(name, f"float32 step {step} losses", loss_error(terms, values), bound)


def steps_or_skip(name: str) -> dict:
    case = cached(name.removeprefix("golden_"))
    if "steps" not in FLOAT64[name] or "train_steps.in.step0.source" not in case.tensors:
        pytest.skip("this case has no steps here")
    return FLOAT64[name]["steps"]
