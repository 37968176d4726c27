"""The ``animate`` command: runs one verb, and turns what a user can cause into one line and an exit code.

Exit codes: 0 done, 1 the verb found something wrong (``data check``), 2 bad input, 130 interrupted,
143 terminated.
"""

from __future__ import annotations

import argparse
import errno
import importlib
import io
import os
import sys
from typing import TYPE_CHECKING, NoReturn

from animate import __version__
from animate.errors import UserError, ran_out_of_memory

if TYPE_CHECKING:
    from collections.abc import Sequence

# One module each. They import torch and the like inside of their functions, so that help is instant.
VERBS = (
    "train",
    "score",
    "data",
    "drive",
    "reconstruct",
    "evaluate",
    "convert",
    "export",
    "compare",
    "annotate",
    "crop",
    "matte",
    "inpaint",
    "pose2vid",
)

BAD_INPUT, INTERRUPTED, BROKEN_PIPE = 2, 130, 141

# What the operating system refuses for a reason that lies with the user's paths or disk.
ADVICE = {
    errno.ENOENT: "check the path",
    errno.EACCES: "check the permissions, or use another place",
    errno.EPERM: "check the permissions, or use another place",
    errno.EROFS: "write to another place",
    errno.ENOSPC: "free some space, or write to another place",
    errno.EDQUOT: "free some space, or write to another place",
    errno.EFBIG: "write to another place",
    errno.EISDIR: "give a file",
    errno.ENOTDIR: "check the path",
    errno.EEXIST: "choose another name",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ELOOP: "check the links in the path",
}


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are a UserError, so one line like all others."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage and leaving."""
        raise UserError(f"{message} (see {self.prog} --help)")


def build_parser() -> Parser:
    """Assemble the command line from the verbs."""
    parser = Parser(prog="animate", description="Animate pictures with the motion of a video; train that.")
    parser.add_argument("--version", action="version", version=f"animate {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for name in VERBS:
        importlib.import_module(f"animate.cli.{name}").add_parser(verbs)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code; ``argv`` is the process's own unless given."""
    _print_any_name()
    try:
        args = build_parser().parse_args(argv)
        code = int(args.run(args))
        sys.stdout.flush()
    except UserError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        return _fail("interrupted", INTERRUPTED)
    except BrokenPipeError:
        return _broken_pipe()
    except OSError as error:
        if error.errno not in ADVICE:
            raise
        return _fail(_explain(error))
    except (MemoryError, RuntimeError) as error:
        if not ran_out_of_memory(error):
            raise
        return _fail("out of memory: use a smaller --size or --batch-size, or --device cpu")
    return code


def _print_any_name() -> None:
    """Let file names be printed that the terminal's encoding does not hold, or that are no text at all."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _fail(message: str, code: int = BAD_INPUT) -> int:
    from animate.redaction import without_secrets

    print("animate: error:", without_secrets(" ".join(message.splitlines())), file=sys.stderr)
    return code


def _explain(error: OSError) -> str:
    """Say in one line what the system refused, where, and what to do."""
    name = error.filename2 or error.filename
    where = f"{os.fsdecode(name)}: " if isinstance(name, str | bytes) else ""
    return f"{where}{error.strerror}; {ADVICE[error.errno or 0]}"


def _broken_pipe() -> int:
    """Leave quietly: whoever read our output has gone, and the flush at exit must not complain about it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return BROKEN_PIPE
