import multiprocessing
import statistics

import pytest
import torch

from animate.ops.random import generator, mix, normal, numpy_generator


def test_mix_is_splitmix64():
    """The first outputs of splitmix64 from seed 0, as its authors publish them, halved to 63 bits."""
    from animate.ops import random

    state, outputs = 0, []
    for _ in range(3):
        outputs.append(random._finalise(state))
        state = (state + 0x9E3779B97F4A7C15) % 2**64
    assert outputs == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]


def test_mix_is_frozen_forever():
    """Checkpoints resume by these numbers: they must never change."""
    assert mix() == 8147104208329303767
    assert mix(0) == 5067071939936780946
    assert mix(1, 2, 3) == 1760698618495021253
    assert mix(-1) == mix(2**64 - 1) == 1074592209208804574


def test_mix_tells_order_number_and_value_apart():
    arguments = [(), (0,), (0, 0), (1,), (0, 1), (1, 0), (2,), (1, 1), (2**40,), (-1,)]
    assert len({mix(*a) for a in arguments}) == len(arguments)
    assert all(0 <= mix(seed, 7) < 2**63 for seed in range(1000))


def test_neighbouring_seeds_give_unrelated_draws():
    draws = [float(numpy_generator(seed).random()) for seed in range(4000)]
    assert statistics.mean(draws) == pytest.approx(0.5, abs=0.02)
    lagged = statistics.correlation(draws[:-1], draws[1:])
    assert abs(lagged) < 0.05


def test_mix_is_the_same_in_another_process():
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        assert pool.apply(mix, (5, 6)) == mix(5, 6)


def test_normal_of_a_sample_does_not_depend_on_its_batch():
    together = normal([3, 1, 2], (2, 5), 7, device="cpu")
    alone = normal([1], (2, 5), 7, device="cpu")
    assert together.shape == (3, 2, 5)
    assert together.dtype == torch.float32
    torch.testing.assert_close(together[1:2], alone, rtol=0, atol=0)


def test_normal_differs_by_seed_and_stream_and_is_standard():
    noise = normal([1, 2], (100_000,), 0, device="cpu")
    other = normal([1], (100_000,), 1, device="cpu")
    for sample in (*noise, *other):
        assert sample.mean().abs() < 0.02
        assert (sample.std() - 1).abs() < 0.02
    assert torch.corrcoef(torch.cat([noise, other]))[~torch.eye(3, dtype=torch.bool)].abs().max() < 0.02


def test_normal_of_scalars_and_of_no_sample():
    assert normal([1, 2], (), 0, device="cpu").shape == (2,)
    assert normal([], (3,), 0, device="cpu").shape == (0, 3)


def test_generator_streams():
    first = torch.rand(3, generator=generator(1, 2))
    assert torch.equal(first, torch.rand(3, generator=generator(1, 2)))
    assert not torch.equal(first, torch.rand(3, generator=generator(1, 3)))
