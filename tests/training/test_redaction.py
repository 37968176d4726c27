"""No password and no key stands in anything that a run writes: searched for in every byte of its files."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from animate.redaction import without_secrets
from animate.training import main
from animate.training.resume import differences
from cli import TINY, refused, runs

KEY = "0123456789abcdef0123456789abcdef01234567"
LOGIN = "tw9:Xy77pass"
PARAMETER = "c2lnbmF0dXJl"
SECRETS = [KEY, LOGIN, PARAMETER, "hunter2hunter2"]
#: As somebody may put them: an address with a login, one that gives access, a setting, and the environment's.
GIVEN = [
    f"+data_origin.mirror='https://{LOGIN}@example.invalid/vox.tar'",
    f"+data_origin.signed='https://example.invalid/vox?part=3&X-Amz-Signature={PARAMETER}'",
    "+data_origin.password=hunter2hunter2",
    "+data_origin.note='${oc.env:WANDB_API_KEY}'",
]


def whole(folder: Path) -> bytes:
    return b"\n".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_what_is_hidden_and_what_is_not(monkeypatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("SHORT_TOKEN", "fomm")
    config = {
        "url": f"https://{LOGIN}@example.org:8080/a@b",
        "signed": [f"s3://bucket/x?X-Amz-Signature={PARAMETER}&part=1", f"before{KEY}after"],
        "store": {"access_key": "abc", "token": None, "keypoints": "10", "num_keys": 3, "monkey": "fomm"},
    }
    assert without_secrets(config) == {
        "url": "https://***@example.org:8080/a@b",
        "signed": ["s3://bucket/x?X-Amz-Signature=***&part=1", "before***after"],
        "store": {"access_key": "***", "token": None, "keypoints": "10", "num_keys": 3, "monkey": "fomm"},
    }
    assert without_secrets("a@b.org, C:/x?y=1") == "a@b.org, C:/x?y=1"


@pytest.mark.usefixtures("workplace")
def test_nothing_that_a_run_leaves_tells_a_secret(monkeypatch, capfd, caplog) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_MODE", "offline")
    with caplog.at_level(logging.INFO):
        monkeypatch.setattr(sys, "argv", ["train.py", *TINY, *GIVEN, "logger=all"])
        main()
    (run,) = runs()
    saved = OmegaConf.load(run / "config.yaml")
    assert saved.data_origin.mirror == "https://***@example.invalid/vox.tar"
    assert list(run.glob("checkpoints/*.ckpt"))
    left = whole(run) + caplog.text.encode() + "".join(capfd.readouterr()).encode()
    assert [secret for secret in SECRETS if secret.encode() in left] == []


@pytest.mark.usefixtures("workplace")
def test_a_sweep_writes_down_no_secret() -> None:
    with pytest.raises(SystemExit):
        main(["-m", *TINY, *GIVEN[:3], "data.root=nowhere,nowhere_else"])
    (sweep,) = Path("outputs/sweeps").iterdir()
    assert (sweep / "multirun.yaml").is_file()
    left = whole(sweep)
    assert [secret for secret in SECRETS if secret.encode() in left] == []


@pytest.mark.usefixtures("workplace")
def test_an_error_tells_no_secret(capfd) -> None:
    line = refused(capfd, *TINY, f"data.root='https://{LOGIN}@example.invalid/vox'")
    assert "https://***@example.invalid" in line
    assert LOGIN not in line


def test_what_is_hidden_is_no_other_setting_when_a_run_is_resumed(monkeypatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    now = OmegaConf.create({"a": f"https://{LOGIN}@example.org", "b": "${oc.env:WANDB_API_KEY}", "seed": 2})
    assert differences({"a": "https://***@example.org", "b": "***", "seed": 1}, now) == ["seed: 1 -> 2"]
