from __future__ import annotations

import threading

import pytest

from animate.pipelines.stream import ahead, batched


def test_batches_keep_everything_in_order():
    assert list(batched(iter(range(7)), 3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(batched([], 3)) == []
    with pytest.raises(ValueError, match="at least 1"):
        list(batched([1], 0))


def test_ahead_keeps_everything_in_order():
    assert list(ahead(iter(range(100)), 3)) == list(range(100))
    assert list(ahead([], 3)) == []


def test_ahead_raises_what_the_source_raised_in_its_place():
    def failing():
        yield 1
        yield 2
        raise OSError("the third is broken")

    seen = []
    with pytest.raises(OSError, match="third"):
        seen.extend(ahead(failing(), 5))
    stream = ahead(failing(), 5)
    assert [next(stream), next(stream)] == [1, 2]


def test_ahead_is_bounded_and_computes_in_advance():
    produced = []
    reached = threading.Event()

    def items():
        for number in range(1000):
            produced.append(number)
            if number == 4:
                reached.set()
            yield number

    stream = ahead(items(), 4)
    assert next(stream) == 0
    assert reached.wait(10)  # item 4 was computed although only item 0 was asked for
    assert len(produced) <= 6  # one taken, four queued, one in hand
    stream.close()


def test_closing_early_ends_the_thread_and_closes_the_source():
    closed = threading.Event()

    def items():
        try:
            while True:
                yield bytes(10)
        finally:
            closed.set()

    before = threading.active_count()
    stream = ahead(items(), 2)
    next(stream)
    stream.close()
    assert closed.is_set()
    assert threading.active_count() == before
