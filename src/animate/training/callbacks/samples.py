"""Pictures and a video of what the model does to held-out clips, after each validation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from pytorch_lightning import Callback
from typing_extensions import override

from animate.video.encode import VideoWriter
from animate.video.grid import draw_keypoints, tile
from animate.video.image import resize, write_image

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pytorch_lightning import LightningModule, Trainer
    from torch import Tensor

    from animate.types import StepOutput

    Picture = NDArray[np.uint8]


class Samples(Callback):
    """Writes ``<folder>/epoch_XXXX.png``, one row per clip, and ``epoch_XXXX.mp4``, all their frames.

    The columns are those of the reference's visualiser: source and driving frame with their keypoints, the
    deformed source, the prediction, the occlusion map, and the source as each keypoint alone would move it.
    What a method does not return is left out. ``written`` names the files of the last validation, for
    ``callbacks.Dashboards`` to show.

    Args:
        folder: where the files go.
        clips: how many clips are shown: the first of the validation set, of the first rank.
        fps: of the video; its frames are those of the evaluation view, evenly spread over the clip.
        every_n_epochs: validations in between leave no pictures.

    """

    def __init__(self, folder: str, clips: int = 4, fps: float = 8.0, every_n_epochs: int = 1) -> None:
        if fps <= 0 or every_n_epochs < 1:
            raise ValueError(f"fps={fps} and every_n_epochs={every_n_epochs} must be above 0")
        self.folder = Path(folder)
        self.clips, self.fps, self.every_n_epochs = clips, fps, every_n_epochs
        self.written: dict[str, Path] = {}
        self._rows: dict[str, list[dict[str, Picture]]] = {}

    @override
    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._rows, self.written = {}, {}

    @override
    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the frames of the first clips."""
        if (
            not trainer.is_global_zero
            or trainer.sanity_checking
            or trainer.current_epoch % self.every_n_epochs
        ):
            return
        output = cast("StepOutput", outputs)
        for index, clip in enumerate(output["clip"]):
            if clip in self._rows or len(self._rows) < self.clips:
                self._rows.setdefault(clip, []).append(columns(output, index))

    @override
    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write what was kept."""
        rows, self._rows = self._rows, {}
        if not rows or getattr(trainer, "fast_dev_run", False):
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        stem = f"epoch_{trainer.current_epoch + 1:04d}"
        shown = [frames[len(frames) // 2] for frames in rows.values()]
        picture = tile([list(row.values()) for row in shown], labels=list(shown[0]))
        files = {"pictures": self.folder / f"{stem}.png", "video": self.folder / f"{stem}.mp4"}
        write_image(files["pictures"], picture)
        self._write_video(files["video"], list(rows.values()))
        self.written = files

    def _write_video(self, path: Path, clips: list[list[dict[str, Picture]]]) -> None:
        shown = ("source", "driving", "prediction")
        with VideoWriter(path, self.fps, overwrite=True) as writer:
            for frame in range(min(len(frames) for frames in clips)):
                rows = [[frames[frame][name] for name in shown] for frames in clips]
                writer.write(tile(rows, labels=list(shown)))


def columns(output: StepOutput, index: int) -> dict[str, Picture]:
    """Return the named pictures of predicted frame ``index``, all of the prediction's size."""
    size = (output["prediction"].shape[-2], output["prediction"].shape[-1])
    source, driving = picture_of(output["source"][index], size), picture_of(output["target"][index], size)
    if "source_keypoints" in output and "target_keypoints" in output:
        source = draw_keypoints(source, _points(output["source_keypoints"][index]))
        driving = draw_keypoints(driving, _points(output["target_keypoints"][index]))
    named = {"source": source, "driving": driving}
    pictures = output.get("pictures", {})
    order = ["deformed", "prediction", *(name for name in pictures if name != "deformed")]
    for name in order:
        tensor = output["prediction"] if name == "prediction" else pictures.get(name)
        if tensor is not None:
            named[name.replace("_", " ")] = picture_of(tensor[index], size)
    return named


def picture_of(tensor: Tensor, size: tuple[int, int]) -> Picture:
    """Return a (3 or 1, h, w) tensor in [0, 1] as (H, W, 3) uint8 of the given (height, width)."""
    values = tensor.detach().float().clamp(0, 1).mul(255).round().byte().expand(3, -1, -1)
    return resize(np.ascontiguousarray(values.permute(1, 2, 0).cpu().numpy()), size)


def _points(tensor: Tensor) -> NDArray[np.float32]:
    return np.asarray(tensor.detach().float().cpu().numpy(), np.float32)
