"""Processing elements: one multiply-accumulate variant per file.

A file here that defines ``FACTS`` (a literal dictionary with at least ``name``) and one subclass of
:class:`~.base.Pe` is a variant; nothing else needs to know it.
"""

import importlib
import pkgutil

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
        # The configuration refuses saturation by this fact; elaboration would by ``words``.
        assert variant.words == 1 or not facts.get("saturates_in_array", True), info.name
        variants[facts["name"]] = variant
    return variants


REGISTRY: dict[str, type[Pe]] = _discover()
"""PE variants by configuration name."""
