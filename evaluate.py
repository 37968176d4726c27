"""Scores a checkpoint on a data set: ``python evaluate.py checkpoint=best.ckpt data=puppets``."""

from __future__ import annotations

from animate.training import evaluate_main

if __name__ == "__main__":
    evaluate_main()
