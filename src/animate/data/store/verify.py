"""Whether a part is what its index says, from its first byte to its last."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from animate.data.store.storage import Storage

_CHUNK = 1 << 24


def digest_of(storage: Storage, name: str, size: int) -> str:
    """Digest the first ``size`` bytes of a file, a chunk at a time. Raises ``StoreError`` without it."""
    whole = hashlib.blake2b(digest_size=16)
    for first in range(0, size, _CHUNK):
        (chunk,) = storage.read([(name, first, min(_CHUNK, size - first))])
        whole.update(chunk)
    return whole.hexdigest()
