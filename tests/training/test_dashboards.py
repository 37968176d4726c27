"""What W&B and TensorBoard get, read from what they write; W&B without key, network or a friendly server."""

from __future__ import annotations

import builtins
import logging
import os
import socket
import sys
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import wandb
from media import gif_folder
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from wandb_log import WandbLog

from animate.checkpoints.description import source_revision
from animate.training import main, wandb_logger
from animate.training.wandb_logger import WandbLogger
from animate.video.probe import probe
from cli import TINY, rows, runs
from local_server import serve

KEY = "0" * 40


@pytest.fixture
def fresh_wandb(monkeypatch, tmp_path):
    """W&B without key or settings of this machine; it reads the environment once per process."""
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "no_netrc"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    wandb.teardown()
    yield
    wandb.teardown()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of one run of two epochs that was logged to W&B (offline) and to TensorBoard."""
    folder = tmp_path_factory.mktemp("dashboards")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["train.py"])
        patch.setenv("WANDB_MODE", "offline")
        patch.delenv("ANIMATE_RUN_FOLDER", raising=False)
        wandb.teardown()
        gif_folder(Path("data"))
        extra = ["logger=all", "logger.wandb.log_model=true", "callbacks.throughput.every_n_steps=1"]
        main([*TINY, *extra, "trainer.max_epochs=2", "test=true", "seed=7"])
        run = Path.cwd() / runs()[0]
    logging.getLogger().handlers.clear()
    return run


@pytest.fixture(scope="module")
def log(trained) -> WandbLog:
    return WandbLog(trained)


def test_wandb_knows_the_whole_config_and_the_revision(log, trained) -> None:
    assert log.config["seed"] == 7
    assert log.config["model"]["optimizer"]["generator"]["lr"] == 2e-4
    assert log.config["run_folder"] == str(trained.resolve())
    assert log.config["animate"]["revision"] == source_revision()
    (run,) = log.of("run")
    assert (run.run_id, run.project, run.run_group) == (log.config["run_id"], "animate", "fomm")
    assert [record.exit_code for record in log.of("exit")] == [0]


def test_every_value_stands_under_one_of_five_headings(log) -> None:
    names = {name for row in log.history for name in row if not name.startswith("_")}
    assert names - {"epoch", "trainer/global_step"}
    assert {name.split("/")[0] for name in names - {"epoch"}} == {
        *("train", "val", "test", "sys", "media", "trainer")
    }
    assert {"train/loss", "train/lr_generator", "val/l1", "val/ssim", "test/l1"} <= names
    assert {"sys/samples_per_s", "sys/data_wait", "sys/peak_memory_mib"} <= names


def test_values_lie_over_optimiser_steps_and_equal_those_of_the_csv(log, trained) -> None:
    found = [(row["trainer/global_step"], row["val/l1"]) for row in log.history if "val/l1" in row]
    expected = [(int(row["step"]), float(row["val/l1"])) for row in rows(trained) if row["val/l1"]]
    assert found == [(step, pytest.approx(value)) for step, value in expected]
    assert [step for step, _ in found] == [2, 5]
    assert all("trainer/global_step" in row for row in log.history)


def test_the_axis_and_the_best_values_are_defined(log) -> None:
    metrics = {metric.glob_name or metric.name: metric for metric in log.of("metric")}
    for panel in ("train/*", "val/*", "test/*", "sys/*", "media/*"):
        assert metrics[panel].step_metric == "trainer/global_step"
    assert metrics["epoch"].options.hidden
    assert metrics["trainer/global_step"].options.hidden
    values = [row["val/psnr"] for row in log.history if "val/psnr" in row]
    assert log.summary["val/psnr"] == {"max": max(values)}
    for name in ("val/l1", "train/loss"):
        assert log.summary[name] == {"min": min(row[name] for row in log.history if name in row)}


def test_pictures_and_videos_are_handed_over_as_the_encoded_files(log, trained) -> None:
    shown = [row for row in log.history if "media/pictures/path" in row]
    assert len(shown) == 2
    for epoch, row in enumerate(shown, 1):
        for kind, suffix in (("pictures", "png"), ("video", "mp4")):
            logged = log.folder / "files" / row[f"media/{kind}/path"]
            ours = trained / "samples" / f"epoch_{epoch:04d}.{suffix}"
            assert logged.read_bytes() == ours.read_bytes()


def test_the_best_checkpoint_is_an_artifact(log, trained) -> None:
    (artifact,) = log.of("artifact")
    assert (artifact.type, sorted(artifact.aliases)) == ("model", ["best", "latest"])
    (entry,) = artifact.manifest.contents
    assert entry.path == "best.ckpt"
    assert entry.size == (trained / "checkpoints" / "best.ckpt").stat().st_size


def test_tensorboard_shows_the_same(trained, tmp_path) -> None:
    events = EventAccumulator(str(trained / "tensorboard"), size_guidance={"images": 0})
    events.Reload()
    assert {"train/loss", "val/l1", "val/l1_ratio", "sys/samples_per_s"} <= set(events.Tags()["scalars"])
    assert sorted(events.Tags()["images"]) == ["media/pictures", "media/video"]
    pictures, videos = events.Images("media/pictures"), events.Images("media/video")
    assert [event.step for event in pictures] == [event.step for event in videos] == [2, 5]
    first = trained / "samples" / "epoch_0001.png"
    assert pictures[0].encoded_image_string == first.read_bytes()
    (tmp_path / "video.gif").write_bytes(videos[0].encoded_image_string)
    with Image.open(tmp_path / "video.gif") as gif:
        assert gif.n_frames == probe(first.with_suffix(".mp4")).num_frames > 1
        assert gif.size == (videos[0].width, videos[0].height)
    text = events.Tensors("config/text_summary")[0].tensor_proto.string_val[0].decode()
    assert "seed: 7" in text
    assert "revision:" in text


class Deaf(BaseHTTPRequestHandler):
    """Refuses everything, as W&B does with a wrong key."""

    def do_GET(self):
        self.send_error(401)

    def do_POST(self):
        self.send_error(401)

    def log_message(self, *_):
        pass


@pytest.fixture
def deaf_server():
    yield from serve(Deaf)


@pytest.fixture
def silent_server():
    """Takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture
