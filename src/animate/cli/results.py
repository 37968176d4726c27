"""Where verbs put a folder of results: see :mod:`animate.video.results`."""

from __future__ import annotations

from animate.video.results import check_folder, results_folder

__all__ = ["check_folder", "results_folder"]
