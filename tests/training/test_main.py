"""The command line: one line and exit code 2 for what the user can mend; run folders and what is in them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from media import gif_folder
from omegaconf import OmegaConf

from animate import checkpoints
from animate.errors import UserError
from animate.training import app, main
from cli import ROOT, TINY, refused, rows, runs

pytestmark = pytest.mark.usefixtures("workplace")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["experiment=fomm_mgiff"], "no experiment=fomm_mgiff; did you mean fomm_mgif"),
        (["loger=csv"], "did you mean logger"),
        (["data=vidoes"], "no data=vidoes; did you mean videos? (known: "),
        ([*TINY, "trainer.max_epoch=3"], "no setting 'trainer.max_epoch'; did you mean trainer.max_epochs"),
        ([*TINY, "model.optimizer.generatr.lr=1"], "did you mean model.optimizer.generator.lr"),
        ([*TINY, "trainer.max_epochs=["], "cannot read the override 'trainer.max_epochs=['"),
        ([*TINY, "+model.networks.num_keypoins=3"], "unknown argument num_keypoins"),
        ([*TINY, "model.networks.num_keypoints=abc"], "num_keypoints must be a whole number"),
        ([*TINY, "model.optimizer.generator.lr=1e-4,2e-4"], "--multirun"),
        ([*TINY, "data.root=nowhere"], "data.root: folder 'nowhere' is not there"),
        ([*TINY, "data.batch_size=0"], "data.batch_size=0"),
        ([*TINY, "trainer.precision=16-mixed"], "trainer.precision=16-mixed needs a GPU"),
        ([*TINY, "trainer.accelerator=abacus"], "abacus"),
        ([*TINY, "resume=last"], "nothing to resume"),
        ([*TINY, "resume=nowhere"], "resume=nowhere: no such run folder or checkpoint"),
        ([*TINY, "resume=data"], "there is no checkpoints/last.ckpt in that folder"),
        ([*TINY, "init_from=nowhere.ckpt"], "nowhere.ckpt"),
        ([*TINY, "resume=last", "init_from=x.ckpt"], "exclude each other"),
        ([*TINY, "paths.outputs=data/train/clip0.gif/x"], "set paths.outputs"),
        ([*TINY, "model.freeze=[networks.nothing]"], "matches no parameter"),
        (
            [*TINY, "model.freeze=[networks.generator]"],
            "networks.generator is not trained here and has random",
        ),
        ([*TINY, "channels_last=5"], "channels_last must be true or false, not 5"),
        (
            ["experiment=pose2vid_puppets", "model.networks=3"],
            "model.networks must be settings whose _target_",
        ),
        (["experiment=pose2vid_puppets", "data.train_view=abc"], "data.train_view must be settings whose"),
        ([*TINY, "trainer.max_epochs=abc"], "trainer.max_epochs must be a whole number or null, not 'abc'"),
        ([*TINY, "model.optimizer.generator.lr=-1"], "model.optimizer.generator.lr=-1: a learning rate"),
        ([*TINY, "model.optimizer.generator.betas=[1,2]"], "model.optimizer.generator.betas=[1, 2]: two"),
        ([*TINY, "model.networks=abc"], "model.networks must be settings whose _target_ makes First"),
        (
            [*TINY, "data.train_view=abc"],
            "data.train_view must be settings whose _target_ makes View, not 'abc'",
        ),
        ([*TINY, "callbacks.samples=abc"], "callbacks.samples must be settings with a _target_ or null"),
        ([*TINY, "data.train_view={a: 1}"], "there is no setting 'data.train_view.a'"),
        ([*TINY, "model.perceptual.scales=0"], "model.perceptual.scales=0: must be at least 1"),
        ([*TINY, "trainer.accumulate_grad_batches=0"], "trainer.accumulate_grad_batches=0: must be"),
        ([*TINY, "trainer.devices=abc"], "trainer: `devices` selected with `CPUAccelerator` should be"),
        ([*TINY, "data.num_workers=-1"], "data.num_workers=-1: must be at least 0"),
        ([*TINY, "data._target_=nowhere.Thing"], "data: Error loading 'nowhere.Thing'"),
        ([*TINY, "data=3"], "a group takes the name of one of its files, like data=videos"),
        ([*TINY, "experiment_name=null"], "experiment_name must be set"),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_what_the_user_can_mend_is_one_line(capfd, overrides, message) -> None:
    assert message in refused(capfd, *overrides)


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({}, "weights, but not how far a training came; begin with init_from=run/checkpoints/last.ckpt"),
        ({"animate": None}, "is a Lightning checkpoint, but not one of animate"),
    ],
    ids=["weights only", "another tool's"],
)
def test_resume_of_what_is_no_training_touches_nothing(capfd, extra, message) -> None:
    networks = {"image_size": 32, "motion_size": 32}
    saved = {"state_dict": {}, "animate": dict(checkpoints.describe("fomm", networks)), **extra}
    run = Path("run")
    run.joinpath("checkpoints").mkdir(parents=True)
    torch.save(saved, run / "checkpoints" / "last.ckpt")
    run.joinpath("config.yaml").write_text("mine: 1\n")
    assert message in refused(capfd, *TINY, "resume=run")
    assert run.joinpath("config.yaml").read_text() == "mine: 1\n"


@pytest.mark.skipif(
    torch.cuda.is_available(), reason="this machine has the GPU that the test wants to be missing"
)
def test_a_gpu_that_is_not_there_is_one_line(capfd) -> None:
    assert "gpu" in refused(capfd, *TINY, "trainer.accelerator=gpu").lower()


def test_a_defect_keeps_its_traceback(monkeypatch) -> None:
    def broken(_config):
        raise ZeroDivisionError("a defect of ours")

    with pytest.raises(ZeroDivisionError, match="a defect of ours"):
        app.launch(broken, "train", TINY)


def test_any_folder_name_works() -> None:
    name = "with space, a=b (größe)"
    root = gif_folder(Path(name))
    own = [*TINY, f"data.root='{root}'", f"paths.outputs='{name}/outputs'"]
    main([*own, "trainer.limit_val_batches=1"])
    (folder,) = sorted(Path(name, "outputs").glob("*/*"))
    main([*own, f"resume='{folder}'", "trainer.max_epochs=2"])
    assert {row["epoch"] for row in rows(folder)} == {"0.0", "1.0"}


def test_a_run_folder_holds_what_belongs_in_it() -> None:
    main([*TINY, "seed=3", "callbacks=ema", "callbacks.checkpoints.every_n_epochs=1", "trainer.max_epochs=2"])
    (folder,) = runs()
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    kept = {f"checkpoints/{name}.ckpt" for name in ("last", "best", "epoch_0001", "epoch_0002")}
    pictures = {f"samples/epoch_000{n}.{kind}" for n in (1, 2) for kind in ("png", "mp4")}
    assert found == kept | pictures | {"config.yaml", "metrics.csv"}
    config = OmegaConf.load(folder / "config.yaml")
    assert config.seed == config.data.seed == 3
    assert config.callbacks.checkpoints.folder == str(folder.resolve() / "checkpoints")
    scores = [float(row["val/l1"]) for row in rows(folder) if row["val/l1"]]
    assert len(scores) == 2
    saved = torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)
    assert min(scores) == pytest.approx(saved["callbacks"]["Checkpoints"]["best"])


def test_channels_last_is_the_same_training() -> None:
    main([*TINY, "experiment_name=first", "channels_last=false"])
    main([*TINY, "experiment_name=last"])
    first, last = runs()
    losses = [[float(row["train/loss"]) for row in rows(run) if row["train/loss"]] for run in (first, last)]
    assert len(losses[0]) == 3
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    saved = torch.load(last / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    kernels = [value for value in saved.values() if value.dim() == 4 and min(value.shape[1:]) > 1]
    assert kernels
    assert all(value.is_contiguous(memory_format=torch.channels_last) for value in kernels)


def test_checkpoints_describe_themselves_and_hold_the_averaged_weights() -> None:
    main([*TINY, "callbacks=ema", "callbacks.ema.decay=0.5"])
    path = runs()[0] / "checkpoints" / "last.ckpt"
    saved = torch.load(path, weights_only=True)
    networks = checkpoints.load(path)
    assert networks.arguments["num_keypoints"] == 3
    for key, value in networks.state_dict().items():
        assert torch.equal(value, saved["state_dict"][f"networks.{key}"])
    raw = saved["current_model_state"]
    assert any(not torch.equal(raw[f"networks.{key}"], value) for key, value in networks.state_dict().items())


def test_two_runs_of_one_second_have_folders_of_their_own() -> None:
    for _ in range(2):
        main([*TINY, "trainer.limit_val_batches=0", "trainer.max_steps=1"])
    assert len(runs()) == 2


def test_resume_goes_on_in_the_same_folder_and_equals_a_run_that_never_stopped(tmp_path) -> None:
    main([*TINY, "experiment_name=whole", "trainer.max_epochs=3"])
    main([*TINY, "experiment_name=parts", "trainer.max_epochs=1"])
    first_id = OmegaConf.load(runs()[0] / "config.yaml").run_id
    main([*TINY, "experiment_name=parts", "trainer.max_epochs=3", "resume=last"])
    parts, whole = runs()
    assert parts.parent.name == "parts"
    assert OmegaConf.load(parts / "config.yaml").run_id == first_id
    assert [r["train/loss"] for r in rows(parts)] == [r["train/loss"] for r in rows(whole)]
    ours, theirs = (
        torch.load(p / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"] for p in (parts, whole)
    )
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_resume_says_what_is_different(capfd) -> None:
    main(TINY)
    main([*TINY, "trainer.max_epochs=2", "model.gamma=0.5", "resume=last"])
    assert "model.gamma: 0.1 -> 0.5; trainer.max_epochs: 1 -> 2" in capfd.readouterr().out


@pytest.mark.parametrize("change", ["model.networks.num_keypoints=4", "model.freeze=[networks.generator]"])
def test_resume_of_another_model_is_one_line(capfd, change) -> None:
    main(TINY)
    capfd.readouterr()
    with pytest.raises(SystemExit) as stopped:
        main([*TINY, change, "resume=last"])
    assert stopped.value.code == 2
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 1
    assert f"began with another model: {change.partition('=')[0]}: " in lines[0]
    assert runs()[0].joinpath("checkpoints", "last.ckpt").is_file()


def test_init_from_takes_the_weights_and_starts_anew() -> None:
    main(TINY)
    first = runs()[0] / "checkpoints" / "last.ckpt"
    main([*TINY, "experiment_name=second", f"init_from={first}", "model.optimizer.generator.lr=0"])
    second = sorted(Path("outputs/second").glob("*"))[0] / "checkpoints" / "last.ckpt"
    before, after = (torch.load(path, weights_only=True) for path in (first, second))
    weights = [name for name, _ in checkpoints.load(first).generator.named_parameters()]
    assert all(
        torch.equal(
            before["state_dict"][f"networks.generator.{n}"], after["state_dict"][f"networks.generator.{n}"]
        )
        for n in weights
    )
    assert after["global_step"] == 3


def test_a_loss_that_is_not_a_number_stops_with_the_clips(capfd) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([*TINY, "model.optimizer.generator.lr=1e30", "trainer.max_epochs=5"])
    assert stopped.value.code == 2
    line = capfd.readouterr().err.splitlines()[-1]
    assert re.search(r"at step [2-9] the loss is not finite \(train/\w+ (nan|inf)", line)
    assert re.search(r"; the batch: data/train/clip[01]\.gif \(frames [0-4], [0-4]\), data/train/clip", line)


def test_a_feature_network_without_a_weight_is_not_fetched(monkeypatch, capfd) -> None:
    def fetch(name):
        raise UserError(f"{name} is out of reach")

    monkeypatch.setattr("animate.checkpoints.weights.fetch", fetch)
    downloaded = [entry for entry in TINY if entry != "perceptual=random"] + ["perceptual=vgg19"]
    main([*downloaded, "model.loss_weights.perceptual=0", "trainer.fast_dev_run=true"])
    capfd.readouterr()
    assert "vgg19 is out of reach" in refused(capfd, *downloaded)


def test_too_many_broken_clips_are_one_line(capfd) -> None:
    for number in range(2):
        Path(f"data/train/clip{number}.gif").write_bytes(b"GIF89a but no more")
    assert "2 of 3 clips in 'data' cannot be read" in refused(capfd, *TINY)


def test_a_sweep_goes_on_after_a_failed_job_and_ends_with_2(capfd) -> None:
    sweep = ["-m", *TINY, "seed=1,2", "data.batch_size=2,0", "trainer.limit_val_batches=0"]
    with pytest.raises(SystemExit) as stopped:
        main(sweep)
    assert stopped.value.code == 2
    err = capfd.readouterr().err
    assert err.count("animate: error: data.batch_size=0") == 2
    trained = [OmegaConf.load(folder / "config.yaml") for folder in sorted(Path("outputs/fomm").glob("*"))]
    assert [config.seed for config in trained] == [1, 2]


def test_a_sweep_of_two_by_two_trains_four_models() -> None:
    main(["-m", *TINY, "seed=1,2", "model.optimizer.generator.lr=1e-4,2e-4", "trainer.limit_val_batches=0"])
    found = {
        (config.seed, config.model.optimizer.generator.lr)
        for config in (OmegaConf.load(folder / "config.yaml") for folder in Path("outputs/fomm").glob("*"))
    }
    assert found == {(1, 1e-4), (1, 2e-4), (2, 1e-4), (2, 2e-4)}


def test_a_sweep_can_be_a_file(capfd) -> None:
    main(["-m", *TINY, "sweep=lr_seed", "trainer.fast_dev_run=true"])
    assert "Launching 4 jobs" in capfd.readouterr().out


def test_bf16_trains_on_a_cpu_and_keeps_its_weights_in_float32() -> None:
    main([*TINY, "trainer.precision=bf16-mixed"])
    saved = torch.load(runs()[0] / "checkpoints" / "last.ckpt", weights_only=True)
    assert {v.dtype for v in saved["state_dict"].values()} == {torch.float32, torch.int64}
    assert float(next(row["val/l1"] for row in rows(runs()[0]) if row["val/l1"])) < 1


def test_max_time_ends_a_run_that_can_be_resumed() -> None:
    main([*TINY, "trainer.max_epochs=-1", "trainer.max_time=00:00:00:01", "data.steps_per_epoch=1000"])
    (folder,) = runs()
    saved = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    steps = saved["global_step"]
    assert 0 < steps < 1000
    main(
        [
            *TINY,
            "resume=last",
            "data.steps_per_epoch=1000",
            f"trainer.max_steps={steps + 2}",
            "trainer.max_epochs=-1",
        ]
    )
    saved = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    assert (saved["global_step"], saved["epoch"]) == (steps + 2, 0)


def test_a_worker_exception_is_cut_to_its_last_line() -> None:
    from animate.training.complaints import explain

    trace = "Caught UserError in DataLoader worker process 0.\nOriginal Traceback:\n  File 'x'"
    error = UserError(f"{trace}\nanimate.errors.UserError: clip a: gone")
    assert explain(error, "train") == "clip a: gone"


def test_the_first_command_of_the_readme_on_a_tiny_folder_of_gifs(tmp_path) -> None:
    """In a process of its own and with the real networks at their real size."""
    gif_folder(tmp_path / "data" / "moving-gif")
    command = [sys.executable, str(ROOT / "train.py"), "experiment=fomm_mgif", "debug=fast"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "val/l1" in done.stdout + done.stderr


def test_animate_train_is_the_same_program(capfd) -> None:
    from animate.cli import main as animate

    with pytest.raises(SystemExit) as stopped:
        animate(["train", *TINY, "trainer.max_epoch=3"])
    assert stopped.value.code == 2
    assert "did you mean trainer.max_epochs" in capfd.readouterr().err
    assert animate(["train", "-m", *TINY, "seed=1,2", "trainer.fast_dev_run=true"]) == 0
    with pytest.raises(SystemExit) as stopped:
        animate(["score", "checkpoint=none.ckpt", "data=puppets"])
    assert stopped.value.code == 2
    assert "none.ckpt: no such file" in capfd.readouterr().err
