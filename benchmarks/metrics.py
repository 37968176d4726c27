"""What ``metrics=fast`` costs on top of the reconstruction of the same frames, at 256 x 256, published size.

Both are timed by turns on the same chunk of a clip, so that a busy machine slows both alike; baselines and
the sums per clip are part of the scoring, as in ``evaluate.py``. The share must stay below 15 % on a CPU.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from animate.metrics import Networks, Scorer, build
from animate.modules.fomm import FOMM, LossWeights
from animate.networks.fomm import FirstOrderModel
from animate.types import Batch
from benchmarks.report import Row

SIZE, FRAMES = 256, 8
FAST = ("l1", "psnr", "ssim", "keypoint_stability")
NOTHING_TRAINED = dict.fromkeys(
    ("perceptual", "generator_gan", "equivariance_value", "equivariance_jacobian"), 0.0
)


def seconds(work: Callable[..., Any], *arguments: object) -> tuple[float, Any]:
    """Time one call; also return what it gave."""
    start = time.perf_counter()
    result = work(*arguments)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start, result


def chunk(start: int, device: torch.device) -> Batch:
    """Draw a chunk of a clip as ``WholeClip`` gives it: the source, then ``FRAMES`` frames."""
    generator = torch.Generator().manual_seed(start)
    return Batch(
        frames=torch.rand(1, FRAMES + 1, 3, SIZE, SIZE, generator=generator).to(device),
        frame_index=torch.tensor([[0, *range(start, start + FRAMES)]]),
        clip=["random"],
        seed=[0],
    )


def run(device: torch.device, runs: int) -> list[Row]:
    """One row for each metric by itself, and one for all of them."""
    torch.manual_seed(0)
    networks = FirstOrderModel()
    module = FOMM(networks, loss_weights=LossWeights(**NOTHING_TRAINED)).eval().to(device)

    def keypoints(pictures: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = networks.keypoint_detector(pictures)["value"]
        return found

    def scorer(*names: str) -> Scorer:
        return Scorer(build(names, networks=Networks(keypoints=keypoints)).metrics, device=device)

    scorers = {name: scorer(name) for name in FAST} | {"all of metrics=fast": scorer(*FAST)}
    spent: dict[str, list[float]] = {name: [] for name in (*scorers, "reconstruction")}
    with torch.inference_mode():
        for number in range(runs + 1):  # the first warms up
            took, output = seconds(module.reconstruct, chunk(number * FRAMES, device))
            spent["reconstruction"].append(took)
            for name, scores in scorers.items():
                spent[name].append(seconds(scores.update, output)[0])
    return [row(name, spent[name][1:], spent["reconstruction"][1:]) for name in scorers]


def row(name: str, scoring: list[float], reconstruction: list[float]) -> Row:
    """Put the medians side by side; the share is the median of the shares of each turn."""
    shares = [own / whole for own, whole in zip(scoring, reconstruction, strict=True)]
    per_frame = 1000 / FRAMES
    return {
        "metric": name,
        "frames": FRAMES * len(scoring),
        "reconstruction_ms": round(per_frame * statistics.median(reconstruction), 2),
        "scoring_ms": round(per_frame * statistics.median(scoring), 2),
        "share_percent": round(100 * statistics.median(shares), 2),
        "highest_percent": round(100 * max(shares), 2),
    }
