"""Evaluation of whole clips: every frame once, in order, whatever reads it and however it is shared."""

import logging

import numpy as np
import pytest
from clip_files import levels, write_gif, write_video
from fake_clips import FakeIndex
from test_module import Recorder, data

from animate.data.index import FolderIndex
from animate.data.views import FramePair, Reconstruction, WholeClip
from animate.errors import UserError
from spoiled import spoil_packets


def batches_of(datamodule):
    return [datamodule.on_after_batch_transfer(batch, 0) for batch in datamodule.test_dataloader()]


def shared(index, devices, **settings):
    """What each of several ranks is given."""

    class Rank:
        world_size, num_devices, overfit_batches = devices, 1, 0

        class strategy:  # noqa: N801
            class root_device:  # noqa: N801
                type = "cpu"

    ranks = []
    for rank in range(devices):
        module = data(index, eval_view=WholeClip(frames=8), **settings)
        module.trainer = Rank()
        module.trainer.global_rank = rank
        ranks.append(batches_of(module))
    return ranks


def of_clip(batch):
    return batch["clip"][0], batch["frame_index"][0].tolist(), batch["seed"]


@pytest.mark.parametrize("workers", [0, 2])
def test_every_frame_of_every_clip_in_order_with_the_first_frame_as_source(workers):
    batches = batches_of(data(FakeIndex(test=3), eval_view=WholeClip(frames=8), num_workers=workers))
    seen = [(batch["clip"][0], batch["frame_index"][0].tolist()) for batch in batches]
    chunks = [[0, *range(8)], [0, *range(8, 16)], [0, *range(16, 20)]]
    assert seen == [(f"clip{i}", chunk) for i in range(3) for chunk in chunks]
    for batch in batches:
        pixels = (batch["frames"][0, :, 1, 0, 0] * 255).round()
        assert pixels.tolist() == batch["frame_index"][0].tolist()


def test_ranks_share_clips_unpadded_and_see_what_one_would():
    index = FakeIndex(test=5)
    alone = [of_clip(batch) for batch in batches_of(data(index, eval_view=WholeClip(frames=8)))]
    ranks = [[of_clip(batch) for batch in rank] for rank in shared(index, 2)]
    assert sorted(map(str, ranks[0] + ranks[1])) == sorted(map(str, alone))
    names = [{name for name, *_ in rank} for rank in ranks]
    assert names == [{"clip0", "clip2", "clip4"}, {"clip1", "clip3"}]


def test_annotations_are_read_along():
    (batch,) = batches_of(data(FakeIndex(test=1), eval_view=WholeClip(frames=32, truth=["person_mask"])))
    assert batch["person_mask"].shape == (1, 21, 1, 8, 8)


def test_a_chunk_holds_a_frame():
    with pytest.raises(UserError, match="chunk=0"):
        WholeClip(frames=0)


@pytest.fixture
def folder(tmp_path):
    """Three good clips and one that breaks in the middle."""
    for name in ("a", "c"):
        write_video(tmp_path / f"test/{name}.mp4", 20)
    write_gif(tmp_path / "test/d.gif", 9)
    spoil_packets(write_video(tmp_path / "test/b.mp4", 20), [14])
    return FolderIndex(tmp_path, max_broken_share=1.0)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_clip_that_breaks_in_the_middle_is_left_out_as_a_whole_and_named(folder, caplog, workers):
    module = data(folder, eval_view=WholeClip(frames=8), num_workers=workers, max_skipped_share=1.0)
    with caplog.at_level(logging.WARNING):
        batches = batches_of(module)
    frames = {}
    for batch in batches:
        pixels = (batch["frames"][0, 1:] * 255).round().permute(0, 2, 3, 1).numpy().astype(np.uint8)
        frames.setdefault(batch["clip"][0], []).extend(levels(pixels))
    assert frames == {"a.mp4": list(range(20)), "c.mp4": list(range(20)), "d.gif": list(range(9))}
    (name,) = module.skipped
    assert name == "test/b.mp4"
    assert "of 20 frames cannot be decoded" in module.skipped[name]
    assert sum("test/b.mp4" in record.getMessage() for record in caplog.records) == 1


def test_too_many_broken_clips_stop_an_evaluation_too(folder):
    with pytest.raises(UserError, match=r"1 of 4 clips cannot be read.*max_skipped_share=0.1"):
        batches_of(data(folder, eval_view=WholeClip()))


class BrokenTest(FakeIndex):
    """The numbers in ``broken`` cannot be read in evaluation either."""

    def clips(self, split):
        return FakeIndex.clips(self, "train")[: self.counts[split]]


@pytest.mark.parametrize("view", [WholeClip(), Reconstruction(frames=3)])
def test_when_nothing_can_be_read_that_is_said(view):
    module = data(BrokenTest(test=2, broken=range(2)), eval_view=view, max_skipped_share=1.0)
    with pytest.raises(UserError, match=r"none of the clips can be read; the first: test/clip0: .*damaged"):
        list(module.test_dataloader())


@pytest.mark.parametrize("size", [1, 2, 4])
def test_a_sampled_evaluation_leaves_a_broken_clip_out_and_nothing_counts_twice(size):
    index = BrokenTest(test=4, broken=[1])
    module = data(index, eval_batch_size=size, max_skipped_share=1.0, train_view=FramePair())
    assert [clip for batch in batches_of(module) for clip in batch["clip"]] == ["clip0", "clip2", "clip3"]
    assert list(module.skipped) == ["test/clip1"]


def test_a_trainer_takes_it():
    from pytorch_lightning import Trainer

    recorder = Recorder()
    trainer = Trainer(
        logger=False, accelerator="cpu", enable_progress_bar=False, use_distributed_sampler=False
    )
    trainer.test(recorder, datamodule=data(FakeIndex(test=2), eval_view=WholeClip(frames=8)), verbose=False)
    assert recorder.evaluated == ["clip0"] * 3 + ["clip1"] * 3
