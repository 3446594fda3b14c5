"""The graph of an ONNX file as what an encoder is made of: products with weights, norms, attention.

Everything is found by what the nodes do. Initializers' names do not matter: exporters fold a
matrix' transposition into it, and name the new one as they like.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

FIRST_ONLY = frozenset(
    ("Reshape", "Transpose", "Gather", "Slice", "Squeeze", "Unsqueeze", "Expand", "Split", "Cast",
     "CastLike", "Identity", "Dropout", "Flatten", "Clip", "Tile", "Pad")
)  # fmt: skip
"""Whose other inputs say how, not what."""
NOTHING = frozenset(("Shape", "Size", "ConstantOfShape", "Range"))
"""What does not depend on the values of its inputs."""
FORM = frozenset(
    ("Reshape", "Transpose", "Squeeze", "Unsqueeze", "Cast", "Identity", "Flatten", "Dropout")
)
"""What only gives the same numbers another form."""
LARGEST = 4096
"""A size of :meth:`Graph.sizes`."""
INPUT = "(input)"
"""What comes from the graph's inputs."""


@dataclass(frozen=True, eq=False)
class Product:
    """``weight`` (outputs, inputs) and ``bias``, zeros if there is none, of ``source``."""

    source: str
    weight: np.ndarray
    bias: np.ndarray


@dataclass(frozen=True, eq=False)
class Norm:
    """LayerNorm of ``source``, or RMSNorm (no mean, no bias)."""

    source: str
    weight: np.ndarray
    bias: np.ndarray | None
    epsilon: float


@dataclass(frozen=True, eq=False)
class Attention:
    """Of three tensors by name."""

    q: str
    k: str
    v: str


Part = Product | Norm | Attention


