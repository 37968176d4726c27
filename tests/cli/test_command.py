from __future__ import annotations

import errno
import io
import re
import subprocess
import sys

import pytest
import torch

import animate as package
from animate.cli import main
from animate.cli.console import track
from animate.errors import UserError

cli = sys.modules["animate.cli.main"]  # the name `animate.cli.main` is the function

HEAVY = ("torch", "numpy", "av", "cv2", "scipy", "rich", "pytorch_lightning", "hydra", "omegaconf", "PIL")


@pytest.fixture
def verb(monkeypatch):
    """Replace the verbs by one that does what the test wants."""

    def replace(action):
        def build():
            parser = cli.Parser(prog="animate")
            verbs = parser.add_subparsers(required=True)
            verbs.add_parser("act").set_defaults(run=lambda _: action())
            return parser

        monkeypatch.setattr(cli, "build_parser", build)

    return replace


def raising(error):
    def action():
        raise error

    return action


def test_help_imports_nothing_heavy():
    code = "import sys; from animate.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    code += f"print([name for name in {HEAVY} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"
    for name in ("drive", "reconstruct"):
        assert re.search(rf"^ +{name}\b", result.stdout, re.MULTILINE)


def test_version(capsys):
    with pytest.raises(SystemExit) as leaving:
        main(["--version"])
    assert leaving.value.code == 0
    assert capsys.readouterr().out == f"animate {package.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "VERB"),
        (["fly"], "fly"),
        (["drive"], "--checkpoint"),
        (["drive", "--bach-size", "3"], "drive"),
        (
            [
                "drive",
                "--checkpoint",
                "a",
                "--source",
                "b",
                "--driving",
                "c",
                "--output",
                "d",
                "--batch-size",
                "0",
            ],
            "--batch-size: 0 is below 1",
        ),
    ],
)
def test_wrong_arguments_are_one_line(arguments, told, capsys):
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("animate: error: ")
    assert printed.err.count("\n") == 1
    assert told in printed.err
    assert "--help" in printed.err


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (UserError("x.mp4: two\nlines"), 2, "x.mp4: two lines"),
        (
            PermissionError(errno.EACCES, "Permission denied", "/root/x"),
            2,
            "/root/x: Permission denied; check the",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), 2, "No space left on device; free some space"),
        (IsADirectoryError(errno.EISDIR, "Is a directory", "here"), 2, "here: Is a directory; give a file"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"), 2, "--batch-size"),
        (MemoryError(), 2, "--batch-size"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_what_a_user_causes_is_one_line(verb, error, code, told, capsys):
    verb(raising(error))
    assert main(["act"]) == code
    printed = capsys.readouterr().err
    assert printed.startswith("animate: error: ")
    assert told in printed
    assert printed.count("\n") == 1


@pytest.mark.parametrize(
    "error", [RuntimeError("a defect"), OSError(errno.EBADF, "a defect"), ValueError("a defect")]
)
def test_a_defect_of_ours_keeps_its_traceback(verb, error):
    verb(raising(error))
    with pytest.raises(type(error), match="a defect"):
        main(["act"])


def test_names_that_no_encoding_holds_can_be_printed(verb, monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    verb(lambda: print("é漢\udcff") or 0)
    assert main(["act"]) == 0
    assert stream.buffer.getvalue() == b"\\xe9\\u6f22\\udcff\n"


def test_the_verb_s_exit_code_is_passed_on(verb):
    verb(lambda: 1)
    assert main(["act"]) == 1


def test_a_closed_pipe_is_quiet():
    code = "import sys; from animate.cli import main; sys.exit(main(['drive', '--help']))"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()  # nobody reads
    assert process.stderr.read() == b""
    assert process.wait() in {0, 141}


def test_the_progress_bar_passes_everything_on(monkeypatch, capfd):
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes stderr for a terminal then
    assert list(track(iter(range(50)), "working", None)) == list(range(50))
    shown = capfd.readouterr()
    assert "working" in shown.err
    assert shown.out == ""
