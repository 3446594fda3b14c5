"""Shared cells: describe a distinct component once, instantiate it many times.

Amaranth elaborates and emits one module per *instance*. Arrays therefore never construct their
parts directly; they ask :func:`shared` for them::

    m.submodules[f"pe_{i}"] = pe = shared(Cell, width=8)

Outside of a :class:`Library` (Amaranth's simulator, plain ``amaranth.back.verilog``) that is
``Cell(width=8)``, a real submodule. Inside one, the first request for a class and its parameters
constructs the component and queues it for emission, and every request gives a light stand-in with
the same ports that elaborates to an ``Instance`` of it.
"""

import contextlib
import contextvars
import re

from amaranth.hdl import ClockSignal, Elaboratable, Instance, Module, ResetInserter, ResetSignal
from amaranth.lib import wiring

_library = contextvars.ContextVar("matweave_cell_library", default=None)


class Library:
    """The distinct cells requested while it is active, in order of first request.

    Parameters: ``prefix`` (str), prepended to every cell's name so that two engines can be read
    into one design.
    """

    def __init__(self, prefix: str):
        self.prefix = prefix
        self.cells = {}  # (class, parameters) -> (name, component)
        self._names = {}

    @contextlib.contextmanager
    def active(self):
        token = _library.set(self)
        try:
            yield self
        finally:
            _library.reset(token)

    def _name(self, cls):
        base = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()
        number = self._names[base] = self._names.get(base, -1) + 1
        return f"{self.prefix}__{base}_{number}"

    def cell(self, cls, parameters):
        key = (cls, tuple(sorted(parameters.items())))
        if key not in self.cells:
            self.cells[key] = (self._name(cls), cls(**parameters))
        return self.cells[key]


class _Instantiated(Elaboratable):
    """Stand-in for a shared cell: its ports, and an ``Instance`` that connects them."""

    def __init__(self, name, component, reset):
        self._name, self._component, self._reset = name, component, reset
        ports = component.signature.create(path=())
        for member in component.signature.members:
            setattr(self, member, getattr(ports, member))

    def elaborate(self, platform):
        ports = {}
        if is_sequential(self._component):
            reset = ResetSignal()
            ports |= {
                "i_clk": ClockSignal(),
                "i_rst": reset if self._reset is None else reset | self._reset,
            }
        for path, member, value in self._component.signature.flatten(self):
            prefix = "i_" if member.flow == wiring.In else "o_"
            ports[prefix + "__".join(map(str, path))] = value
        # A wrapper would cost a module per instance: an Instance is a fragment of its own.
        return Instance(self._name, **ports)


def is_sequential(component) -> bool:
    """Whether the component has registers; combinational ones say ``sequential = False``."""
    return getattr(component, "sequential", True)


def shared(cls, *, reset=None, **parameters):
    """An instance of the component ``cls(**parameters)``, emitted once however often it is used.

    ``parameters`` must be hashable. ``reset``: a 1-bit value that resets the instance in addition
    to its clock domain's own reset (synchronous). Returns an object with the component's ports.
    """
    library = _library.get()
    if library is None:
        component = cls(**parameters)
        return component if reset is None else _Reset(component, reset)
    return _Instantiated(*library.cell(cls, parameters), reset)


class _Reset(Elaboratable):
    """``ResetInserter`` that keeps the component's ports reachable."""

    def __init__(self, component, reset):
        self._component, self._reset = component, reset

    def __getattr__(self, name):
        return getattr(self._component, name)

    def elaborate(self, platform):
        m = Module()
        m.submodules.inner = ResetInserter(self._reset)(self._component)
        return m


def describe(cls, **parameters):
    """``cls(**parameters)`` to read attributes from (latency, widths), never to be elaborated."""
    component = cls(**parameters)
    component._MustUse__silence = True  # Amaranth warns of components that nobody elaborates
    return component
