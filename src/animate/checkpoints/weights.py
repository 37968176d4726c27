"""Pretrained files of others: what they are, where they come from, and where they are looked for.

A file is taken from the folder that ``ANIMATE_WEIGHTS`` names, else from the cache
(``$XDG_CACHE_HOME/animate/weights`` or ``~/.cache/animate/weights``), else it is downloaded into the cache,
over https. Size and SHA-256 are checked each time. When a file cannot be had there is one error: nothing
falls back to random weights by itself.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from typing_extensions import override

from animate.errors import UserError
from animate.locks import in_turn

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER_VARIABLE = "ANIMATE_WEIGHTS"
TIMEOUT = 30.0
"""Seconds without an answer after which a download is given up."""
CHUNK = 1 << 20
_OF_THIS_MACHINE = (("http", "127.0.0.1"), ("http", "localhost"))


@dataclass(frozen=True, slots=True)
class PretrainedFile:
    """One downloadable file of weights."""

    file_name: str
    """Its name in a weights folder and in the cache."""
    address: str
    """Where it is downloaded from: https."""
    sha256: str
    """Its digest in hexadecimal, or as many of its first digits as are published."""
    size: int
    """In bytes."""
    licence: str
    """Of the weights, with what they were trained on."""
    without: str
    """The setting that does without this file."""
    restriction: str = ""
    """What the weights must not be used for; empty where nothing is known to be excluded."""


WEIGHTS: Mapping[str, PretrainedFile] = {
    "vgg19": PretrainedFile(
        file_name="vgg19-dcbb9e9d.pth",
        address="https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",
        sha256="dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44",
        size=574_673_361,
        licence="BSD-3-Clause (torchvision), trained on ImageNet-1k",
        without="perceptual=random",
    ),
    "alexnet": PretrainedFile(
        file_name="alexnet-owt-7be5be79.pth",
        address="https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
        sha256="7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
        size=244_408_911,
        licence="BSD-3-Clause (torchvision), trained on ImageNet-1k",
        without="leave lpips_alex out of the metrics",
    ),
    "vgg16": PretrainedFile(
        file_name="vgg16-397923af.pth",
        address="https://download.pytorch.org/models/vgg16-397923af.pth",
        sha256="397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
        size=553_433_881,
        licence="BSD-3-Clause (torchvision), trained on ImageNet-1k",
        without="leave lpips_vgg out of the metrics",
    ),
    "fid_inception": PretrainedFile(
        file_name="weights-inception-2015-12-05-6726825d.pth",
        address="https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
        "weights-inception-2015-12-05-6726825d.pth",
        sha256="6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
        size=95_628_359,
        licence="Apache-2.0 (TensorFlow models, converted by torch-fidelity), trained on ImageNet-1k",
        without="leave fid and kid out of the metrics",
    ),
    "yunet": PretrainedFile(
        file_name="face_detection_yunet_2023mar.onnx",
        address="https://media.githubusercontent.com/media/opencv/opencv_zoo/main/models/"
        "face_detection_yunet/face_detection_yunet_2023mar.onnx",
        sha256="8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
        size=232_589,
        licence="MIT (OpenCV Zoo), trained on WIDER FACE",
        without="another back-end, like dlib",
    ),
    "keypoint_rcnn": PretrainedFile(
        file_name="keypointrcnn_resnet50_fpn_coco-fc266e95.pth",
        address="https://download.pytorch.org/models/keypointrcnn_resnet50_fpn_coco-fc266e95.pth",
        sha256="fc266e953d2b302cdcbb9ae66f71f6b0d4649928bf02dc573961e361e4918926",
        size=237_034_793,
        licence="BSD-3-Clause (torchvision), trained on COCO train2017",
        without="another back-end, or poses imported from OpenPose, COCO or MediaPipe files",
    ),
    "mask_rcnn": PretrainedFile(
        file_name="maskrcnn_resnet50_fpn_coco-bf2d0c1e.pth",
        address="https://download.pytorch.org/models/maskrcnn_resnet50_fpn_coco-bf2d0c1e.pth",
        sha256="bf2d0c1e",
        size=178_090_079,
        licence="BSD-3-Clause (torchvision), trained on COCO train2017",
        without="another back-end, or mattes imported from videos",
    ),
    "insightface": PretrainedFile(
        file_name="buffalo_l.zip",
        address="https://github.com/deepinsight/insightface/releases/download/v0.7/buffalo_l.zip",
        sha256="80ffe37d8a5940d59a7384c201a2a38d4741f2f3c51eef46ebb28218a7b0ca2f",
        size=288_621_354,
        licence="InsightFace models, trained on WebFace and WIDER FACE",
        without="another back-end, like dlib",
        restriction="for non-commercial research only",
    ),
    "mediapipe_face": PretrainedFile(
        file_name="face_landmarker.task",
        address="https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/"
        "float16/1/face_landmarker.task",
        sha256="64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
        size=3_758_596,
        licence="Apache-2.0 (MediaPipe), trained on Google's own pictures",
        without="another back-end, like dlib",
    ),
    "mediapipe_pose": PretrainedFile(
        file_name="pose_landmarker_full.task",
        address="https://storage.googleapis.com/mediapipe-models/pose_landmarker/pose_landmarker_full/"
        "float16/1/pose_landmarker_full.task",
        sha256="5134a3aad27a58b93da0088d431f366da362b44e3ccfbe3462b3827a839011b1",
        size=9_398_198,
        licence="Apache-2.0 (MediaPipe), trained on Google's own pictures",
        without="another back-end, or poses imported from files",
    ),
    "mediapipe_selfie": PretrainedFile(
        file_name="selfie_segmenter.tflite",
        address="https://storage.googleapis.com/mediapipe-models/image_segmenter/selfie_segmenter/"
        "float16/1/selfie_segmenter.tflite",
        sha256="191ac9529ae506ee0beefa6b2c945a172dab9d07d1e802a290a4e4038226658b",
        size=249_537,
        licence="Apache-2.0 (MediaPipe), trained on Google's own pictures",
        without="mattes imported from videos",
    ),
}


def fetch(name: str, *, progress: bool = True) -> Path:
    """Path of a pretrained file of the table, downloaded when it is nowhere on this machine.

    Args:
        name: A key of ``WEIGHTS``.
        progress: Show a progress bar on stderr while downloading.

    Raises:
        UserError: The name is not in the table, the file that was found is not the right one, or it could
            not be downloaded; the message names the file, where to put it by hand and the setting that does
            without.

    """
    if name not in WEIGHTS:
        raise UserError(f"no pretrained file is named {name!r}; known are: {', '.join(sorted(WEIGHTS))}")
    return fetch_file(WEIGHTS[name], progress=progress)


def fetch_file(file: PretrainedFile, *, progress: bool = True) -> Path:
    """Path of ``file`` on this machine; see ``fetch``. One process downloads, others wait for it."""
    path = _found(file)
    if path is not None:
        return path
    target = cache_folder() / file.file_name
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        waiting = f"waiting for another process that is downloading {target.name}"
        with in_turn(target.with_name(f".{target.name}.lock"), waiting):
            return _found(file) or _download(file, target, progress)
    except (OSError, HTTPException, ValueError) as error:
        raise UserError(_how_to_go_on(file, _reason(error))) from error


def _found(file: PretrainedFile) -> Path | None:
    """Look for the file; raise ``UserError`` for another of its name."""
    for folder in weights_folders():
        path = folder / file.file_name
        if path.is_file():
            problem = _problem(path, file)
            if problem:
                raise UserError(
                    f"{path} is not the published {file.file_name}: {problem}; replace or delete it"
                )
            return path
    return None


def cache_folder() -> Path:
    """Where downloads are kept: ``$XDG_CACHE_HOME/animate/weights`` or ``~/.cache/animate/weights``."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "animate" / "weights"


