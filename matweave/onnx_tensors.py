"""An encoder's tensors, by the names that PyTorch gives them, from an ONNX file.

They are taken from where they are used: each layer is followed from its input to its result, and
every part must get what it gets in an encoder. The file's own graph is run once, so that whoever
asked can compare.
"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from onnx.reference import ReferenceEvaluator

from matweave.hw.errors import ConfigError, plain

from .onnx_graph import Attention, Graph, Norm, Product

TOKENS, TRIES = 3, 200
"""Of each dimension that the file leaves open, in the run; and how often others are tried."""
ACTIVATIONS = {"Gelu": "gelu", "Erf": "gelu", "Tanh": "gelu_tanh", "Relu": "relu",
               "Sigmoid": "silu", "Swish": "silu"}  # fmt: skip
"""What a node between the two products of a feed-forward part stands for."""
SEED = 20261127


class Unknown(Exception):
    """Why the graph does not say which tensor is which."""


@dataclass
class Found:
    """Tensors by name; the hidden layer's function and what is added to variances, if the graph
    says so; and ``check``, what goes into the first layer and comes out of the last in a run, or
    why it could ``not_run``."""

    tensors: dict[str, np.ndarray]
    function: str | None = None
    epsilon: float | None = None
    check: dict[str, np.ndarray] = field(default_factory=dict)
    not_run: str | None = None


def read(file: Path, shapes: Mapping[str, list[int]]) -> Found:
    """``shapes``: what is wanted. Raises :class:`ConfigError` with the names that the file neither
    has nor shows by its structure."""
    graph = Graph(file)
    walk = _Walk(graph, shapes)
    try:
        return walk.found()
    except Unknown as reason:
        named = graph.named()
        missing = [name for name in shapes if name not in named]
        if missing:
            some = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
            raise ConfigError(
                f"{plain(file.name)}: {some}: no initializer has that name, and the graph does not "
                f"show it: {reason}"
            ) from None
        return walk.named({name: named[name] for name in shapes}, str(reason))


class _Walk:
    """From layer to layer. ``rest``: of which parts the residual stream is made, see
    :meth:`.onnx_graph.Graph.sources`."""

    def __init__(self, graph: Graph, shapes: Mapping[str, list[int]]):
        self.graph, self.pre = graph, "norm.weight" in shapes
        self.layers = sum(name.endswith("linear1.weight") for name in shapes)
        self.result = Found({})
        self.functions, self.epsilons = set(), set()
        self.rest = frozenset()
        self.first = self.last = ""

    def found(self) -> Found:
        blocks = [name for name, part in self.graph.parts.items() if isinstance(part, Attention)]
        if len(blocks) != self.layers:
            raise Unknown(f"it has {len(blocks)} parts of attention for {self.layers} layers")
        for number, block in enumerate(blocks):
            self._layer(f"layers.{number}", block)
        if self.pre:
            self.last = self._norm("norm", self.rest)
        self.result.function = _one("functions of the hidden layer", self.functions)
        self.result.epsilon = _one("epsilons", self.epsilons)
        self._run()
        return self.result

    def named(self, tensors: dict[str, np.ndarray], reason: str) -> Found:
        """With ``tensors`` that have their names, whatever the graph does: as a whole it must do
        the same, if what goes in and comes out looks so."""
        self.result = Found(tensors)
        inputs, outputs = (
            [each.name for each in ends if each.name not in self.graph.named()]
            for ends in (self.graph.model.graph.input, self.graph.model.graph.output)
        )
        if not inputs or not outputs:
            self.result.not_run = "it has no input or no output"
            return self.result
        self.first, self.last = inputs[0], outputs[0]
        self._run()
        sizes = {value.shape[-1:] for value in self.result.check.values()}
        if sizes != {tensors["layers.0.linear2.bias"].shape}:
            self.result.check, self.result.not_run = {}, reason
        return self.result

    def _layer(self, of: str, block: str) -> None:
        attention = self.graph.parts[block]
        products = [
            self._product(f"{of}.self_attn.in_proj", self.graph.sources(tensor))
            for tensor in (attention.q, attention.k, attention.v)
        ]
        before = {self.graph.sources(product.source) for product in products}
        if len(before) != 1:
            raise Unknown(f"queries, keys and values of {of} are not of one tensor")
        (carried,) = before
        if self.pre:
            norm = self._part(f"{of}.norm1", Norm, carried)
            self.rest = self.rest or self.graph.sources(norm.source)
            self._norm(f"{of}.norm1", self.rest)
            stream = norm.source
        else:
            self.rest = self.rest or carried
            stream = products[0].source
            if carried != self.rest:
                raise Unknown(f"{of} is not fed by what comes before it")
        self.first = self.first or self.graph.formed(stream)
        self._in_proj(f"{of}.self_attn.in_proj", products)
        name = self._next(f"{of}.self_attn.out_proj", frozenset([block]))
        self.rest |= {name}
        between = self._norm(f"{of}.norm{1 + self.pre}", self.rest)
        self.rest = self.rest if self.pre else frozenset([between])
        up = self._next(f"{of}.linear1", frozenset([between]))
        down = self._next(f"{of}.linear2", frozenset([up]))
        self.functions.add(self._function(of, self.graph.parts[down].source))
        self.rest |= {down}
        if not self.pre:
            self.last = self._norm(f"{of}.norm2", self.rest)
            self.rest = frozenset([self.last])

    def _part(self, name: str, kind: type, sources: frozenset):
        """The part of which a tensor is made that should be made of one."""
        parts = [self.graph.parts.get(source) for source in sources]
        if len(parts) != 1 or not isinstance(parts[0], kind):
            raise Unknown(f"{name} is not found before attention")
        return parts[0]

    def _product(self, name: str, sources: frozenset) -> Product:
        return self._part(name, Product, sources)

    def _in_proj(self, name: str, products: list[Product]) -> None:
        """One product whose results are split, or three."""
        different = {id(product): product for product in products}
        if len(different) not in (1, 3):
            raise Unknown(f"{name} is neither one product nor three")
        for part in ("weight", "bias"):
            parts = [getattr(product, part) for product in different.values()]
            self.result.tensors[f"{name}_{part}"] = np.concatenate(parts)

    def _next(self, name: str, sources: frozenset) -> str:
        """The product of ``sources``; its tensors get ``name``."""
        found = self._only(name, Product, sources)
        product = self.graph.parts[found]
        self.result.tensors |= {f"{name}.weight": product.weight, f"{name}.bias": product.bias}
        return found

    def _norm(self, name: str, sources: frozenset) -> str:
        found = self._only(name, Norm, sources)
        norm = self.graph.parts[found]
        self.result.tensors[f"{name}.weight"] = norm.weight
        if norm.bias is not None:
            self.result.tensors[f"{name}.bias"] = norm.bias
        self.epsilons.add(norm.epsilon)
        return found

    def _only(self, name: str, kind: type, sources: frozenset) -> str:
        found = [
            result
            for result, part in self.graph.parts.items()
            if isinstance(part, kind) and self.graph.sources(part.source) == sources
        ]
        if len(found) != 1:
            what = kind.__name__.lower()
            raise Unknown(f"{len(found)} {what}s are where {name} should be")
        return found[0]

    def _function(self, of: str, tensor: str) -> str:
        between = []
        self.graph.sources(tensor, between)
        found = {
            "gelu_tanh" if any(each.s == b"tanh" for each in node.attribute) else
            ACTIVATIONS[node.op_type]
            for node in between if node.op_type in ACTIVATIONS
        }  # fmt: skip
        return _one(f"functions of {of}'s hidden layer", found)

    def _run(self) -> None:
        """The graph's own values, of random inputs."""
        try:
            evaluator = ReferenceEvaluator(self.graph.model)
        except Exception as error:  # whatever a foreign graph makes foreign code do
            self.result.not_run = _line(error)
            return
        for inputs in _inputs(self.graph):
            try:
                values = evaluator.run(None, inputs, intermediate=True)
            except Exception as error:
                self.result.not_run = _line(error)
            else:
                self.result.not_run = None
                self.result.check = {"x": values[self.first], "y": values[self.last]}
                return


