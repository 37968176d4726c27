"""Trains a model: ``python train.py experiment=fomm_puppets``. The settings are in ``conf/``."""

from __future__ import annotations

from animate.training import main

if __name__ == "__main__":
    main()
