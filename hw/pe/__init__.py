"""Processing elements: one multiply-accumulate variant per file.

A file here that defines ``FACTS`` (a literal dictionary with at least ``name``) and one subclass of
:class:`~.base.Pe` is a variant; nothing else needs to know it.
"""

import functools
import importlib
import pkgutil

from .. import catalog
from .base import Pe


def _discover():
    variants = {}
    for info in sorted(pkgutil.iter_modules(__path__), key=lambda info: info.name):
        module = importlib.import_module(f".{info.name}", __name__)
        facts = getattr(module, "FACTS", None)
        if facts is None:
            continue
        (variant,) = (
            value
            for value in vars(module).values()
            if isinstance(value, type)
            and issubclass(value, Pe)
            and value.__module__ == module.__name__
        )
        # What is told without importing Amaranth must be what is built.
        assert variant.words == 1 or not facts.get("saturates_in_array", True), info.name
        assert variant.edge_latency == facts.get("edge_latency", 0), info.name
        assert variant.resolve_latency == facts.get("resolve_latency", 0), info.name
        for fact in ("lanes", "sparse", "group"):
            told = facts.get(fact, getattr(catalog.PeFacts, fact))
            assert getattr(variant, fact, told) == told, (info.name, fact)
        for option, fact in facts.get("options", {}).items():
            assert getattr(variant, option) == fact["default"], (info.name, option)
        variants[facts["name"]] = variant
    return variants


REGISTRY: dict[str, type[Pe]] = _discover()
"""PE variants by configuration name."""


def variants() -> dict[str, functools.partial]:
    """Every PE with its default options, and with each other value of each option, by a label: to
    be called with the formats of A and B. Without those made for one kind of array: they have no
    ``dot_class``."""
    found = {}
    for name, variant in REGISTRY.items():
        if catalog.pes()[name].arrays:
            continue
        found[name] = functools.partial(variant)
        for option, fact in catalog.pes()[name].options.items():
            for value in fact["allowed"]:
                if value != fact["default"]:
                    found[f"{name}-{value}"] = functools.partial(variant, **{option: value})
    return found
