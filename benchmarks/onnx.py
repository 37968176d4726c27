"""Size, error and frames per second of exported models beside torch, published size, by turns."""

from __future__ import annotations

import json
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import torch

from animate import checkpoints
from animate.networks.fomm import FirstOrderModel
from animate.networks.inference import for_inference
from animate.pipelines.animation_model import AnimationModel
from animate.pipelines.drive import drive
from animate.pipelines.onnx.export import export
from animate.pipelines.onnx.fomm import ExportedFirstOrderModel
from animate.video.image import resize, write_image
from benchmarks.report import Row, measure, spread

FRAMES, BATCH = 4, 1
PRECISIONS = ("fp32", "fp16", "int8")


def run(device: torch.device, runs: int) -> list[Row]:
    """One row for torch and one for each precision; all on the device that onnxruntime has, else the CPU."""
    torch.manual_seed(0)
    networks = FirstOrderModel().eval()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        state = {f"networks.{key}": value for key, value in networks.state_dict().items()}
        checkpoint = folder / "vox.ckpt"
        checkpoints.save(checkpoint, {"state_dict": state}, checkpoints.describe("fomm", networks.arguments))
        pictures = _pictures(folder / "pictures")
        models: dict[str, AnimationModel] = {"torch": for_inference(networks.to(device))}
        size = round(checkpoint.stat().st_size / 1e6, 1)
        rows: dict[str, Row] = {"torch": {"model": "torch fp32", "megabytes": size, "mean_error": 0.0}}
        for precision in PRECISIONS:
            export(checkpoint, folder / precision, precision=precision, calibration=folder / "pictures")
            models[precision] = ExportedFirstOrderModel.load(folder / precision, device.type)
            rows[precision] = _row(folder / precision)
        seconds: dict[str, list[float]] = {model: [] for model in models}
        for turn in range(runs):
            for model, used in models.items():
                seconds[model] += measure(partial(_drive, used, pictures), 1, warmup=int(not turn))
    return [rows[model] | spread(seconds[model], per=FRAMES) for model in models]


def _drive(networks: AnimationModel, pictures: list[np.ndarray]) -> None:
    for _ in drive(networks, pictures[0], pictures[:FRAMES], batch_size=BATCH):
        pass


def _row(folder: Path) -> Row:
    told = json.loads((folder / "model.json").read_text())
    size = sum(file["bytes"] for file in told["files"].values()) / 1e6
    mean = float(f"{told['picture_error']['mean']:.1e}")
    return {"model": f"onnx {told['precision']}", "megabytes": round(size, 1), "mean_error": mean}


def _pictures(folder: Path) -> list[np.ndarray]:
    """Smooth patterns at 256 x 256, in memory and as files."""
    folder.mkdir()
    random = np.random.default_rng(0)
    pictures = [resize(random.integers(0, 256, (8, 8, 3), dtype=np.uint8), (256, 256)) for _ in range(8)]
    for number, picture in enumerate(pictures):
        write_image(folder / f"{number}.png", picture)
    return pictures
