"""Whether the values of a config have the types of their arguments: ``trainer.max_epochs=abc`` has not.

The truth is the signature of what a ``_target_`` names; there is no second description of the settings.
"""

from __future__ import annotations

import ast
import collections.abc
import inspect
import typing
from enum import Enum
from functools import cache
from importlib import import_module
from os import PathLike
from types import ModuleType, NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin, is_typeddict

from hydra.utils import get_object

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text", NoneType: "null"}
_LISTS = (list, tuple, collections.abc.Sequence, collections.abc.Iterable)
_DICTS = (dict, collections.abc.Mapping)
_UNIONS = (Union, UnionType)


def wrong_values(node: Any, where: str = "") -> Iterator[str]:
    """Name every value that does not fit the argument it is given to.

    Args:
        node: a config as plain values; what is not known yet (``${...}``, ``???``) fits everything.
        where: its key, as it is written in an override.

    Yields:
        ``<key> must be <type>, not <value>``.

    """
    if isinstance(node, list):
        for number, child in enumerate(node):
            yield from wrong_values(child, f"{where}[{number}]")
    if isinstance(node, dict):
        types = _argument_types(str(node["_target_"])) if "_target_" in node else {}
        for key, value in node.items():
            yield from _wrong(value, types.get(key, Any), f"{where}.{key}" if where else str(key))


def _wrong(value: Any, kind: Any, where: str) -> Iterator[str]:
    """Look into dictionaries first, so that the message names one setting and not a whole group."""
    if isinstance(value, dict) and "_target_" not in value:
        types = _value_types(value, kind)
        for key, child in value.items():
            yield from _wrong(child, types.get(key, Any), f"{where}.{key}")
    elif _fits(value, kind):
        yield from wrong_values(value, where)
    else:
        yield f"{where} must be {_in_words(kind)}, not {value!r}"


def _value_types(value: Mapping[str, Any], kind: Any) -> Mapping[str, Any]:
    """Return the types of a dictionary's values, where its own type tells them."""
    for part in get_args(kind) if get_origin(kind) in _UNIONS else (kind,):
        if is_typeddict(part):
            return _evaluated(part.__annotations__, part)
        if get_origin(part) in _DICTS:
            return dict.fromkeys(value, get_args(part)[1])
    return {}


def _fits(value: Any, kind: Any) -> bool:
    """Whether a plain value is of a type; yes where the type is nothing that YAML can write."""
    if isinstance(value, str) and ("${" in value or value == "???"):
        return True  # not known yet
    origin, parts = get_origin(kind), get_args(kind)
    if origin in _UNIONS:
        return any(_fits(value, part) for part in parts)
    if origin is Literal:
        return value in parts
    if origin in _LISTS:
        return isinstance(value, list) and _all_fit(value, parts, origin)
    if origin in _DICTS or is_typeddict(kind):
        return isinstance(value, dict)
    if kind in (int, float):
        return isinstance(value, (int, kind)) and not isinstance(value, bool)
    if kind in _WORDS:
        return isinstance(value, kind)
    return isinstance(value, dict) or not _is_made(kind)


def _is_made(kind: Any) -> bool:
    """Whether values of a type come from a ``_target_`` only: a view, a network, a loss."""
    if not inspect.isclass(kind) or get_origin(kind) is not None:
        return get_origin(kind) is collections.abc.Callable
    return kind not in (Any, object) and not issubclass(kind, (PathLike, Enum))


def _all_fit(values: list[Any], kinds: tuple[Any, ...], origin: Any) -> bool:
    if origin is tuple and Ellipsis not in kinds:
        return len(values) == len(kinds) and all(map(_fits, values, kinds))
    return all(_fits(value, kinds[0]) for value in values)


def _in_words(kind: Any) -> str:
    origin, parts = get_origin(kind), get_args(kind)
    if origin in _UNIONS:
        kinds = [part for part in parts if part is not int or float not in parts]
        return " or ".join(dict.fromkeys(map(_in_words, kinds)))
    if origin is Literal:
        return " or ".join(map(str, parts))
    if origin in _LISTS:
        many = f"{len(parts)} " if origin is tuple and Ellipsis not in parts else ""
        return f"a list of {many}{_in_words(parts[0]).removeprefix('a ')}s"
    if origin in _DICTS or is_typeddict(kind):
        return "a group of settings"
    name = str(getattr(kind, "__name__", kind))
    return _WORDS.get(kind) or (f"settings whose _target_ makes {name}" if _is_made(kind) else name)


@cache
def _argument_types(target: str) -> Mapping[str, Any]:
    """Read the types of the arguments of what a ``_target_`` names; nothing where it cannot be found."""
    try:
        called = get_object(target)
        parameters = inspect.signature(called).parameters
    except (ImportError, ValueError, TypeError):
        return {}  # Hydra says what is wrong with the name
    return _evaluated({name: parameter.annotation for name, parameter in parameters.items()}, called)


def _evaluated(annotations: Mapping[str, Any], owner: Any) -> dict[str, Any]:
    """Turn annotations that are texts into types; ``Any`` for those that cannot be resolved."""
    module = inspect.getmodule(owner)
    assert module is not None
    names = _Names(module)
    return {name: _resolved(annotation, names) for name, annotation in annotations.items()}


def _resolved(annotation: Any, names: _Names) -> Any:
    if annotation is inspect.Parameter.empty:
        return Any
    text = getattr(annotation, "__forward_arg__", annotation)
    try:
        return eval(text, {}, names) if isinstance(text, str) else annotation
    except (NameError, ImportError, AttributeError):
        return Any


class _Names(dict[str, Any]):
    """What the annotations of a module may name, what it imports for type checkers only included."""

    def __init__(self, module: ModuleType) -> None:
        super().__init__(vars(collections.abc) | vars(typing) | vars(module))
        self._module = module

    def __missing__(self, name: str) -> Any:
        source, attribute = _imports_for_type_checkers(self._module)[name]
        return getattr(import_module(source), attribute)


@cache
def _imports_for_type_checkers(module: ModuleType) -> Mapping[str, tuple[str, str]]:
    """Read in a module's source what ``if TYPE_CHECKING:`` imports: from which module, as what."""
    try:
        tree = ast.parse(inspect.getsource(module))
    except (OSError, TypeError):
        return {}
    blocks = [node for node in tree.body if isinstance(node, ast.If) and _names_type_checking(node.test)]
    imports = [node for block in blocks for node in block.body if isinstance(node, ast.ImportFrom)]
    return {
        alias.asname or alias.name: (node.module, alias.name)
        for node in imports
        if node.module and not node.level
        for alias in node.names
    }


def _names_type_checking(test: ast.expr) -> bool:
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"
