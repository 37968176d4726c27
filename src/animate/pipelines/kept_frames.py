"""A render that can be broken off at any moment and goes on where it stopped.

Beside the output lies ``OUTPUT.partial`` while the work goes on. In it: ``render.json``, what the render is
made of; one lossless picture per frame as the network made it; with smoothing the keypoints of every frame.
What the network has done is not done again; the frames that were kept are put together and encoded anew, so
the output is the same as without an interruption, whatever its format.
"""

from __future__ import annotations

import json
import math
import os
import warnings
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from animate import safe_json
from animate.errors import UserError
from animate.locks import alone
from animate.video import atomic
from animate.video.encode import check_output
from animate.video.image import write_image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from animate.pipelines.keypoint_smoothing import Smoothing
    from animate.types import Keypoints

    Picture = NDArray[np.uint8]

SUFFIX = ".partial"
FACTS, START, KEYPOINTS = "render.json", "start_frame.json", "keypoints.f32"
RESULT, LOCK = "result", ".lock"


@contextmanager
def resumable(output: Path, facts: Mapping[str, Any], overwrite: bool) -> Iterator[KeptFrames]:
    """Begin a render or go on with one; when the block ends well, its result becomes the output.

    The block writes to ``KeptFrames.target``. After an exception what was kept stays for the next time.

    Args:
        output: .mp4, .webm, .gif, or a new folder.
        facts: everything that the result depends on, by name; plain values.
        overwrite: replace an existing output.

    Raises:
        UserError: the output may not be written; the folder beside it holds something else, the frames of
            another render, or one that is under way.

    """
    check_output(output, overwrite)
    place = atomic.destination(output)
    folder = place.with_name(place.name + SUFFIX)
    new = not folder.exists()
    try:
        folder.mkdir(exist_ok=True)
        with alone(folder / LOCK, f"{folder}: another process is at work on this render; wait for it"):
            _settle(folder, facts)
            for left in (*folder.glob(f"{RESULT}*"), *folder.glob(".*.part*")):
                atomic.discard(left)
            kept = KeptFrames(folder, folder / f"{RESULT}{output.suffix}")
            yield kept
            os.replace(kept.target, place)  # noqa: PTH105  one step, also over an existing file
            atomic.discard(folder)
    except OSError as error:
        raise atomic.explain(output, error) from error
    finally:
        if new and not _place(folder, 0).exists():
            atomic.discard(folder)


