"""One ONNX file, run by onnxruntime: tensors in, tensors out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from animate.annotate.libraries import library
from animate.checkpoints.keys import printable
from animate.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    Shape = tuple[int | None, ...] | None
    """None in it is a length that is not looked at; None is a shape that is not looked at."""

_SILENT = 4
_CUDA = "CUDAExecutionProvider"


class Session:
    """Runs the graph of a file.

    Args:
        path: the file. Nothing in it is Python; operators that onnxruntime does not bring are refused.
        inputs, outputs: the shapes by name that the graph must have.
        device: ``cpu``, ``cuda``, ``cuda:N`` or ``auto`` (CUDA where onnxruntime has it, else the CPU); the
            tensors that come in and go out are on the CPU.

    Raises:
        UserError: onnxruntime or the device is missing, or the file is damaged or another graph.

    """

    def __init__(
        self,
        path: Path,
        inputs: Mapping[str, Shape],
        outputs: Mapping[str, Shape],
        device: str = "cpu",
    ) -> None:
        self.path = path
        self._session = _opened(path, device)
        self._outputs = list(outputs)
        for kind, given, wanted in (
            ("inputs", self._session.get_inputs(), inputs),
            ("outputs", self._session.get_outputs(), outputs),
        ):
            self._check(kind, {tensor.name: tensor for tensor in given}, wanted)

    def __call__(self, **inputs: Tensor) -> dict[str, Tensor]:
        """Run the graph.

        Raises:
            UserError: it cannot be run on these tensors.

        """
        given = {name: tensor.detach().cpu().contiguous().numpy() for name, tensor in inputs.items()}
        try:
            results = self._session.run(self._outputs, given)
        except Exception as error:  # onnxruntime has no common ancestor for its errors
            raise UserError(f"{self.path} cannot be run: {_reason(error)}") from error
        return {name: torch.from_numpy(result) for name, result in zip(self._outputs, results, strict=True)}

    def _check(self, kind: str, found: Mapping[str, Any], wanted: Mapping[str, Shape]) -> None:
        if found.keys() != wanted.keys():
            raise UserError(
                f"{self.path} is not the graph that is needed: its {kind} are {_listed(found)}, not"
                f" {_listed(wanted)}; export the model again"
            )
        for name, shape in wanted.items():
            tensor = found[name]
            if tensor.type != "tensor(float)" or not _fits(tensor.shape, shape):
                raise UserError(
                    f"{self.path} is not the graph that is needed: {name} is {tensor.type}"
                    f" {printable(tensor.shape)[:60]}, not {shape}; export the model again"
                )


def _opened(path: Path, device: str) -> Any:
    runtime = library("onnxruntime", "onnx")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = _SILENT
    providers = [_provider(device, runtime.get_available_providers())]
    try:
        return runtime.InferenceSession(path, options, providers=providers)
    except Exception as error:  # nor here
        raise UserError(f"{path} is no ONNX model that can be run: {_reason(error, str(path))}") from error


def _provider(device: str, available: list[str]) -> Any:
    """Name what onnxruntime computes with."""
    if device == "cpu" or (device == "auto" and _CUDA not in available):
        return "CPUExecutionProvider"
    kind, _, number = device.partition(":")
    if kind in {"cuda", "auto"} and _CUDA in available and (number or "0").isdecimal():
        return (_CUDA, {"device_id": int(number or 0)})
    raise UserError(
        f"--device {device}: this onnxruntime cannot use it; take cpu or auto, or install onnxruntime-gpu"
    )


def _fits(found: list[Any], wanted: Shape) -> bool:
    if wanted is None:
        return True
    if len(found) != len(wanted):
        return False
    lengths = [length if isinstance(length, int) else None for length in found]
    return all(want is None or length == want for length, want in zip(lengths, wanted, strict=True))


def _listed(names: Mapping[str, Any]) -> str:
    return printable(", ".join(names))[:120] or "none"


def _reason(error: Exception, path: str = "") -> str:
    told = str(error).strip().split("\n")[0].replace(f"Load model from {path} failed:", "")
    return printable(told)[:160] or type(error).__name__
