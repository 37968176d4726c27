"""Templates into pages. All text is escaped; a page holds everything it needs and loads nothing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from animate import __version__

if TYPE_CHECKING:
    from animate.metrics.base import Definition


class DefinitionView(NamedTuple):
    """A definition in words."""

    name: str
    unit: str
    arrow: str
    direction: str
    text: str
    range: str
    backend: str
    source: str


def describe(definition: Definition) -> DefinitionView:
    """Put a definition into the words that pages show."""
    up = definition.higher_is_better
    return DefinitionView(
        definition.name,
        definition.unit,
        "↑" if up else "↓",
        "higher is better" if up else "lower is better",
        definition.text,
        f"{_bound(definition.low)} to {_bound(definition.high)}",
        definition.backend,
        definition.source,
    )


def _bound(value: float) -> str:
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value:g}".replace("-", "−")


def render(template: str, **values: Any) -> str:
    """Fill one of the package's templates."""
    environment = Environment(
        loader=PackageLoader("animate.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(version=__version__, **values)
