"""Sweeps: the table of their results, and the one that W&B's agent starts."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
import wandb
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import MissingConfigException
from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args
from wandb_log import WandbLog

from animate.errors import UserError
from animate.training import app, main
from animate.training.complaints import explain
from animate.training.conf import conf_folder
from cli import ROOT, TINY, runs

pytestmark = pytest.mark.usefixtures("workplace")
SAMPLER = "hydra.sweeper.sampler.seed=3"


def results() -> list[dict[str, str]]:
    (path,) = Path("outputs/sweeps").glob("*/results.csv")
    with path.open() as file:
        return list(csv.DictReader(file))


def test_the_results_are_a_table_of_what_was_varied_the_best_first(capfd) -> None:
    def task(config) -> float | None:
        config.run_folder = f"outputs/fomm/run{config.seed}"
        return {1: 0.25, 2: 0.125, 3: None}[config.seed]

    app.launch(task, "train", ["-m", "data=puppets", "seed=1,2,3"])
    assert [(row["job"], row["seed"], row["val/l1"], row["run"]) for row in results()] == [
        ("1", "2", "0.125", "outputs/fomm/run2"),
        ("0", "1", "0.25", "outputs/fomm/run1"),
        ("2", "3", "", "outputs/fomm/run3"),
    ]
    assert "data" not in results()[0], "it is the same in all jobs"
    printed = capfd.readouterr().out
    assert "results of the sweep" in printed
    assert re.search(r"1\s+│\s+2\s+│\s+0\.125", printed)
    assert "results.csv" in printed


def test_the_printed_table_is_whole_on_a_narrow_screen(capfd, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")

    def task(config) -> float:
        config.run_folder = str(Path.cwd() / "outputs" / "fomm" / f"run{config.seed}_of_a_long_name")
        return 0.5

    app.launch(task, "train", ["-m", "seed=1,2", "model.optimizer.generator.lr=1e-4,2e-4"])
    printed = capfd.readouterr().out
    assert "…" not in printed
    cells = [line.split("│")[1:-1] for line in printed.splitlines() if "│" in line]
    run = "".join(cells[0][-1].strip() + "".join(row[-1].strip() for row in continuation(cells)))
    assert run == "outputs/fomm/run1_of_a_long_name"
    assert results()[0]["run"] == str(Path.cwd() / run)


def continuation(cells: list[list[str]]) -> list[list[str]]:
    """The further lines of the first row: those before the next job's number."""
    jobs = [number for number, row in enumerate(cells) if row[0].strip()]
    return cells[1 : jobs[1]]


def test_a_failed_job_stands_in_the_table(capfd) -> None:
    def task(config) -> float:
        if config.seed == 1:
            raise UserError("seed 1 does not work")
        return float(config.seed)

    with pytest.raises(SystemExit) as stopped:
        app.launch(task, "train", ["-m", "seed=1,2"])
    assert stopped.value.code == 2
    assert [(row["seed"], row["val/l1"]) for row in results()] == [("2", "2"), ("1", "failed")]


def test_optuna_chooses_and_a_failed_trial_does_not_end_its_sweep(capfd) -> None:
    def task(config) -> float:
        if config.seed == 2:
            raise UserError("seed 2 does not work")
        return abs(config.model.optimizer.generator.lr - 2e-4)

    with pytest.raises(SystemExit) as stopped:
        app.launch(task, "train", ["-m", "sweep=optuna", "hydra.sweeper.n_trials=8", SAMPLER])
    assert stopped.value.code == 2
    assert len(results()) == 8
    *done, failed = results()
    assert (failed["seed"], failed["val/l1"]) == ("2", "failed")
    best = min(abs(float(row["model.optimizer.generator.lr"]) - 2e-4) for row in done if row["seed"] != "2")
    assert float(done[0]["val/l1"]) == pytest.approx(best, rel=1e-4)
    said = capfd.readouterr()
    assert f"the best: model.optimizer.generator.lr={done[0]['model.optimizer.generator.lr']}" in said.out
    failures = [row for row in results() if row["val/l1"] == "failed"]
    assert said.err.count("animate: error: seed 2 does not work") == len(failures)


def test_a_sweep_of_optuna_without_a_single_result_is_no_defect(capfd) -> None:
    def task(config) -> float:
        raise UserError("nothing works")

    with pytest.raises(SystemExit) as stopped:
        app.launch(task, "train", ["-m", "sweep=optuna", "hydra.sweeper.n_trials=2"])
    assert stopped.value.code == 2
    assert [row["val/l1"] for row in results()] == ["failed"] * 2
    said = capfd.readouterr()
    assert "No trials are completed" not in said.err, "Optuna's own complaint"
    assert "the best:" not in said.out


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["joblib", "submitit_local"])
def test_jobs_in_other_processes_stand_in_the_table_of_the_first(launcher, capfd) -> None:
    tiny = [setting for setting in TINY if not setting.startswith(("data.batch_size", "data.num_workers"))]
    varied = ["seed=1,2", "data.batch_size=2,0", "data.num_workers=1"]
    with pytest.raises(SystemExit) as stopped:
        main(["-m", *tiny, *varied, f"hydra/launcher={launcher}"])
    assert stopped.value.code == 2
    found = [(row["seed"], row["data.batch_size"], row["val/l1"] != "failed") for row in results()]
    assert sorted(found[:2]) == [("1", "2", True), ("2", "2", True)]
    assert found[2:] == [("1", "0", False), ("2", "0", False)]
    said = capfd.readouterr().out
    assert f"the best: seed={found[0][0]} data.batch_size=2: val/l1 " in said
    assert (Path(results()[0]["run"]) / "checkpoints" / "best.ckpt").is_file()


