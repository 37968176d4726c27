"""A face that needs no download, and stand-ins for pretrained files."""

from __future__ import annotations

import dataclasses
import hashlib
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from animate.annotate import libraries
from animate.checkpoints import weights


@pytest.fixture(scope="session")
def portrait():
    """(1, 512, 512, 3): one frontal face, the eyes near (200, 102) and (250, 104)."""
    from skimage import data

    return data.astronaut()[None]


@pytest.fixture(autouse=True)
def _licences_are_new(monkeypatch):
    """Each test sees the licences as if for the first time."""
    monkeypatch.setattr(libraries, "_shown", set())


@pytest.fixture
def weights_folder(tmp_path, monkeypatch):
    """The folder of pretrained files, empty; the cache is elsewhere."""
    folder = tmp_path / "weights"
    folder.mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv(weights.FOLDER_VARIABLE, str(folder))
    return folder


@pytest.fixture
def given_weights(weights_folder, monkeypatch):
    """Put a file of our own in the place of a pretrained one; returns its digest's first digits."""

    def give(name: str, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        file = dataclasses.replace(weights.WEIGHTS[name], sha256=digest, size=len(content))
        monkeypatch.setitem(weights.WEIGHTS, name, file)
        (weights_folder / file.file_name).write_bytes(content)
        return digest[: libraries.DIGITS]

    return give


@pytest.fixture
def stand_in(monkeypatch):
    """Make a module of these entries importable under a name."""

    def add(name: str, **entries: object) -> SimpleNamespace:
        module = SimpleNamespace(**entries)
        monkeypatch.setitem(sys.modules, name, module)
        return module

    return add


@pytest.fixture
def pictures():
    """(3, 40, 60, 3): pure red, so that the order of colours shows."""
    frames = np.zeros((3, 40, 60, 3), np.uint8)
    frames[..., 0] = 255
    return frames
