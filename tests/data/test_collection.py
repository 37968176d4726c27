"""The garbage collector is on again, or as it was."""

import gc

import pytest

from animate.data.collection import without_collection


def test_the_collector_pauses_and_comes_back():
    def fail():
        with without_collection():
            assert not gc.isenabled()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off():
    gc.disable()
    try:
        with without_collection():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
