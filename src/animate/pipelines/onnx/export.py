"""A checkpoint to a folder of ONNX files, checked on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from animate import checkpoints
from animate.errors import UserError
from animate.pipelines.onnx.check import largest_difference, picture_error
from animate.pipelines.onnx.description import Exported, FileSum
from animate.pipelines.onnx.methods import method_of
from animate.pipelines.onnx.precision import Precision, written
from animate.pipelines.onnx.write import OPSET, save, traced
from animate.video.results import check_folder, results_folder

if TYPE_CHECKING:
    from pathlib import Path

    from animate.pipelines.onnx.methods import Method


def export(
    checkpoint: Path,
    output: Path,
    *,
    precision: Precision = "fp32",
    calibration: Path | None = None,
    overwrite: bool = False,
) -> str:
    """Write a First Order Motion Model or a pose2vid generator as ONNX.

    Every graph is compared with torch, in float32 and at several lengths of the batch, before it is kept;
    then the pictures of the whole model in its precision are measured against torch.

    Args:
        checkpoint: of ours.
        output: a new folder; appears when all is written and checked.
        precision: of the convolutions.
        calibration: what int8 finds its ranges on, and what errors are measured on: pictures or a video for
            a First Order Motion Model, a prepared data set or a clip with poses for pose2vid. Without it
            errors are measured on drawn examples.
        overwrite: replace an earlier export.

    Returns:
        One line that tells what was written, and how far it is from torch.

    Raises:
        UserError: a file or the extra cannot be used, or a graph differs from torch. Nothing is written.

    """
    check_folder(output, overwrite)
    if precision == "int8" and calibration is None:
        raise UserError("int8 needs examples to find its ranges on: give --calibration")
    method = method_of(checkpoints.load(checkpoint), checkpoint, calibration)
    with results_folder(output, overwrite) as folder:
        exported = _written(method, checkpoint, precision, folder)
        exported.write(folder)
    return f"exported {checkpoint} to {output}: {told(exported)}"


def _written(method: Method, checkpoint: Path, precision: Precision, folder: Path) -> Exported:
    differences = {}
    for graph in method.graphs:
        model = traced(graph)
        path = folder / f"{graph.name}.onnx"
        save(model, path)
        differences[graph.name] = largest_difference(graph, path)
        written(model, folder, graph, precision)
    return Exported(
        architecture=method.architecture,
        networks=dict(method.arguments),
        precision=precision,
        opset=OPSET,
        origin=checkpoint.name,
        origin_sha256=FileSum.of(checkpoint).sha256,
        files={graph.name: FileSum.of(folder / f"{graph.name}.onnx") for graph in method.graphs},
        float32_error=differences,
        picture_error=picture_error(method.pictures(folder), method.examples.called),
    )


def told(exported: Exported) -> str:
    """Say in a line how large and how exact an exported model is."""
    megabytes = sum(file.bytes for file in exported.files.values()) / 1e6
    error = exported.picture_error
    psnr = "" if error.psnr is None else f", {error.psnr:.1f} dB"
    return (
        f"{', '.join(exported.files)} in {exported.precision}, {megabytes:.1f} MB; float32 graphs within"
        f" {max(exported.float32_error.values()):.1e} of torch; pictures differ by {error.mean:.1e} on"
        f" average{psnr} ({error.frames} frames, {error.measured_on})"
    )
