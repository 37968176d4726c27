"""Inference: generators of frames over trained networks. No Lightning, no Hydra, no loggers."""

from animate.pipelines.animator import Animator

__all__ = ["Animator"]
