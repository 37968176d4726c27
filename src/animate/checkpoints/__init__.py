"""Self-describing checkpoints: saved, loaded, converted from published ones; pretrained files of others."""

from animate.checkpoints.description import Description, describe
from animate.checkpoints.initialise import initialise
from animate.checkpoints.load import load
from animate.checkpoints.save import save

__all__ = ["Description", "describe", "initialise", "load", "save"]
