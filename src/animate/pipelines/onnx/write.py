"""From torch to ONNX files."""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch.export import Dim

from animate.annotate.libraries import library
from animate.errors import UserError
from animate.pipelines.onnx.graphs import SMALLEST_MULTIPLES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from animate.pipelines.onnx.graphs import Graph

OPSET = 18
"""What torch writes without converting; `GridSample` is there since 16."""
TRACED = 2
"""Examples that a graph is traced with; with 1 the length of the batch would not stay free."""
LARGEST = (1 << 31) - (1 << 24)
"""Bytes of the largest file: protobuf ends at 2 GiB."""


def traced(graph: Graph) -> Any:
    """Turn a part of a model into an ``onnx.ModelProto`` with a free batch.

    Raises:
        UserError: the extra is not installed, or the part is too large for a file.

    """
    for module in ("onnx", "onnxscript"):
        library(module, "onnx")
    weights = sum(tensor.nbytes for tensor in graph.module.state_dict().values())
    if weights > LARGEST:
        raise UserError(f"the {graph.name} has {weights} bytes of weights; an ONNX file holds up to 2 GiB")
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            graph.module.eval(),
            kwargs={name: tensor[:TRACED] for name, tensor in graph.inputs.items()},
            input_names=list(graph.inputs),
            output_names=list(graph.outputs),
            opset_version=OPSET,
            dynamo=True,
            dynamic_shapes=_free_axes(graph),
            verbose=False,
        )
    assert program is not None  # it is with dynamo
    return _without_traces(program.model_proto)


def _free_axes(graph: Graph) -> dict[str, dict[int, Any]]:
    """Name the axes whose lengths stay free; the same in all inputs."""
    free: dict[int, Any] = {0: Dim("batch")}
    if graph.multiple is not None:
        least = SMALLEST_MULTIPLES
        free |= {axis: graph.multiple * Dim(name, min=least) for axis, name in ((2, "rows"), (3, "columns"))}
    return dict.fromkeys(graph.inputs, free)


def _without_traces(model: Any) -> Any:
    """Take out what torch notes of where each node came from: paths of this machine."""
    holders = [model, model.graph, *model.graph.node, *model.graph.value_info, *model.functions]
    holders += [node for function in model.functions for node in function.node]
    holders += [*model.graph.input, *model.graph.output, *model.graph.initializer]
    for holder in holders:
        del holder.metadata_props[:]
        holder.doc_string = ""
    return model


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's remarks about itself to itself."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


def save(model: Any, path: Path) -> None:
    """Write an ``onnx.ModelProto``, all of it in one file."""
    path.write_bytes(model.SerializeToString())
