# ruff: noqa: ARG002  Lightning's hooks have the arguments that they have
import json
import logging
import multiprocessing
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from fake_clips import FakeIndex
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import nn

from animate.data.module import VideoDataModule
from animate.data.transforms import Augmentation
from animate.data.views import FramePair, Reconstruction
from animate.errors import UserError

AUGMENTATION = Augmentation(time_flip=0.5, horizontal_flip=0.5, resize=(0.9, 1.1), hue=0.3)


def data(index=None, **settings):
    defaults = {
        "image_size": 8,
        "batch_size": 4,
        "num_workers": 0,
        "repeats": 4,
        "augmentation": AUGMENTATION,
    }
    views = {"train_view": FramePair(), "eval_view": Reconstruction(frames=3)}
    return VideoDataModule(index or FakeIndex(), **(views | defaults | settings))


class Recorder(LightningModule):
    """Learns one number and writes down what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.seen: list[tuple] = []
        self.evaluated: list[str] = []

    def training_step(self, batch, batch_idx):
        self.seen.append((self.current_epoch, batch_idx, tuple(batch["seed"]), float(batch["frames"].sum())))
        return (batch["frames"].mean() - self.weight) ** 2

    def validation_step(self, batch, batch_idx):
        self.evaluated += batch["clip"]

    test_step = validation_step

    def predict_step(self, batch, batch_idx):
        return batch["clip"]

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)


class SaveAt(Callback):
    """Saves after this batch of this epoch, and stops there when asked to."""

    def __init__(self, path, epoch, batch, hook="on_train_batch_end") -> None:
        self.path, self.at, self.hook = path, (epoch, batch), hook

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        self._reached(trainer, (trainer.current_epoch, batch_idx), "on_train_batch_end")

    def on_validation_end(self, trainer, module):
        loop = trainer.fit_loop.epoch_loop
        self._reached(trainer, (trainer.current_epoch, loop.batch_idx), "on_validation_end")

    def on_train_epoch_end(self, trainer, module):
        self._reached(
            trainer, (trainer.current_epoch, trainer.num_training_batches - 1), "on_train_epoch_end"
        )

    def _reached(self, trainer, place, hook):
        if not trainer.sanity_checking and hook == self.hook and place == self.at:
            trainer.save_checkpoint(self.path)
            raise KeyboardInterrupt


def fit(datamodule, *callbacks, module=None, ckpt_path=None, epochs=3, **settings):
    module = module or Recorder()
    trainer = Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=epochs,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        callbacks=list(callbacks),
        **settings,
    )
    try:
        trainer.fit(module, datamodule=datamodule, ckpt_path=ckpt_path)
    except SystemExit:  # Lightning's answer to an interrupt
        assert callbacks
    return module


def whole_run(workers=0, accumulation=1, **settings):
    return fit(data(num_workers=workers), accumulate_grad_batches=accumulation, **settings)


def cut_run(path, place, workers=0, accumulation=1, hook="on_train_batch_end", **settings):
    """A run that is stopped at a place, and another process' worth of objects that goes on."""
    settings["accumulate_grad_batches"] = accumulation
    first = fit(data(num_workers=workers), SaveAt(path, *place, hook=hook), **settings)
    second = fit(data(num_workers=workers), ckpt_path=path, **settings)
    return first, second


# -- resume


@pytest.mark.parametrize(
    ("place", "accumulation", "workers"),
    [
        ((0, 2), 1, 0),
        ((1, 0), 1, 0),
        ((1, 4), 1, 0),
        ((1, 5), 1, 0),  # the last batch of an epoch
        ((1, 5), 2, 0),
        ((0, 3), 2, 0),
        ((1, 2), 1, 2),
        ((1, 5), 2, 2),
    ],
)
def test_a_run_that_was_stopped_sees_what_an_uninterrupted_one_does(tmp_path, place, accumulation, workers):
    whole = whole_run(workers, accumulation)
    assert len(whole.seen) == 3 * 6 * accumulation
    first, second = cut_run(tmp_path / "cut.ckpt", place, workers, accumulation)
    assert len(first.seen) == place[0] * 6 * accumulation + place[1] + 1
    assert first.seen + second.seen == whole.seen
    assert torch.equal(second.weight, whole.weight)


