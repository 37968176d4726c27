"""Inference: generators of frames over trained networks. No Lightning, no Hydra, no loggers."""
