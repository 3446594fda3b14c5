"""Functions of one value each."""

import numpy as np

from ...errors import plain
from ..layers import Cast, Layer, Relu
from .common import common, format_of, refuse


def activation(node) -> list[Layer]:
    kind = node.get_attr("activation", "").lower()
    values = common(node)
    if kind == "relu":
        return [Relu(**values)]
    if kind == "linear":
        return [Cast(**values, formats=(values["result"],) * int(np.prod(values["shape"])))]
    raise refuse(node, f"the activation {plain(kind)} cannot be unrolled yet", "use relu or linear")


def quantizer(node) -> list[Layer]:
    values = common(node)
    shape = values["shape"]
    k, b, i = (np.broadcast_to(np.asarray(each)[0] if np.ndim(each) > len(shape) else each, shape)
               for each in node.mask_kbi)  # fmt: skip
    formats = tuple(
        format_of(node, width, integer, sign, node.RND, node.SAT, "a value's type")
        if width > 0 else None
        for sign, width, integer in zip(k.ravel(), b.ravel(), i.ravel(), strict=True)
    )  # fmt: skip
    return [Cast(**values, formats=formats)]
