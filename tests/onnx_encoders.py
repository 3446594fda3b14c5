"""ONNX files of encoders, as exporters of several kinds write them."""

import math

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Encoder:
    """Writes nodes one by one; tensors have the names of PyTorch's state dictionary.

    ``folded``: matrices are transposed and named anew, as constant folding does. ``parts``: norms
    and GELU of basic operators. ``split``: three products for Q, K and V. ``heads`` and ``masked``
    are for files that an engine's model is not.
    """

    def __init__(self, settings, tensors, *, folded=True, parts=False, split=False, heads=None,
                 masked=False, activation="Gelu"):  # fmt: skip
        self.model, self.tensors = settings.model, tensors
        self.folded, self.parts, self.split = folded, parts, split
        self.heads, self.masked = heads or settings.model.heads, masked
        self.activation = activation
        self.nodes, self.initializers = [], {}
        self.epsilon = 1e-3

    def save(self, path):
        width = self.model.width
        y = self.encoder("x")
        ends = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", "tokens", width])
            for name in ("x", y)
        ]
        values = [numpy_helper.from_array(v, n) for n, v in self.initializers.items()]
        graph = helper.make_graph(self.nodes, "encoder", ends[:1], ends[1:], values)
        opsets = [helper.make_opsetid("", 20)]
        onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
        return path

    def add(self, kind, *inputs, **attributes) -> str:
        """The name of the node's result. Arrays among ``inputs`` become initializers."""
        names = [each if isinstance(each, str) else self.constant(each) for each in inputs]
        result = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, names, [result], **attributes))
        return result

    def constant(self, value, name="") -> str:
        name = name or f"c{len(self.initializers)}"
        self.initializers[name] = np.asarray(value)
        return name

    def scalar(self, value) -> np.ndarray:
        return np.array(value, np.float32)

    def affine(self, x, name, joint=".", rows=slice(None)):
        weight, bias = (self.tensors[f"{name}{joint}{part}"][rows] for part in ("weight", "bias"))
        if self.folded or rows != slice(None):
            weight = weight.T.copy()
        else:
            weight = self.add("Transpose", self.constant(weight, f"{name}{joint}weight"))
        bias = self.constant(bias, f"{name}{joint}bias{rows.start or ''}")
        return self.add("Add", bias, self.add("MatMul", x, weight))

    def norm(self, x, name):
        gain = self.constant(self.tensors[f"{name}.weight"], f"{name}.weight")
        bias = self.tensors.get(f"{name}.bias")
        if not self.parts:
            inputs = [x, gain, self.constant(bias, f"{name}.bias")]
            return self.add("LayerNormalization", *inputs, epsilon=self.epsilon)
        if bias is not None:
            x = self.add("Sub", x, self.add("ReduceMean", x, np.array([-1])))
        square = self.add("Pow", x, self.scalar(2))
        square = self.add("ReduceMean", square, np.array([-1]))
        root = self.add("Sqrt", self.add("Add", square, self.scalar(self.epsilon)))
        if bias is None:
            scaled = self.add("Mul", self.add("Reciprocal", root), x)
            return self.add("Mul", gain, scaled)
        scaled = self.add("Mul", self.add("Div", x, root), gain)
        return self.add("Add", scaled, self.constant(bias, f"{name}.bias"))

    def function(self, x):
        if not self.parts or self.activation != "Gelu":
            return self.add(self.activation, x)
        half = self.add("Erf", self.add("Div", x, self.scalar(math.sqrt(2))))
        half = self.add("Mul", x, self.add("Add", half, self.scalar(1)))
        return self.add("Mul", half, self.scalar(0.5))

    def attention(self, x, name):
        width = self.model.width
        if self.split:
            ends = (slice(n * width, (n + 1) * width) for n in range(3))
            q, k, v = (self.affine(x, f"{name}.in_proj", "_", rows) for rows in ends)
        else:
            joint = self.affine(x, f"{name}.in_proj", "_")
            joint = self.add("Reshape", joint, np.array([0, 0, 3, width]))
            q, k, v = (self.add("Gather", joint, np.array(n), axis=2) for n in range(3))
        size = width // self.heads
        shape = np.array([0, 0, self.heads, size])
        q, k, v = (
            self.add("Transpose", self.add("Reshape", each, shape), perm=perm)
            for each, perm in ((q, [0, 2, 1, 3]), (k, [0, 2, 3, 1]), (v, [0, 2, 1, 3]))
        )
        q = self.add("Mul", q, self.scalar(1 / math.sqrt(size)))
        scores = self.add("MatMul", q, k)
        if self.masked:
            mask = self.add("Trilu", self.add("Mul", scores, self.scalar(0)), upper=1)
            ones = self.add("Trilu", self.add("Exp", mask), np.array(1), upper=1)
            scores = self.add("Sub", scores, self.add("Mul", ones, self.scalar(100)))
        mixed = self.add("MatMul", self.add("Softmax", scores, axis=-1), v)
        mixed = self.add("Transpose", mixed, perm=[0, 2, 1, 3])
        return self.affine(self.add("Reshape", mixed, np.array([0, 0, width])), f"{name}.out_proj")

    def encoder(self, x):
        pre = self.model.order == "pre"
        for number in range(self.model.layers):
            of = f"layers.{number}"
            for norm in ("norm1", "norm2"):
                carried = self.norm(x, f"{of}.{norm}") if pre else x
                if norm == "norm1":
                    y = self.attention(carried, f"{of}.self_attn")
                else:
                    y = self.function(self.affine(carried, f"{of}.linear1"))
                    y = self.affine(y, f"{of}.linear2")
                x = self.add("Add", x, y)
                x = x if pre else self.norm(x, f"{of}.{norm}")
        return self.norm(x, "norm") if pre else x
