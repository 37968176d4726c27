"""Timings of the parts that cost: ``python -m benchmarks`` (see ``--help``). Never part of the tests.

``python -m benchmarks.matte_smoothing`` measures not time but mattes.
"""
