"""Two processes for all tests of metrics: each would import torch for itself otherwise."""

from __future__ import annotations

from itertools import count
from multiprocessing import get_context
from typing import TYPE_CHECKING

import pytest
from process_group import in_group

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 300  # seconds for both to begin and to answer, on a machine that has other work too


@pytest.fixture(scope="session")
def on_two_processes(tmp_path_factory):
    """Call a function of a module as ``function(rank, *arguments)`` on both processes of a group."""
    folder, numbers, context = tmp_path_factory.mktemp("stores"), count(), get_context("spawn")

    with context.Pool(1) as first, context.Pool(1) as second:

        def call(function: Callable, *arguments) -> None:
            store = f"file://{folder / str(next(numbers))}"
            running = [
                pool.apply_async(in_group, (function, rank, store, *arguments))
                for rank, pool in enumerate((first, second))
            ]
            for result in running:
                result.get(PATIENCE)

        yield call