@pytest.mark.parametrize(
    ("hook", "epoch", "workers"),
    [
        ("on_validation_end", 0, 0),
        ("on_validation_end", 1, 0),
        ("on_validation_end", 1, 2),
        ("on_train_epoch_end", 0, 0),
        ("on_train_epoch_end", 1, 0),
    ],
)
def test_resume_from_the_end_of_an_epoch(tmp_path, hook, epoch, workers):
    whole = whole_run()
    first, second = cut_run(tmp_path / "cut.ckpt", (epoch, 5), workers, hook=hook)
    assert first.seen + second.seen == whole.seen
    assert torch.equal(second.weight, whole.weight)


def test_resume_from_a_validation_inside_an_epoch(tmp_path):
    whole = whole_run(val_check_interval=2)
    first, second = cut_run(tmp_path / "cut.ckpt", (1, 3), hook="on_validation_end", val_check_interval=2)
    assert first.seen + second.seen == whole.seen


def test_an_interrupted_validation_leaves_no_worker_behind(tmp_path):
    fit(data(num_workers=1), SaveAt(tmp_path / "cut.ckpt", 0, 5, hook="on_validation_end"))
    assert multiprocessing.active_children() == []


def test_a_run_can_be_stopped_twice(tmp_path):
    whole = whole_run()
    once, twice = tmp_path / "once.ckpt", tmp_path / "twice.ckpt"
    first = fit(data(), SaveAt(once, 0, 3))
    second = fit(data(), SaveAt(twice, 1, 1), ckpt_path=once)
    third = fit(data(), ckpt_path=twice)
    assert first.seen + second.seen + third.seen == whole.seen


def test_resume_with_limited_batches(tmp_path):
    whole = whole_run(limit_train_batches=3)
    first, second = cut_run(tmp_path / "cut.ckpt", (0, 2), limit_train_batches=3)
    assert len(whole.seen) == 9
    assert first.seen + second.seen == whole.seen


def test_resuming_does_not_warn_of_a_loader_that_cannot(tmp_path, recwarn):
    cut_run(tmp_path / "cut.ckpt", (1, 2))
    assert not [w for w in recwarn if "not resumable" in str(w.message)]


def test_the_position_counts_what_was_trained_on_and_not_what_workers_read_ahead(tmp_path):
    states = {}

    class Note(Callback):
        def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
            states[trainer.current_epoch, batch_idx] = trainer.datamodule.state_dict()

    fit(data(num_workers=1), Note(), epochs=2)
    assert states[0, 2] == {"epoch": 0, "batches": 3, "batches_per_epoch": 6}
    assert states[0, 5] == {"epoch": 1, "batches": 0, "batches_per_epoch": 6}
    assert states[1, 0] == {"epoch": 1, "batches": 1, "batches_per_epoch": 6}


def test_another_epoch_length_cannot_take_over_inside_an_epoch(tmp_path):
    path = tmp_path / "cut.ckpt"
    fit(data(), SaveAt(path, 1, 2))
    with pytest.raises(UserError, match=r"inside an epoch of 6 batches.*has 3 now"):
        fit(data(repeats=2), ckpt_path=path)


def test_a_second_fit_starts_anew():
    datamodule = data()
    assert fit(datamodule, epochs=1).seen == fit(datamodule, epochs=1).seen


# -- batches


@pytest.mark.parametrize("workers", [1, 3])
def test_workers_change_nothing(workers):
    assert whole_run(workers, epochs=2).seen == whole_run(0, epochs=2).seen


