"""Keeps passwords and keys out of what a run writes down: saved configs, dashboards, reports, messages.

Hidden are values that the environment holds under the name of a secret (``WANDB_API_KEY``), settings with
such a name, and in addresses what stands before the ``@`` and parameters that give access.
"""

from __future__ import annotations

import os
import re
from typing import Any

HIDDEN = "***"
_SECRET = r"(?:key|token|secret|password|passwd|credentials?|signature)"
_NAME = re.compile(rf"(?:^|[_.-])(?:api)?{_SECRET}$", re.IGNORECASE)
_LOGIN = re.compile(
    r"\b([a-z][\w+.-]+:/{1,2})([^/?#\s]+)@", re.IGNORECASE
)  # one / in what was taken for a path
_PARAMETER = re.compile(rf"(?:(?<=[?&,])|^)([+\w.-]*{_SECRET}|sig)=[^&#,\s]+", re.IGNORECASE)
_SHORTEST = 8  # characters: a shorter value would be found in innocent words


def without_secrets(node: Any) -> Any:
    """Return plain values, or one text, in which ``***`` stands for each secret."""
    return _without(node, _of_the_environment())


def _of_the_environment() -> list[str]:
    """List the secrets that the environment holds; the longest first, as one may begin another."""
    values = {value for name, value in os.environ.items() if _NAME.search(name) and len(value) >= _SHORTEST}
    return sorted(values, key=len, reverse=True)


def _without(node: Any, secrets: list[str]) -> Any:
    if isinstance(node, dict):
        return {key: _of_setting(str(key), value, secrets) for key, value in node.items()}
    if isinstance(node, list):
        return [_without(value, secrets) for value in node]
    if not isinstance(node, str):
        return node
    for secret in (*secrets, *_logins(node)):
        node = node.replace(secret, HIDDEN)
    return _PARAMETER.sub(rf"\1={HIDDEN}", _LOGIN.sub(rf"\1{HIDDEN}@", node))


def _logins(text: str) -> list[str]:
    """List the logins of the addresses in a text: libraries repeat them without the rest of the address."""
    return [login for _, login in _LOGIN.findall(text) if len(login) >= _SHORTEST]


def _of_setting(name: str, value: Any, secrets: list[str]) -> Any:
    return HIDDEN if isinstance(value, str) and _NAME.search(name) else _without(value, secrets)
