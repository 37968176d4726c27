"""Where live results are shown: a window, or a camera that other programs see."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from animate.errors import UserError
from animate.pipelines.live import QUIT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Picture = NDArray[np.uint8]

_TITLE = "animate: r sets the start frame anew, q ends"
_ESCAPE = 27


class Window:
    """A preview window.

    Raises:
        UserError: there is no display. It is tried in another process: without one, OpenCV's window library
            may end the whole process.

    """

    def __init__(self) -> None:
        dark = sys.platform == "linux" and not (
            os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
        )
        if (
            dark
            or subprocess.run(
                [sys.executable, "-c", "import cv2; cv2.namedWindow('x')"], capture_output=True, check=False
            ).returncode
        ):
            raise UserError("--preview: there is no display to open a window on; leave it out")
        cv2.namedWindow(_TITLE)

    def show(self, picture: Picture) -> str:
        """See ``Screen``; Escape and closing the window are ``q``."""
        cv2.imshow(_TITLE, np.ascontiguousarray(picture[..., ::-1]))  # OpenCV shows BGR
        key = cv2.waitKey(1) & 0xFF
        closed = cv2.getWindowProperty(_TITLE, cv2.WND_PROP_VISIBLE) < 1
        return QUIT if closed or key == _ESCAPE else chr(key) if key < 128 else ""

    def close(self) -> None:
        """See ``Screen``."""
        cv2.destroyAllWindows()


def _has_display() -> bool:
    named = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if sys.platform == "linux" and not named:
        return False
    attempt = [sys.executable, "-c", "import cv2; cv2.namedWindow('x')"]
    return subprocess.run(attempt, capture_output=True, check=False).returncode == 0


class VirtualCamera:
    """A camera that other programs can choose; its size is that of the first picture.

    Args:
        fps: that it states.

    Raises:
        UserError: the extra is not installed, or there is no driver for it.

    """

    def __init__(self, fps: float) -> None:
        try:
            self._library: Any = importlib.import_module("pyvirtualcam")
        except ImportError:
            raise UserError("--virtual-camera needs pyvirtualcam: pip install 'animate[camera]'") from None
        self._fps = fps
        self._camera: Any = None

    def show(self, picture: Picture) -> str:
        """See ``Screen``."""
        if self._camera is None:
            height, width = picture.shape[:2]
            try:
                self._camera = self._library.Camera(width=width, height=height, fps=self._fps)
            except RuntimeError as error:
                raise UserError(f"--virtual-camera: {error}; docs/inference.md names the drivers") from None
        self._camera.send(np.ascontiguousarray(picture))
        return ""

    def close(self) -> None:
        """See ``Screen``."""
        if self._camera is not None:
            self._camera.close()