def test_accumulation_sees_the_same_samples_per_step():
    plain = [seeds for _, _, seeds, _ in whole_run(0, 1, epochs=2).seen]
    halves = [seeds for _, _, seeds, _ in whole_run(0, 2, epochs=2).seen]
    assert [first + second for first, second in zip(halves[::2], halves[1::2], strict=True)] == plain


def test_epochs_show_every_clip_equally_often_in_new_order():
    clips = []

    class Clips(Callback):
        def on_train_batch_start(self, trainer, module, batch, batch_idx):
            clips.extend(batch["clip"])

    fit(data(), Clips(), epochs=2)
    assert len(clips) == 48
    for epoch in (clips[:24], clips[24:]):
        assert {clip: epoch.count(clip) for clip in set(epoch)} == {f"clip{i}": 4 for i in range(6)}
    assert clips[:24] != clips[24:]


def test_a_batch_follows_the_conventions():
    batches = []

    class Batches(Callback):
        def on_train_batch_start(self, trainer, module, batch, batch_idx):
            batches.append(batch)

    truth = ("points", "visible", "person_mask", "identity")
    fit(data(train_view=FramePair(truth=truth), augmentation=None), Batches(), epochs=1)
    batch = batches[0]
    assert batch["frames"].shape == (4, 2, 3, 8, 8)
    assert batch["frames"].dtype == torch.float32
    clip = torch.tensor([float(name[4:]) for name in batch["clip"]])
    torch.testing.assert_close(batch["frames"][:, 0, 0, 0, 0] * 255, clip)
    torch.testing.assert_close(batch["frames"][:, :, 1, 0, 0] * 255, batch["frame_index"].float())
    torch.testing.assert_close(batch["frames"][0, 0, 2, 0] * 255, torch.arange(8.0))
    assert batch["person_mask"].shape == (4, 2, 1, 8, 8)
    assert batch["points"].shape == (4, 2, 2, 2)
    assert batch["visible"].dtype == torch.bool
    assert batch["identity"].tolist() == clip.long().tolist()
    assert "skipped" not in batch


def test_augmentation_happens_in_training_and_not_in_evaluation():
    seen = {}

    class Frames(Callback):
        def on_train_batch_start(self, trainer, module, batch, batch_idx):
            seen["train"] = batch["frames"]

        def on_validation_batch_start(self, trainer, module, batch, batch_idx, dataloader_idx=0):
            seen["val"] = batch["frames"]

    always = Augmentation(horizontal_flip=1.0)
    fit(data(augmentation=always), Frames(), epochs=1)
    assert (seen["train"][0, 0, 2, 0] * 255).tolist() == pytest.approx(list(range(7, -1, -1)))
    assert (seen["val"][0, 0, 2, 0] * 255).tolist() == pytest.approx(list(range(8)))


def test_overfitting_repeats_the_same_batch():
    seen = fit(data(), overfit_batches=1, epochs=3).seen
    assert len(seen) == 3
    assert len({(seeds, total) for _, _, seeds, total in seen}) == 1


def test_steps_per_epoch():
    assert data().steps_per_epoch == 6
    assert data(steps_per_epoch=50).steps_per_epoch == 50
    assert len(fit(data(steps_per_epoch=9, repeats=1), epochs=1).seen) == 9
    people = FakeIndex(6, subject=lambda i: f"person{i // 3}")
    assert data(people, id_sampling=True).steps_per_epoch == 2
    assert data(people).steps_per_epoch == 6


def test_too_few_samples_and_indivisible_batches_are_refused():
    with pytest.raises(UserError, match=r"6 clips x 1 repeats.*data.repeats"):
        fit(data(repeats=1, batch_size=7))
    with pytest.raises(UserError, match=r"data.batch_size=4.*3 accumulated batches"):
        fit(data(), accumulate_grad_batches=3)
    with pytest.raises(UserError, match=r"data.image_size=0"):
        data(image_size=0)


# -- evaluation