def _settle(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write down what the render is made of; where frames are kept, see that it is the same as before."""
    place, now = folder / FACTS, json.loads(json.dumps(facts))
    if not _place(folder, 0).exists():
        _clear(folder)
        with atomic.temporary_file(place) as temporary:
            temporary.write_text(json.dumps(now, indent=1), "utf-8")
        return
    try:
        before = safe_json.loads(place.read_text("utf-8"))
        changed = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
    except (OSError, ValueError, TypeError, AttributeError):
        raise UserError(f"{folder} does not say what its frames are of; delete it to begin anew") from None
    if changed:
        raise UserError(
            f"{folder} was begun with another {', '.join(changed)}; give the same again, or delete that "
            "folder to begin anew"
        )


def _clear(folder: Path) -> None:
    """Remove what a run has left that was broken off before its first frame, and nothing else."""
    for path in list(folder.iterdir()):
        if path.name in (FACTS, START, KEYPOINTS) or ".part" in path.name:
            path.unlink()
        elif path.name != LOCK:
            raise UserError(f"{folder} holds something else than a broken render; name another --output")


def _place(folder: Path, number: int) -> Path:
    return folder / f"{number:06d}.png"


class KeptFrames:
    """The frames of a render that are done.

    Args:
        folder: where they lie.
        target: where the output is put together.

    """

    def __init__(self, folder: Path, target: Path) -> None:
        self.folder, self.target = folder, target

    def start_frame(self, find: Callable[[], int], frames: int | None) -> int:
        """Recall which of so many frames, if that is known, is the start frame; or find it and keep it."""
        place = self.folder / START
        with suppress(OSError, ValueError):
            kept = safe_json.loads(place.read_text("utf-8"))
            if isinstance(kept, int) and 0 <= kept < (frames or math.inf):
                return kept
        found = find()
        with atomic.temporary_file(place) as temporary:
            temporary.write_text(str(found), "utf-8")
        return found

    def results(
        self,
        render: Callable[..., Iterator[Picture]],
        images: Iterator[Picture],
        smoothing: Smoothing | None,
        batch_size: int,
        shape: tuple[int, int, int],
    ) -> Iterator[Picture]:
        """Yield the result of each driving frame: those that are kept, then new ones, which are kept too.

        Args:
            render: makes results of ``(images, smoothing=...)``.
            images: the driving frames from the first on.
            smoothing: of the keypoints, which has seen none yet.
            batch_size: new frames begin where a batch began, so that they are the same to the bit.
            shape: (H, W, C) of results.

        Raises:
            UserError: a frame that was kept is damaged, or no result of this render.

        """
        done = self._count() // batch_size * batch_size
        for number, _ in zip(range(done), images, strict=False):
            yield self._read(number, shape)
        recorded = None if smoothing is None else Recorded(smoothing, self.folder / KEYPOINTS, done)
        for number, picture in enumerate(render(images, smoothing=recorded), done):
            write_image(_place(self.folder, number), picture)
            yield picture

    def _count(self) -> int:
        """Count the frames that are there without a gap; a file of no length is left by a power cut."""
        number = 0
        while _place(self.folder, number).is_file() and _place(self.folder, number).stat().st_size:
            number += 1
        return number

    def _read(self, number: int, shape: tuple[int, int, int]) -> Picture:
        place = _place(self.folder, number)
        try:
            with _careful(), Image.open(place) as picture:
                if (picture.height, picture.width, len(picture.getbands())) != shape:
                    raise ValueError(f"it is {picture.width}x{picture.height}, {picture.mode}")
                return np.array(picture)
        except (OSError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning):
            raise UserError(f"{place} is damaged; delete it and run the same command again") from None


@contextmanager
def _careful() -> Iterator[None]:
    """Within the block a picture of which Pillow warns is refused by it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


class Recorded:
    """A smoothing that remembers across runs: it writes down what it is given, and begins with what it was.

    Args:
        smoothing: has seen no frame yet.
        path: one line of float32 for each frame.
        done: frames that are not given again.

    """

    def __init__(self, smoothing: Smoothing, path: Path, done: int) -> None:
        self._smoothing, self._path, self._done = smoothing, path, done
        self._file: IO[bytes] | None = None

    def __call__(self, keypoints: Keypoints) -> Keypoints:
        """See ``Smoothing``."""
        self._file = self._file or self._catch_up(keypoints)
        self._file.write(_flat(keypoints).tobytes())
        return self._smoothing(keypoints)

    def _catch_up(self, like: Keypoints) -> IO[bytes]:
        """Show the smoothing the frames of earlier runs, and cut off what comes after them."""
        width = _flat(like).shape[1]
        file = self._path.open("a+b", buffering=0)
        file.truncate(4 * width * self._done)
        file.seek(0)
        rows = np.frombuffer(file.read(), np.float32).reshape(-1, width)
        if len(rows) < self._done:
            raise UserError(f"{self._path} is damaged; delete {self._path.parent} to begin anew")
        if self._done:
            self._smoothing(_unflat(rows, like))
        return file


def _flat(keypoints: Keypoints) -> NDArray[np.float32]:
    """Lay the numbers of B frames out, a row for each."""
    parts = [keypoints["value"], *([keypoints["jacobian"]] if "jacobian" in keypoints else [])]
    return np.asarray(torch.cat([part.flatten(1) for part in parts], dim=1).float().cpu().numpy())


def _unflat(rows: NDArray[np.float32], like: Keypoints) -> Keypoints:
    values = torch.from_numpy(rows.copy()).to(like["value"])
    points = like["value"].shape[1]
    found: Keypoints = {"value": values[:, : 2 * points].view(-1, points, 2)}
    if "jacobian" in like:
        found["jacobian"] = values[:, 2 * points :].view(-1, *like["jacobian"].shape[1:])
    return found
