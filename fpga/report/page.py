"""The page of a report: one HTML file that needs no other, from its figures."""

import json
from collections.abc import Sequence
from pathlib import Path

from ...sim import toolchain
from . import svg
from .reading import Cell

try:
    import jinja2
    from markupsafe import Markup
except ModuleNotFoundError:
    raise toolchain.ToolError(
        "jinja2 was not found: install it with: pip install 'matweave[fpga]'"
    ) from None


def page(figures: dict, cells: Sequence[Cell]) -> str:
    """The HTML text. Every figure is in a ``data`` element that names its place in ``figures``
    (a JSON pointer, in ``data-figure``) and holds its exact value."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )

    def figure(*keys, spec: str = "", unit: str = "") -> Markup:
        flat = [key for each in keys for key in (each if isinstance(each, tuple) else (each,))]
        return _figure(figures, flat, spec, unit)

    return environment.get_template("page.html.j2").render(
        figures=figures,
        configuration=json.dumps(figures["configuration"], indent=2, ensure_ascii=False),
        f=figure,
        bar=svg.bar,
        placement=svg.placement(cells),
        parts=svg.ranked(cells),
        roofline=svg.roofline,
    )


def pointer(keys: Sequence) -> str:
    """The JSON pointer (RFC 6901) of ``keys``."""
    return "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in keys)


def _figure(figures: dict, keys: Sequence, spec: str, unit: str) -> Markup:
    """One figure as markup; ``spec`` is a format specification, ``unit`` follows the number."""
    value = figures
    for key in keys:
        value = value[key]
    if value is None:
        shown, exact = "–", ""
    else:
        shown = format(value, spec) + (f" {unit}" if unit else "")
        exact = repr(value) if isinstance(value, int | float) else value
    return Markup('<data data-figure="{}" value="{}">{}</data>').format(pointer(keys), exact, shown)