def weights_folders() -> list[Path]:
    """List the folders in which pretrained files are looked for, first come first served."""
    named = os.environ.get(FOLDER_VARIABLE)
    return [Path(named).expanduser(), cache_folder()] if named else [cache_folder()]


def _download(file: PretrainedFile, target: Path, progress: bool) -> Path:
    """Download under a temporary name, check, move. ValueError when what came is not the file."""
    handle, name = tempfile.mkstemp(prefix=f".{file.file_name}.", suffix=".part", dir=target.parent)
    partial = Path(name)
    try:
        with (
            os.fdopen(handle, "wb") as out,
            _OPENER.open(_refuse_in_the_open(file.address), timeout=TIMEOUT) as reply,
        ):
            _copy(reply, out, file, progress)
        problem = _problem(partial, file)
        if problem:
            raise ValueError(problem)
        partial.replace(target)
    finally:
        # Gone already after a success; an interrupt (Ctrl-C) must not leave half a file either.
        with suppress(OSError):
            partial.unlink(missing_ok=True)
    return target


class _StayPrivate(urllib.request.HTTPRedirectHandler):
    """Follows a server that points elsewhere, but not out of https."""

    @override
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        return super().redirect_request(req, fp, code, msg, headers, _refuse_in_the_open(newurl))


_OPENER = urllib.request.build_opener(_StayPrivate)


def _refuse_in_the_open(address: str) -> str:
    """Return an address of https, or of this machine, where nobody listens in; ValueError for another."""
    parts = urlsplit(address)
    if parts.scheme != "https" and (parts.scheme, parts.hostname) not in _OF_THIS_MACHINE:
        raise ValueError(f"{parts.scheme}://{parts.hostname} is not https")
    return address


def _copy(reply: IO[bytes], out: IO[bytes], file: PretrainedFile, progress: bool) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not progress) as bar:
        task = bar.add_task(f"downloading {file.file_name}", total=file.size)
        left = file.size + 1  # one byte too many is enough to tell that it is another file
        while chunk := reply.read(min(CHUNK, left)):
            out.write(chunk)
            left -= len(chunk)
            bar.advance(task, len(chunk))
    if not left:
        raise ValueError(f"it has more than {file.size} bytes")


def _problem(path: Path, file: PretrainedFile) -> str | None:
    """Tell what is wrong with the bytes at ``path``; None when they are those of ``file``."""
    size = path.stat().st_size
    if size != file.size:
        return f"it has {size} bytes instead of {file.size}"
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    return (
        None
        if found.startswith(file.sha256)
        else f"its SHA-256 starts with {found[:8]} instead of {file.sha256[:8]}"
    )


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answered {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError):
        return str(error.reason)
    return str(error) or type(error).__name__


def _how_to_go_on(file: PretrainedFile, reason: str) -> str:
    place = weights_folders()[0] / file.file_name
    return (
        f"cannot download {file.file_name} from {file.address} ({reason}); put the file at {place} by hand "
        f"(or in a folder named by {FOLDER_VARIABLE}), or do without it: {file.without}"
    )
