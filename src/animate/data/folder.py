"""A data folder of either kind: clips as files, or a prepared store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from animate.data.index import FolderIndex, Split
from animate.data.store.index import StoreIndex
from animate.data.store.storage import is_store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def folder_index(
    root: str | Path,
    *,
    id_sampling: bool = False,
    strip_size: Sequence[int] | None = None,
    max_broken_share: float = 0.1,
    flat: Split | None = None,
) -> FolderIndex | StoreIndex:
    """Index a data folder, or the store that is there; an address such as ``s3://bucket/store`` is a store.

    Args:
        root: the folder or address.
        id_sampling: see both.
        strip_size: see :class:`~animate.data.index.FolderIndex`; without effect for a store.
        max_broken_share: see both.
        flat: see :class:`~animate.data.index.FolderIndex`; without effect for a store.

    Raises:
        UserError: see both.

    """
    if is_store(root):
        return StoreIndex(root, id_sampling=id_sampling, max_broken_share=max_broken_share)
    return FolderIndex(
        root, id_sampling=id_sampling, strip_size=strip_size, max_broken_share=max_broken_share, flat=flat
    )
