"""What a checkpoint says about itself: enough to rebuild its networks without the code that trained them."""

from __future__ import annotations

import functools
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

import animate
from animate.checkpoints.architectures import ARCHITECTURES
from animate.checkpoints.keys import printable
from animate.errors import UserError

KEY = "animate"
"""Where the description stands in a checkpoint, beside Lightning's own keys."""
FORMAT = 1
"""Raised when an older ``animate`` could not read the file any more."""


class Described(TypedDict):
    """The networks of a method, by name and arguments."""

    architecture: str
    """A key of ``ARCHITECTURES``."""
    networks: dict[str, Any]
    """Every argument of the networks."""
    discriminator: dict[str, Any] | None
    """Every argument of the discriminator; None when there is none."""


class Description(Described):
    """The value under ``KEY``: plain values only."""

    format: int
    version: str
    """Of the package that wrote the file."""
    revision: str | None
    """The git commit it was run from, with ``+`` where files had been changed; None outside of a clone."""


def describe(
    architecture: str, networks: Mapping[str, Any], discriminator: Mapping[str, Any] | None = None
) -> Description:
    """Describe networks by name and arguments, checked and with the defaults filled in.

    Args:
        architecture: A key of ``ARCHITECTURES``, such as ``"fomm"``.
        networks: Arguments of its networks, here those of ``FirstOrderModel``; plain values.
        discriminator: Arguments of its discriminator; None when there is none.

    Raises:
        UserError: The architecture or an argument is not known, or an argument is out of its range.

    """
    found = _validated(architecture, networks, discriminator, f"the description of a {architecture} model")
    return {**found, "format": FORMAT, "version": animate.__version__, "revision": source_revision()}


def description_of(checkpoint: Mapping[str, Any], path: Path) -> Description:
    """Read the description of a checkpoint of ours and check every value of it.

    Raises:
        UserError: The file is another tool's, of a newer format or of a method that is not known here.

    """
    written = checkpoint.get(KEY)
    if not isinstance(written, Mapping):
        raise UserError(f"{path} {_what_it_is(checkpoint, path)}")
    version, number = printable(written.get("version")), written.get("format")
    if type(number) is not int or number < 1:
        raise UserError(f"{path}: the format of the checkpoint must be a whole number, not {number!r:.40}")
    if number > FORMAT:
        raise UserError(
            f"{path} was written by animate {version:.40} in format {number}; this is {animate.__version__} "
            f"and reads format {FORMAT}: update animate"
        )
    architecture = str(written.get("architecture"))
    found = _validated(architecture, written.get("networks"), written.get("discriminator"), str(path))
    revision = written.get("revision")
    return {**found, "format": number, "version": version, "revision": revision and str(revision)}


@functools.cache
def source_revision() -> str | None:
    """Return the git commit of the running code, with ``+`` when files differ from it; None without git."""
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
        # An installed package may lie inside somebody else's clone: only a tracked file counts.
        subprocess.run([*git, "ls-files", "--error-unmatch", __file__], capture_output=True, check=True)
        changed = subprocess.run([*git, "status", "--porcelain", "-uno"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit.stdout.strip() + ("+" if changed.stdout.strip() else "")


def _validated(architecture: str, networks: object, discriminator: object, where: str) -> Described:
    if architecture not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise UserError(
            f"{where}: this version of animate has no method {architecture!r:.40} (it has: {known})"
        )
    parts = ARCHITECTURES[architecture]
    return {
        "architecture": architecture,
        "networks": parts.networks.complete(networks, f"{where}, networks"),
        "discriminator": None
        if discriminator is None
        else parts.discriminator.complete(discriminator, f"{where}, discriminator"),
    }


def _what_it_is(checkpoint: Mapping[str, Any], path: Path) -> str:
    """Name a file of another tool by its keys, and what to do with it."""
    keys = {printable(key) for key in checkpoint}
    if {"generator", "kp_detector"} <= keys:
        files = f"--config CONFIG.yaml --checkpoint {shlex.quote(str(path))} --output NEW.ckpt"
        return f"is a published First Order Motion Model checkpoint; run: animate convert fomm {files}"
    for part, layout in (("bg_model", "impersonator"), ("bg_net", "ipercore")):
        if any(key.removeprefix("module.").startswith(f"{part}.") for key in keys):
            files = f"--checkpoint {shlex.quote(str(path))} --output NEW.ckpt"
            return f"holds a published background network; run: animate convert {layout} {files}"
    if any(key.removeprefix("module.") == "model.1.weight" for key in keys):
        files = f"--checkpoint {shlex.quote(str(path))} --output NEW.ckpt"
        return f"looks like a published pix2pixHD generator; run: animate convert pix2pixhd {files}"
    if any(key.removeprefix("module.") == "stage1.rebnconvin.conv_s1.weight" for key in keys):
        files = f"--checkpoint {shlex.quote(str(path))} --output NEW.ckpt"
        return f"looks like a published U²-Net; run: animate convert u2net {files}"
    if "inpainting_network" in keys or "region_predictor" in keys:
        return "is a checkpoint of a successor of the First Order Motion Model, which animate does not have"
    if "state_dict" in keys:
        return "is a Lightning checkpoint, but not one of animate: it does not describe its networks"
    listed = ", ".join(sorted(keys)[:4]) or "nothing"
    return f"is not a checkpoint of animate: it holds {listed:.160}{', ...' if len(keys) > 4 else ''}"
