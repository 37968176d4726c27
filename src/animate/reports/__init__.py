"""Results that people look at: one page per evaluation, one table over several."""

from __future__ import annotations

from animate.reports.folder import write
from animate.reports.recorder import Recorder

__all__ = ["Recorder", "write"]