def test_evaluation_takes_each_clip_once_without_augmentation():
    module = Recorder()
    trainer = Trainer(
        logger=False, accelerator="cpu", enable_progress_bar=False, use_distributed_sampler=False
    )
    datamodule = data(FakeIndex(val=5, test=7), eval_batch_size=2)
    trainer.validate(module, datamodule=datamodule, verbose=False)
    assert sorted(module.evaluated) == [f"clip{i}" for i in range(5)]
    module.evaluated.clear()
    trainer.test(module, datamodule=datamodule, verbose=False)
    assert sorted(module.evaluated) == [f"clip{i}" for i in range(7)]
    predicted = trainer.predict(module, datamodule=datamodule)
    assert sorted(clip for batch in predicted for clip in batch) == [f"clip{i}" for i in range(7)]


# -- clips that cannot be read


def test_a_broken_clip_is_told_once_and_counted(caplog):
    batches = []

    class Batches(Callback):
        def on_train_batch_start(self, trainer, module, batch, batch_idx):
            batches.append(batch)

    datamodule = data(FakeIndex(20, broken=[3]), repeats=2)
    with caplog.at_level(logging.WARNING):
        fit(datamodule, Batches(), epochs=2)
    assert datamodule.skipped == {"train/clip3": "clip3: the file is damaged"}
    told = [reason for batch in batches for reason in batch.get("skipped", [])]
    assert told == ["train/clip3: clip3: the file is damaged"] * len(told)
    assert len(told) >= 4
    assert not any("clip3" in batch["clip"] for batch in batches)
    assert len([r for r in caplog.records if "train/clip3" in r.getMessage()]) == 1


@pytest.mark.parametrize("workers", [0, 1])
def test_too_many_broken_clips_stop_the_run_in_one_line(workers):
    broken = data(FakeIndex(20, broken=range(5)), num_workers=workers, root="/some/where")
    with pytest.raises(UserError) as error:
        fit(broken)
    message = str(error.value)
    assert "\n" not in message
    assert "of 23 clips" in message or "of 26 clips" in message
    for part in ("/some/where", "train/clip", "the file is damaged", "data.max_skipped_share=0.1"):
        assert part in message


def test_a_larger_share_may_be_allowed():
    fit(data(FakeIndex(20, broken=range(5)), max_skipped_share=0.3), epochs=1)


def test_nothing_readable_stops_with_one_line():
    with pytest.raises(UserError, match=r"no readable clip.*train/clip0") as error:
        fit(data(FakeIndex(broken=range(6)), max_skipped_share=1.0))
    assert "\n" not in str(error.value)


def test_what_the_index_left_out_is_told(caplog):
    index = FakeIndex()
    index.problems.append("torn.mp4: not a video")
    with caplog.at_level(logging.WARNING):
        fit(data(index), epochs=1)
    assert caplog.text.count("skipped: torn.mp4: not a video") == 1


# -- two processes


def test_two_ranks_share_each_global_batch_and_each_evaluation_clip(tmp_path):
    """5 validation clips on 2 ranks, with a network that has buffers: uneven shards would hang here."""
    script = Path(__file__).with_name("two_ranks.py")
    done = subprocess.run([sys.executable, script, tmp_path], timeout=300, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    ranks = [json.loads((tmp_path / f"rank{rank}.json").read_text()) for rank in (0, 1)]
    together = [tuple(a + b) for a, b in zip(*(rank["trained"] for rank in ranks), strict=True)]
    assert together == [seeds for _, _, seeds, _ in whole_run(epochs=1).seen]
    assert sorted(ranks[0]["evaluated"] + ranks[1]["evaluated"]) == [f"clip{i}" for i in range(5)]
    # A rank that has fewer batches, because a clip of its own cannot be read, keeps nobody waiting.
    assert [rank["readable"] for rank in ranks] == [2 * ["clip0", "clip1", "clip3"], 2 * ["clip4"]]
    for rank in (0, 1):
        refusal = (tmp_path / f"error{rank}.txt").read_text()
        assert refusal.startswith("UserError: 1 val clips cannot be shared by 2 devices")