def _line(error: Exception) -> str:
    return plain((str(error).splitlines() or [type(error).__name__])[0])


FLOATS = {1: np.float32, 10: np.float16, 11: np.float64}
"""By ONNX' numbers of element types."""


def _inputs(graph: Graph) -> Iterator[dict[str, np.ndarray]]:
    """Random numbers, and ones for integers (tokens, or which of them count). Sizes that the file
    leaves open may be fixed by its nodes all the same: then it can be run with some of these."""
    rng, initializers = np.random.default_rng(SEED), graph.named()
    inputs = [each for each in graph.model.graph.input if each.name not in initializers]
    tensors = {each.name: each.type.tensor_type for each in inputs}
    names = {
        dim.dim_param or (name, place): None
        for name, tensor in tensors.items()
        for place, dim in enumerate(tensor.shape.dim)
        if not dim.dim_value
    }
    tried = itertools.product(graph.sizes(), repeat=len(names))
    for sizes in itertools.islice([(TOKENS,) * len(names), *itertools.islice(tried, TRIES)], TRIES):
        size = dict(zip(names, sizes, strict=True))
        found = {}
        for name, tensor in tensors.items():
            shape = [
                dim.dim_value or size[dim.dim_param or (name, place)]
                for place, dim in enumerate(tensor.shape.dim)
            ]
            floats = FLOATS.get(tensor.elem_type)
            values = rng.normal(size=shape) if floats else np.ones(shape)
            found[name] = values.astype(floats or np.int64)
        yield found


def _one(what: str, found: set):
    if len(found) != 1:
        raise Unknown(f"it has {len(found)} {what}")
    return found.pop()
