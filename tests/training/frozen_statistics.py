"""``train.py`` with batch statistics that stand still, and maybe an accident (see ``failing_ranks``).

What a rank normalises with then does not depend on how the batch is cut: torch synchronises statistics on
GPUs only.
"""

from __future__ import annotations

import os

from failing_ranks import have
from torch.nn.modules.batchnorm import _BatchNorm

from animate.training import main


def stand_still(self: _BatchNorm, mode: bool = True) -> _BatchNorm:
    self.training = False
    return self


if __name__ == "__main__":
    _BatchNorm.train = stand_still
    if "ACCIDENT" in os.environ:
        have(*os.environ["ACCIDENT"].split())
    main()