def nobody_is_asked(monkeypatch):
    def asked(*_args, **_kwargs):
        raise AssertionError("W&B asked for something")

    monkeypatch.setattr(builtins, "input", asked)
    monkeypatch.setattr("getpass.getpass", asked)
    monkeypatch.setattr("click.prompt", asked)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)


@pytest.mark.usefixtures("fresh_wandb", "nobody_is_asked")
@pytest.mark.parametrize(
    ("server", "key", "reason"),
    [
        (None, KEY, "cannot be reached"),
        ("silent_server", KEY, "cannot be reached"),
        ("deaf_server", None, "no API key"),
        ("deaf_server", KEY, "Failed to authenticate"),
    ],
)
def test_what_keeps_wandb_from_going_online_is_one_line(
    request, monkeypatch, caplog, tmp_path, server, key, reason
) -> None:
    monkeypatch.setattr(wandb_logger, "PATIENCE", 0.5)
    monkeypatch.setenv("WANDB_BASE_URL", request.getfixturevalue(server) if server else "http://127.0.0.1:9")
    if key:
        monkeypatch.setenv("WANDB_API_KEY", key)
    logger = WandbLogger(project="animate", save_dir=str(tmp_path), id="some_run")
    with caplog.at_level(logging.WARNING, logger=wandb_logger.__name__):
        logger.log_metrics({"val/l1": 0.5}, step=3)
    logger.close(0)
    (line,) = [record.getMessage() for record in caplog.records if record.name == wandb_logger.__name__]
    assert reason in line
    assert "\n" not in line
    log = WandbLog(tmp_path)
    assert line.endswith(f"wandb sync {log.folder}")
    assert [(row["trainer/global_step"], row["val/l1"]) for row in log.history] == [(3, 0.5)]
    assert not log.of("artifact"), "nobody asked for the checkpoint"


@pytest.mark.usefixtures("workplace", "fresh_wandb", "nobody_is_asked")
def test_a_training_without_a_network_says_so_once_and_goes_on(monkeypatch, capfd) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    main([*TINY, "logger=wandb"])
    told = [line for line in "\n".join(capfd.readouterr()).splitlines() if "W&B" in line]
    assert len(told) == 1
    assert "cannot be reached; logging offline" in told[0]
    assert (runs()[0] / "checkpoints" / "best.ckpt").is_file()
    assert any("val/l1" in row for row in WandbLog(runs()[0]).history)


@pytest.mark.usefixtures("fresh_wandb")
def test_who_logs_offline_is_told_how_to_send_it(caplog, tmp_path) -> None:
    logger = WandbLogger(mode="offline", project="animate", save_dir=str(tmp_path), id="some_run")
    with caplog.at_level(logging.INFO, logger=wandb_logger.__name__):
        logger.log_metrics({"val/l1": 0.5}, step=3)
    logger.close(0)
    (line,) = [record.getMessage() for record in caplog.records if record.name == wandb_logger.__name__]
    assert line == f"W&B: logging offline, to be sent with: wandb sync {WandbLog(tmp_path).folder}"


@pytest.mark.usefixtures("workplace", "fresh_wandb")
def test_disabled_leaves_nothing_of_wandb() -> None:
    main([*TINY, "logger=wandb", "logger.wandb.mode=disabled"])
    assert not list(runs()[0].glob("wandb/*"))
    assert any(row["val/l1"] for row in rows(runs()[0]))


@pytest.mark.usefixtures("workplace", "fresh_wandb")
def test_each_job_of_a_sweep_is_a_run_of_its_own_and_failed_ones_are_known_as_such() -> None:
    for name in ("broken/train/a.gif", "broken/test/a.gif"):
        Path(name).parent.mkdir(parents=True)
        Path(name).write_bytes(b"GIF89a but no more")
    offline = ["logger=wandb", "logger.wandb.mode=offline", "trainer.max_epochs=3"]
    jobs = (
        "data.root=broken,data",
        "model.optimizer.generator.lr=1e30,1e-4",
    )  # 1e30: losses that are no numbers
    with pytest.raises(SystemExit) as stopped:
        main(["-m", *TINY, *offline, *jobs])
    assert stopped.value.code == 2
    logs = [
        WandbLog(folder) for folder in sorted(Path("outputs/fomm").glob("*")) if any(folder.glob("wandb/*"))
    ]
    trained = [log for log in logs if log.config["data"]["root"] == "data"]
    assert [log.config["model"]["optimizer"]["generator"]["lr"] for log in trained] == [1e30, 1e-4]
    assert [record.exit_code for log in trained for record in log.of("exit")] == [1, 0]
    assert len({log.config["run_id"] for log in logs}) == len(logs)
