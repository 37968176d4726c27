"""Smaller and faster numbers than float32, for those layers that bear them."""

from __future__ import annotations

from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

from animate.annotate.libraries import library
from animate.pipelines.onnx.halving import Halving
from animate.pipelines.onnx.write import save

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from animate.pipelines.onnx.graphs import Graph

Precision = Literal["fp32", "fp16", "int8"]

EDGE_KERNEL = 7
"""The layers next to pictures, keypoints and motion have this kernel; their numbers stay float32 in int8."""


def quantised(path: Path, target: Path, graph: Graph) -> None:
    """Round weights and activations of the convolutions of a file to 8 bits, one scale for each channel.

    The ranges of activations are the smallest and largest values over the graph's examples (static
    quantisation). The first and last layers stay as they are.

    Args:
        path: a float32 file.
        target: where to write.
        graph: its examples are what is calibrated on.

    """
    quantisation = library("onnxruntime.quantization", "onnx")
    with TemporaryDirectory(dir=target.parent) as folder:
        folded = f"{folder}/folded.onnx"
        preprocess = library("onnxruntime.quantization.shape_inference", "onnx").quant_pre_process
        preprocess(path, folded, skip_symbolic_shape=True)
        model = library("onnx", "onnx").load(folded)
        quantisation.quantize_static(
            model,
            target,
            _reader(quantisation.CalibrationDataReader, graph),
            op_types_to_quantize=["Conv", "ConvTranspose"],
            per_channel=True,
            activation_type=quantisation.QuantType.QUInt8,
            weight_type=quantisation.QuantType.QInt8,
            nodes_to_exclude=[node.name for node in model.graph.node if _is_edge(node)],
        )


def _is_edge(node: Any) -> bool:
    sizes = [list(attribute.ints) for attribute in node.attribute if attribute.name == "kernel_shape"]
    return any(max(size) >= EDGE_KERNEL for size in sizes)


def _reader(base: Any, graph: Graph) -> Any:
    """Give the graph's examples one by one, as onnxruntime asks for them."""

    class Examples(base):  # type: ignore[misc]
        def __init__(self) -> None:
            self._left = _singles(graph)

        def get_next(self) -> Mapping[str, Any] | None:
            return next(self._left, None)

    return Examples()


def _singles(graph: Graph) -> Iterator[dict[str, Any]]:
    for number in range(len(next(iter(graph.inputs.values())))):
        yield {name: tensor[number : number + 1].numpy() for name, tensor in graph.inputs.items()}


def written(model: Any, folder: Path, graph: Graph, precision: Precision) -> None:
    """Replace the float32 file of a graph in a folder by one of the precision.

    Args:
        model: the float32 graph.
        folder: holds it as ``NAME.onnx``.
        graph: what it was made of.
        precision: what is wanted; fp32 changes nothing, nor does int8 a graph that is to be exact.

    """
    path = folder / f"{graph.name}.onnx"
    if precision == "fp16":
        Halving(model).apply()
        save(model, path)
    elif precision == "int8" and not graph.exact:
        smaller = folder / f"{graph.name}.int8.onnx"
        quantised(path, smaller, graph)
        smaller.replace(path)