class Graph:
    """``parts``: what was found, by the name of the tensor that it gives, in the file's order."""

    def __init__(self, file: Path):
        self.model = onnx.load(file)  # with the data of files beside it
        graph = self.model.graph
        self.nodes = list(graph.node)
        self._maker = {name: node for node in self.nodes for name in node.output}
        self._users = defaultdict(list)
        for node in self.nodes:
            for name in node.input:
                self._users[name].append(node)
        self._constants = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
        self.parts: dict[str, Part] = {}
        for find in (self._products, self._norms, self._attentions):
            self.parts |= dict(find())
        place = {name: at for at, node in enumerate(self.nodes) for name in node.output}
        self.parts = dict(sorted(self.parts.items(), key=lambda found: place[found[0]]))

    def named(self) -> dict[str, np.ndarray]:
        """The initializers."""
        return {each.name: self._constants[each.name] for each in self.model.graph.initializer}

    def sizes(self) -> list[int]:
        """Small integers among the constants: of what its nodes may make something."""
        for node in self.nodes:
            self._constant(node.output[0])
        found = {1}
        for value in self._constants.values():
            if value.dtype.kind == "i" and value.size <= 8:
                found |= set(map(int, value.flat))
        return sorted(size for size in found if 0 < size <= LARGEST)

    def sources(self, tensor: str, through: list | None = None) -> frozenset:
        """Which parts' results ``tensor`` is made of, by the names of those, with what lies between
        (:data:`INPUT`: something from outside); ``through`` gets the nodes on the way."""
        found, waiting, seen = set(), [tensor], set()
        while waiting:
            name = waiting.pop()
            if name in seen or not name:
                continue
            seen.add(name)
            if name in self.parts:
                found.add(name)
            elif name in self._maker:
                node = self._maker[name]
                if through is not None:
                    through.append(node)
                if node.op_type not in NOTHING:
                    one = node.op_type in FIRST_ONLY
                    waiting += node.input[:1] if one else node.input
            elif name not in self._constants:
                found.add(INPUT)
        return frozenset(found)

    def formed(self, tensor: str) -> str:
        """The tensor of which ``tensor`` is another form."""
        while (node := self._maker.get(tensor)) and node.op_type in FORM:
            tensor = node.input[0]
        return tensor

    def _constant(self, name: str) -> np.ndarray | None:
        """The value of a tensor that depends on nothing."""
        if name in self._constants or name not in self._maker:
            return self._constants.get(name)
        node, value = self._maker[name], None
        if node.op_type == "Constant":
            attribute = node.attribute[0]
            value = onnx.helper.get_attribute_value(attribute)
            value = numpy_helper.to_array(value) if attribute.name == "value" else np.array(value)
        elif node.op_type in ("Identity", "Cast", "Transpose", "Unsqueeze", "Squeeze"):
            value = self._constant(node.input[0])
            if value is not None and node.op_type == "Transpose":
                value = value.transpose(_attribute(node, "perm"))
        if value is not None:
            self._constants[name] = value
        return value

    def _vector(self, node, other: str) -> np.ndarray | None:
        """The constant vector of a node with two inputs, of which one is ``other``."""
        if other not in node.input or len(node.input) != 2:
            return None
        value = self._constant(node.input[1 - list(node.input).index(other)])
        return None if value is None or value.squeeze().ndim != 1 else value.squeeze()

    def _then(self, tensor: str, kind: str) -> tuple[str, np.ndarray | None]:
        """The result of the only user of ``tensor``, if it is a ``kind`` with a vector; and that,
        else ``None``."""
        users = self._users[tensor]
        if len(users) == 1 and users[0].op_type == kind:
            vector = self._vector(users[0], tensor)
            if vector is not None:
                return users[0].output[0], vector
        return tensor, None

    def _products(self) -> Iterator[tuple[str, Product]]:
        for node in self.nodes:
            if node.op_type not in ("MatMul", "Gemm"):
                continue
            weight = self._constant(node.input[1])
            if weight is None or weight.ndim != 2:
                continue
            weight = weight if _attribute(node, "transB") else weight.T
            if node.op_type == "Gemm" and len(node.input) == 3:
                result, bias = node.output[0], self._constant(node.input[2])
            else:
                result, bias = self._then(node.output[0], "Add")
                bias = np.zeros(len(weight), weight.dtype) if bias is None else bias
            factors = {_attribute(node, name) for name in ("alpha", "beta")} <= {None, 1.0}
            if bias is not None and factors and not _attribute(node, "transA"):
                yield result, Product(node.input[0], weight, bias)

    def _norms(self) -> Iterator[tuple[str, Norm]]:
        for node in self.nodes:
            kind = node.op_type
            if kind in ("LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization"):
                weight, *bias = (self._constant(name) for name in node.input[1:3])
                epsilon = _attribute(node, "epsilon")
                epsilon = 1e-5 if epsilon is None else epsilon
                if weight is not None:
                    bias = bias[0] if bias else None
                    if bias is None and kind == "LayerNormalization":
                        bias = np.zeros_like(weight)
                    yield node.output[0], Norm(node.input[0], weight, bias, epsilon)
            elif kind == "Sqrt" and (found := self._taken_apart(node)):
                yield found

    def _taken_apart(self, root) -> tuple[str, Norm] | None:
        """The norm of which ``root`` is the square root of the variance."""
        epsilon = square = None
        added = self._maker.get(root.input[0])
        if added is not None and added.op_type == "Add":
            for name, other in (added.input, reversed(added.input)):
                mean, value = self._maker.get(name), self._constant(other)
                if value is not None and value.size == 1 and _is(mean, "ReduceMean"):
                    square, epsilon = self._maker.get(mean.input[0]), float(value.item())
        if not (_is(square, "Pow") or (_is(square, "Mul") and len(set(square.input)) == 1)):
            return None
        centred = square.input[0]
        minus = self._maker.get(centred)
        if _is(minus, "Sub") and _is(self._maker.get(minus.input[1]), "ReduceMean"):
            x, zeros = minus.input[0], np.zeros_like
        else:
            x, zeros = centred, lambda weight: None
        scaled = [
            user.output[0]
            for name in (root.output[0], self._inverse(root.output[0]))
            for user in self._users[name]
            if centred in user.input and user.op_type in ("Div", "Mul")
        ]
        if len(scaled) != 1:
            return None
        result, weight = self._then(scaled[0], "Mul")
        result, bias = self._then(result, "Add")
        if weight is None:
            return None
        return result, Norm(x, weight, zeros(weight) if bias is None else bias, epsilon)

    def _inverse(self, tensor: str) -> str:
        for user in self._users[tensor]:
            if user.op_type == "Reciprocal" or (user.op_type, user.input[-1]) == ("Div", tensor):
                if user.op_type == "Div" and self._constant(user.input[0]) is None:
                    continue
                return user.output[0]
        return ""

    def _attentions(self) -> Iterator[tuple[str, Attention]]:
        for node in self.nodes:
            if node.op_type == "Attention" and node.domain == "":
                yield node.output[0], Attention(*node.input[:3])
            elif node.op_type == "Softmax":
                scores = self._before(node.input[0])
                weights = {node.output[0]}
                mixed = [each for each in self.nodes if _is(each, "MatMul")
                         and self.formed(each.input[0]) in weights]  # fmt: skip
                if scores is not None and len(mixed) == 1:
                    yield mixed[0].output[0], Attention(*scores.input, mixed[0].input[1])

    def _before(self, tensor: str):
        """The product of two tensors that are no constants, behind scales and masks."""
        waiting = [tensor]
        for name in waiting:
            node = self._maker.get(name)
            if node is None or node.op_type in NOTHING:
                continue
            if node.op_type == "MatMul" and all(self._constant(n) is None for n in node.input):
                return node
            if node.op_type in FIRST_ONLY | {"Add", "Sub", "Mul", "Div", "Where"}:
                waiting += node.input[:1] if node.op_type in FIRST_ONLY else node.input
        return None


def _is(node, kind: str) -> bool:
    return node is not None and node.op_type == kind


def _attribute(node, name: str):
    """``None``: it is not there."""
    for attribute in node.attribute:
        if attribute.name == name:
            return onnx.helper.get_attribute_value(attribute)
    return None
