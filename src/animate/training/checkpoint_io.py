"""How checkpoints reach the disk and come back: whole or not at all, tensors and plain values only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytorch_lightning.plugins.io import CheckpointIO
from typing_extensions import override

from animate.checkpoints import files
from animate.errors import UserError


class AtomicCheckpointIO(CheckpointIO):
    """Writes beside the target under a temporary name, then moves; reads with ``weights_only=True``.

    Lightning's own class goes through the system's temporary folder: on another disk the move is a copy,
    which a kill cuts short.
    """

    @override
    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Save; after a kill at any moment ``path`` is the old file or the new one.

        Raises:
            UserError: the disk is full or the folder cannot be written.

        """
        try:
            files.write(Path(path), checkpoint)
        except UserError as error:
            raise UserError(
                f"{error}, earlier checkpoints are unharmed: make room and go on with resume=last"
            ) from error

    @override
    def load_checkpoint(
        self, path: str | Path, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Load tensors and plain values onto the CPU; nothing in the file is executed.

        Raises:
            UserError: the file is missing, damaged, or holds more than tensors and plain values.

        """
        return files.read(Path(path))

    @override
    def remove_checkpoint(self, path: str | Path) -> None:
        """Delete the file if it is there."""
        Path(path).unlink(missing_ok=True)
