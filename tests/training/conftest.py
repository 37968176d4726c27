from __future__ import annotations

import logging
import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from media import gif_folder


@pytest.fixture(autouse=True)
def _quiet() -> None:
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """An empty working folder with a data folder, and the process as it was afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py"])
    for name in ("HYDRA_FULL_ERROR", "ANIMATE_RUN_FOLDER"):
        monkeypatch.delenv(name, raising=False)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    gif_folder(Path("data"))
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)
    logging.getLogger().handlers.clear()
