"""Datapaths of PEs and arrays, drawn from their netlists: what ``docs/make.py`` asks for.

``circuit`` (a netlist) -> ``blocks`` (gates of one kind joined; ``counters`` finds full adders) ->
``graph`` (what works side by side is one) -> ``layers`` (places) and ``words`` -> ``svg``.
``figures`` says which circuits, and ``page`` tells about them.
"""

from .page import pages

__all__ = ["pages"]
