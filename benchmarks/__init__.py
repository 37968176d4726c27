"""Timings of the parts that cost: ``python -m benchmarks`` (see ``--help``). Never part of the tests."""
