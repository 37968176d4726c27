"""Pretrained files that come with other people's Python packages: where they are, and their licences."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from animate.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class PackagedFile:
    """One file of weights inside of an installed package."""

    package: str
    """The name under which the package would be imported; it is not imported."""
    folder: str
    """Where in the package the file lies."""
    file_name: str
    extra: str
    """The extra of ours that installs the package."""
    licence: str
    """Of the weights, with what they were trained on."""
    restriction: str = ""
    """What the weights must not be used for; empty where nothing is known to be excluded."""


def _dlib(file_name: str, licence: str, restriction: str = "") -> PackagedFile:
    return PackagedFile("face_recognition_models", "models", file_name, "dlib", licence, restriction)


PACKAGED: Mapping[str, PackagedFile] = {
    "dlib_68_points": _dlib(
        "shape_predictor_68_face_landmarks.dat",
        "CC0 (dlib), trained on iBUG 300-W",
        restriction="not for commercial use, which the licence of iBUG 300-W excludes",
    ),
    "dlib_5_points": _dlib(
        "shape_predictor_5_face_landmarks.dat", "CC0 (dlib), trained on dlib's own pictures of faces"
    ),
    "dlib_embedding": _dlib(
        "dlib_face_recognition_resnet_model_v1.dat",
        "CC0 (dlib), trained on FaceScrub, VGG Face and pictures from the web",
    ),
    "dlib_mmod": _dlib(
        "mmod_human_face_detector.dat",
        "CC0 (dlib), trained on faces from ImageNet, AFLW, Pascal VOC, VGG Face, WIDER FACE and FaceScrub",
    ),
}


def locate(file: PackagedFile) -> Path:
    """Find a file of an installed package, without importing the package.

    Raises:
        UserError: the package is not installed, or lacks the file.

    """
    spec = find_spec(file.package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / file.folder / file.file_name
        if path.is_file():
            return path
    raise UserError(
        f"{file.file_name} of the package {file.package} is not installed: "
        f"pip install 'animate[{file.extra}]'"
    )
