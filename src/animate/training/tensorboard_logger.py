"""TensorBoard with the same pages as W&B: config, pictures, videos."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf
from pytorch_lightning import loggers
from tensorboard.compat.proto.summary_pb2 import Summary  # type: ignore[import-untyped]
from typing_extensions import override

from animate.training.dashboards import Dashboard
from animate.video.decode import stream
from animate.video.encode import VideoWriter
from animate.video.image import read_image
from animate.video.probe import probe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from animate.training.dashboards import Best


class TensorBoardLogger(Dashboard, loggers.TensorBoardLogger):
    """Lightning's logger; the config is a text, pictures and videos stand under ``Images``."""

    @override
    def begin(self, config: Mapping[str, Any], best: Mapping[str, Best]) -> None:
        """See :class:`Dashboard`."""
        text = OmegaConf.to_yaml(OmegaConf.create(dict(config)))
        self.experiment.add_text("config", "".join(f"    {line}\n" for line in text.splitlines()))

    @override
    def finalize(self, status: str) -> None:
        """Write what is left. Of a failed run only the first failure is told: a disk that is full stays full.

        Raises:
            OSError: the disk is full or the folder cannot be written, which nobody has told yet.

        """
        try:
            super().finalize(status)
        except OSError:
            if status == "success":
                raise

    @override
    def show(self, media: Mapping[str, Path], step: int) -> None:
        """See :class:`Dashboard`."""
        for name, path in media.items():
            image = _gif(path) if path.suffix == ".mp4" else _picture(path)
            summary = Summary(value=[Summary.Value(tag=name, image=image)])
            self.experiment.file_writer.add_summary(summary, step)


def _picture(path: Path) -> Any:
    height, width, channels = read_image(path).shape
    return Summary.Image(
        height=height, width=width, colorspace=channels, encoded_image_string=path.read_bytes()
    )


def _gif(path: Path) -> Any:
    """TensorBoard plays animated pictures, no videos; its own writer would need moviepy to make one."""
    with TemporaryDirectory() as folder:
        gif = Path(folder, f"{path.stem}.gif")
        with VideoWriter(gif, probe(path).fps) as writer:
            for frame in stream(path):
                writer.write(frame.image)
        return _picture(gif)
