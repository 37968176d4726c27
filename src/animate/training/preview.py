"""Whether a training could begin, before what it needs is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hydra import compose, initialize_config_dir

from animate.errors import UserError
from animate.training.complaints import explain
from animate.training.conf import conf_folder
from animate.training.run import check

if TYPE_CHECKING:
    from collections.abc import Sequence

CONFIG = "train"


def check_overrides(overrides: Sequence[str]) -> None:
    """Compose the config of a training and check its settings; nothing is built, read or written.

    Args:
        overrides: as for ``animate train``.

    Raises:
        UserError: with the line that the training itself would end with.

    """
    try:
        with initialize_config_dir(str(conf_folder()), version_base="1.3"):
            config = compose(CONFIG, overrides=list(overrides))
        check(config)
    except Exception as error:
        line = explain(error, CONFIG)
        if line is None:
            raise
        raise UserError(line) from error