def test_a_plugin_that_is_not_installed_is_named(capfd, monkeypatch) -> None:
    error = MissingConfigException("Could not load", missing_cfg_file="hydra/launcher/joblib", options=[])
    assert explain(error, "train") == (
        "hydra/launcher=joblib needs the extra sweeps: pip install 'animate[sweeps]'"
    )


def test_an_interrupted_sweep_tells_what_it_has() -> None:
    def task(config) -> float:
        if config.seed == 2:
            raise KeyboardInterrupt
        return 0.5

    with pytest.raises(SystemExit) as stopped:
        app.launch(task, "train", ["-m", "seed=1,2,3"])
    assert stopped.value.code == 130
    assert [(row["seed"], row["val/l1"]) for row in results()] == [("1", "0.5"), ("2", "failed")]


def test_a_single_run_has_no_table() -> None:
    app.launch(lambda _: 1.0, "train", ["seed=1"])
    assert not Path("outputs").exists()


def test_the_score_of_a_training_is_its_best_validation() -> None:
    main(["-m", *TINY, "seed=1,2"])
    found = {row["run"]: float(row["val/l1"]) for row in results()}
    assert sorted(found) == sorted(str(path.resolve()) for path in Path("outputs/fomm").glob("*"))
    for run, score in found.items():
        with Path(run, "metrics.csv").open() as file:
            values = [float(row["val/l1"]) for row in csv.DictReader(file) if row["val/l1"]]
        assert score == pytest.approx(min(values), rel=1e-4)


@pytest.mark.parametrize("name", sorted(path.stem for path in (conf_folder() / "sweep").glob("*.yaml")))
def test_a_sweep_of_the_config_group_names_settings_that_exist(name) -> None:
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        config = compose("train", overrides=[f"sweep={name}"], return_hydra_config=True)
        params = config.hydra.sweeper.params
        assert params
        for setting, values in params.items():
            parsed = OverridesParser.create().parse_override(f"{setting}={values}")
            first = parsed.value().start if parsed.is_interval_sweep() else next(parsed.sweep_iterator())
            compose("train", overrides=[f"{setting}={first}"])  # raises where there is no such setting


SWEEPS = sorted((conf_folder() / "sweep" / "agent").glob("*.yaml"))


def command_of(sweep: dict, arguments: dict) -> list[str]:
    """The command line that W&B's agent starts for one choice of the parameters."""
    values = create_sweep_command_args(
        {"args": {name: {"value": value} for name, value in arguments.items()}}
    )
    values |= {"env": ["/usr/bin/env"], "program": [sweep["program"]], "interpreter": ["python"]}
    command: list[str] = []
    for part in create_sweep_command(list(sweep["command"])):
        command += values[part[2:-1]] if part.startswith("${") else [part]
    return command


def chosen(parameter: dict) -> object:
    return parameter["values"][-1] if "values" in parameter else parameter["max"]


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_the_command_of_a_wandb_sweep_trains(path, monkeypatch) -> None:
    sweep = yaml.safe_load(path.read_text())
    arguments = {name: chosen(parameter) for name, parameter in sweep["parameters"].items()}
    command = command_of(sweep, arguments)
    assert command[:3] == ["/usr/bin/env", "python", "train.py"]
    assert (ROOT / sweep["program"]).is_file()

    # As the agent leaves it to the program: the run's id, the sweep's id, the chosen values in a file.
    parameters = Path("config.yaml")
    parameters.write_text(yaml.safe_dump({name: {"value": value} for name, value in arguments.items()}))
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_RUN_ID", "run0of3")
    monkeypatch.setenv("WANDB_SWEEP_ID", "sweep1")
    monkeypatch.setenv("WANDB_SWEEP_PARAM_PATH", str(parameters.resolve()))
    wandb.teardown()
    main([*command[3:], *(setting for setting in TINY if not setting.startswith("logger"))])
    log = WandbLog(runs()[0])
    (run,) = log.of("run")
    assert (run.run_id, run.sweep_id) == ("run0of3", "sweep1")
    assert log.config["model"]["optimizer"]["generator"]["lr"] == arguments["model.optimizer.generator.lr"]
    assert log.config["seed"] == arguments["seed"]
    goal = {"minimize": min, "maximize": max}[sweep["metric"]["goal"]]
    measured = [row[sweep["metric"]["name"]] for row in log.history if sweep["metric"]["name"] in row]
    assert log.summary[sweep["metric"]["name"]] == {goal.__name__: goal(measured)}
