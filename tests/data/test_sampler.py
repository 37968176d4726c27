from collections import Counter

import pytest

from animate.data.sampler import (
    EVALUATION,
    BatchPlan,
    EvaluationBatchSampler,
    GlobalBatchSampler,
    Position,
    SampleKey,
    derive_steps,
    epoch_order,
)
from animate.errors import UserError


def sampler(plan=None, *, items=20, steps=5, seed=3, **settings):
    return GlobalBatchSampler(items, steps, plan or BatchPlan(4), seed=seed, **settings)


def steps_of(devices, accumulation):
    """For each optimiser step: the samples that all ranks and micro-batches contain together, in order."""
    plan = BatchPlan(4, devices, accumulation)
    ranks = [list(sampler(plan, rank=rank)) for rank in range(devices)]
    assert all(len(batch) == plan.micro_batch for batches in ranks for batch in batches)
    steps = []
    for first in range(0, len(ranks[0]), accumulation):
        window = range(first, first + accumulation)
        steps.append([key for b in window for rank in ranks for key in rank[b]])
    return steps


@pytest.mark.parametrize(("devices", "accumulation"), [(2, 1), (1, 2), (2, 2), (4, 1), (1, 4)])
def test_an_optimiser_step_sees_the_same_samples_however_it_is_cut(devices, accumulation):
    assert steps_of(devices, accumulation) == steps_of(1, 1)


def test_an_epoch_is_a_permutation_and_epochs_differ():
    batches = sampler()
    orders = []
    for epoch in range(3):
        batches.set_epoch(epoch)
        keys = [key for batch in batches for key in batch]
        assert {key.epoch for key in keys} == {epoch}
        assert sorted(key.number for key in keys) == list(range(20))
        orders.append([key.number for key in keys])
    assert len({tuple(order) for order in orders}) == 3
    assert orders[0] != list(range(20))


def test_the_seed_decides():
    assert list(sampler(seed=3)) == list(sampler(seed=3))
    assert list(sampler(seed=3)) != list(sampler(seed=4))


def test_an_order_beyond_the_items_repeats_clips_evenly_under_new_numbers():
    order = epoch_order(0, 0, items=5, length=12)
    assert len(set(order.tolist())) == 12
    assert Counter(order % 5).most_common()[-1][1] >= 2
    assert sorted(order[:5]) == list(range(5))
    assert sorted(order[5:10]) == list(range(5, 10))
    assert (order[5:10] % 5).tolist() != order[:5].tolist()


def test_a_shorter_order_begins_like_the_full_one():
    assert epoch_order(0, 1, 9, 4).tolist() == epoch_order(0, 1, 9, 9)[:4].tolist()


@pytest.mark.parametrize("start", range(6))
def test_starting_inside_an_epoch_gives_the_rest_of_it(start):
    whole = list(sampler())
    assert list(sampler(position=Position(0, start))) == whole[start:]


def test_the_length_is_that_of_the_whole_epoch_wherever_it_starts():
    assert len(sampler(BatchPlan(4, accumulation=2), position=Position(0, 3))) == 10


def test_set_epoch_keeps_the_position_inside_the_current_epoch_and_leaves_it_for_another():
    batches = sampler(position=Position(2, 3))
    batches.set_epoch(2)
    assert batches.position == (2, 3)
    batches.set_epoch(3)
    assert batches.position == (3, 0)


def test_lightning_finds_set_epoch():
    """Lightning looks at ``dataloader.sampler`` and at ``dataloader.batch_sampler.sampler`` only."""
    from lightning_fabric.utilities.data import _set_sampler_epoch
    from torch.utils.data import DataLoader

    batches = sampler()
    _set_sampler_epoch(DataLoader(range(3), batch_sampler=batches), 7)
    assert batches.position == (7, 0)


def test_an_iterator_belongs_to_the_position_at_which_it_was_made():
    batches = sampler()
    iterator = iter(batches)
    batches.set_epoch(1)
    assert next(iterator)[0].epoch == 0


def test_same_every_epoch():
    batches = sampler(same_every_epoch=True)
    first = list(batches)
    batches.set_epoch(5)
    assert list(batches) == first


@pytest.mark.parametrize(("size", "devices", "accumulation"), [(5, 2, 1), (4, 1, 3), (6, 2, 2), (0, 1, 1)])
def test_a_batch_that_does_not_divide_is_refused(size, devices, accumulation):
    with pytest.raises(UserError, match=rf"data.batch_size={size}.*multiple of {devices * accumulation}"):
        BatchPlan(size, devices, accumulation)


def test_steps_drop_the_incomplete_batch():
    assert derive_steps(11, 4, "") == 2
    assert derive_steps(4, 4, "") == 1


def test_too_few_samples_say_what_to_set():
    with pytest.raises(
        UserError, match=r"3 clips x 1 repeats.*data.repeats.*data.batch_size.*steps_per_epoch"
    ):
        derive_steps(3, 4, "3 clips x 1 repeats")


@pytest.mark.parametrize("devices", [1, 2, 3, 8])
@pytest.mark.parametrize("batch_size", [1, 2, 5])
@pytest.mark.parametrize("clips", [8, 9, 13, 31, 100])
def test_evaluation_takes_each_clip_once_in_equally_many_batches(clips, batch_size, devices):
    ranks = [list(EvaluationBatchSampler(clips, batch_size, rank, devices)) for rank in range(devices)]
    keys = [key for rank in ranks for batch in rank for key in batch]
    assert sorted(keys) == [SampleKey(EVALUATION, clip) for clip in range(clips)]
    assert len({len(rank) for rank in ranks}) == 1
    sizes = [len(batch) for rank in ranks for batch in rank]
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) >= 1
    assert max(sizes) <= batch_size + (
        1 if clips < devices * len(ranks[0]) * batch_size or batch_size == 1 else 0
    )


def test_five_clips_on_two_ranks():
    sizes = [[len(batch) for batch in EvaluationBatchSampler(5, 1, rank, 2)] for rank in (0, 1)]
    assert sizes == [[2, 1], [1, 1]]


def test_evaluation_on_one_device_keeps_the_batch_size():
    assert [len(batch) for batch in EvaluationBatchSampler(5, 1, 0, 1)] == [1] * 5
