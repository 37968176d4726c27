"""Half precision for the layers that bear it, in an ONNX graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from animate.annotate.libraries import library

if TYPE_CHECKING:
    from collections.abc import Iterator

HALVED = frozenset({"Conv", "ConvTranspose", "BatchNormalization", "Relu", "AveragePool"})
"""Operators that are computed in float16."""
FOLLOWING = {"Add": None, "Concat": None, "Resize": 1}
"""These too where what goes in is in float16 already: all inputs, or so many (a Resize has its scales)."""


class Halving:
    """Rewrites a float32 ``onnx.ModelProto`` so that convolutions and what lies between them are in float16.

    Coordinates, probabilities, sampling and norms over pixels stay in float32, as do inputs and outputs. A
    cast stands wherever a number passes from one to the other.
    """

    def __init__(self, model: Any) -> None:
        self._onnx = library("onnx", "onnx")
        self._graph = model.graph
        self._constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self._outputs = {output.name for output in model.graph.output}
        self._half: set[str] = set()
        """Tensors that exist in float16 under their own name."""
        self._casts: dict[tuple[str, bool], str] = {}
        """What a tensor is called in the other type, by name and whether that is float16."""

    def apply(self) -> None:
        """Rewrite the nodes, which stand in the order of computation; then drop what nobody reads."""
        nodes = [made for node in list(self._graph.node) for made in self._rewritten(node)]
        del self._graph.node[:]
        self._graph.node.extend(nodes)
        del self._graph.value_info[:]  # their types are others now
        read = {name for node in nodes for name in node.input}
        unread = [tensor for tensor in self._graph.initializer if tensor.name not in read]
        for tensor in unread:
            self._graph.initializer.remove(tensor)

    def _rewritten(self, node: Any) -> Iterator[Any]:
        count = self._inputs_in_half(node)
        for place, name in enumerate(node.input):
            half = place < count
            if name and half != self._is_half(name) and (half or name in self._half):
                yield from self._cast(name, half)
                node.input[place] = self._casts[name, half]
        casts = [self._produce(node, place) for place in range(len(node.output))] if count else []
        yield node
        yield from filter(None, casts)

    def _produce(self, node: Any, place: int) -> Any:
        """Note an output of a node in float16; one of the graph's gets another name, and a cast back."""
        name = node.output[place]
        if name not in self._outputs:
            self._half.add(name)
            return None
        half = node.output[place] = self._casts[name, True] = f"{name}_float16"
        return self._cast_node(half, name, half=False)

    def _inputs_in_half(self, node: Any) -> int:
        """Count how many of a node's first inputs are wanted in float16; 0 leaves the node in float32."""
        if node.op_type in HALVED:
            return len(node.input)
        if node.op_type not in FOLLOWING:
            return 0
        count = FOLLOWING[node.op_type] or len(node.input)
        return count if all(self._is_half(name) for name in node.input[:count]) else 0

    def _is_half(self, name: str) -> bool:
        return name in self._half

    def _cast(self, name: str, half: bool) -> Iterator[Any]:
        """Give a tensor in the other type: a constant is converted, of all others comes a node, once."""
        if (name, half) in self._casts:
            return
        other = self._casts[name, half] = f"{name}_{'float16' if half else 'float32'}"
        if name in self._constants:
            numbers = self._onnx.numpy_helper.to_array(self._constants[name]).astype("float16")
            self._graph.initializer.append(self._onnx.numpy_helper.from_array(numbers, other))
            return
        yield self._cast_node(name, other, half=half)

    def _cast_node(self, name: str, other: str, *, half: bool) -> Any:
        kind = self._onnx.TensorProto.FLOAT16 if half else self._onnx.TensorProto.FLOAT
        return self._onnx.helper.make_node("Cast", [name], [other], name=f"cast_to_{other}", to=kind)
