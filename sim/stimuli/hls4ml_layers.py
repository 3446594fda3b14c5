"""Models of many layers side by side, as hls4ml's front ends describe them.

Each is one model of one input: chains of layers begin at it, and their results are concatenated, so
that hls4ml's emulation of all of them takes one compilation.
"""

import copy

import numpy as np


def converted(layers, config, backend: str, folder, io_type: str = "io_parallel"):
    """hls4ml's ModelGraph of ``layers``; ``config``: of each by its name."""
    from hls4ml.model import ModelGraph  # an optional package

    settings = {
        "OutputDir": str(folder), "ProjectName": "net", "Backend": backend,
        "IOType": io_type, "ClockPeriod": None if backend == "Matweave" else 5, "Part": "x",
        "HLSConfig": {
            "Model": {"Precision": "fixed<16,6>", "ReuseFactor": 1, "Strategy": "Latency"},
            "LayerName": config,
        },
    }  # fmt: skip
    return ModelGraph.from_layer_list(settings, copy.deepcopy(layers))


class Side:
    """Layers side by side. :meth:`add` makes one that reads ``x`` or others; :meth:`keep` names
    those whose values are wanted."""

    def __init__(self, shape, result: str, seed: int = 1):
        self.rng = np.random.default_rng(seed)
        self.shape = shape
        self.layers = [{"class_name": "InputLayer", "name": "x", "input_shape": list(shape)}]
        self.config = {"x": {"Precision": {"result": result}}}
        self.kept: list[str] = []

    def add(self, kind: str, name: str, *sources: str, keep=True, precision=None, config=None,
            **attributes):  # fmt: skip
        self.layers.append(
            {"class_name": kind, "name": name, "inputs": list(sources or ("x",)),
             "data_format": "channels_last", "weight_quantizer": None, "bias_quantizer": None,
             "depthwise_quantizer": None, "pointwise_quantizer": None} | attributes
        )  # fmt: skip
        self.config[name] = {"Precision": precision or {}} | (config or {})
        if keep:
            self.kept.append(name)

    def normal(self, *shape):
        return self.rng.normal(0, 1, shape)

    def model(self):
        """Layers and configuration."""
        layers, config = list(self.layers), dict(self.config)
        last = None
        for place, name in enumerate(self.kept):
            flat = f"flat{place}"
            layers.append({"class_name": "Reshape", "name": flat, "inputs": [name],
                           "target_shape": [-1]})  # fmt: skip
            if last is not None:
                joined = f"joined{place}"
                layers.append({"class_name": "Concatenate", "name": joined, "axis": -1,
                               "inputs": [last, flat], "op": "concatenate1d"})  # fmt: skip
                config[joined] = {"Precision": {"result": "fixed<40,20>"}}
            last = flat if last is None else joined
        return layers, config

    def inputs(self, count: int) -> np.ndarray:
        """Samples of small and large numbers, and both ends of every value."""
        scales = self.rng.choice([0.3, 1, 3, 10], (count, *(1,) * len(self.shape)))
        x = self.rng.normal(0, 1, (count, *self.shape)) * scales
        x[:2] = [np.full(self.shape, -1e3), np.full(self.shape, 1e3)]
        x[2:100] = np.sign(x[2:100]) * 1e3
        return x.astype(np.float32)


def activations() -> Side:
    side = Side((6,), "fixed<12,5,RND,SAT>")
    fine = {"table": "fixed<24,4>", "result": "fixed<30,5>"}
    coarse = {"table": "fixed<10,3,RND,SAT>", "result": "fixed<7,2,RND_CONV,SAT>"}
    for name in ("sigmoid", "tanh", "softplus", "softsign", "selu"):
        side.add("Activation", name, activation=name, n_in=6, precision=fine)
        side.add("Activation", f"{name}2", activation=name, n_in=6, precision=coarse,
                 config={"TableSize": 256})  # fmt: skip
    param = {"param": "fixed<8,2>"}
    side.add("ELU", "elu", activation="elu", n_in=6, activ_param=0.7, precision=param | fine)
    side.add("LeakyReLU", "leaky", activation="leakyrelu", n_in=6, activ_param=0.3,
             precision=param | {"result": "fixed<16,5,RND>"})  # fmt: skip
    side.add("ThresholdedReLU", "threshold", activation="thresholdedrelu", n_in=6,
             activ_param=0.6, precision=param | {"result": "fixed<9,5>"})  # fmt: skip
    side.add("PReLU", "prelu", activation="prelu", n_in=6, param_data=side.normal(6),
             precision=param | {"result": "fixed<12,5,TRN_ZERO,SAT>"})  # fmt: skip
    for name, slope in (("hard_sigmoid", 0.2), ("hard_tanh", 0.25)):
        side.add("HardActivation", name, activation=name, n_in=6, slope=slope, shift=0.5,
                 precision={"result": "fixed<12,2>"})  # fmt: skip
    for name in ("stable", "latency", "legacy", "argmax"):
        softmax(side, name, 6, implementation=name)
    precision = {
        "exp_table": "ufixed<10,2,RND,SAT>", "inv_table": "fixed<9,3>", "inv_inp": "fixed<12,5>",
        "accum": "fixed<13,5>", "result": "ufixed<8,1>",
    }  # fmt: skip
    softmax(side, "narrow", 6, precision=precision, config={"TableSize": 64})
    return side


def softmax(side, name, count, *sources, precision=None, config=None, **attributes):
    precision = precision or {"result": "fixed<18,4>"}
    side.add("Softmax", name, *sources, activation="softmax", axis=-1, n_in=count,
             precision=precision, config=config, **attributes)  # fmt: skip


WEIGHTS = {"weight": "fixed<5,2>", "bias": "fixed<5,2>"}
EXACT = WEIGHTS | {"accum": "fixed<16,9>", "result": "fixed<10,6,RND,SAT>"}
STEPWISE = WEIGHTS | {"accum": "fixed<7,4,RND_CONV,SAT>", "result": "fixed<10,6,RND,SAT>"}


def convolution(side, name, size, window, filters, *, stride=(1, 1), pad=(0, 0, 0, 0),
                depthwise=False, precision=EXACT, source="x"):  # fmt: skip
    """``size``: (height, width, channels); ``pad``: (top, bottom, left, right); a ``depthwise`` one
    has as many filters as channels."""
    height, width, channels = size
    top, bottom, left, right = pad
    shape = (*window, channels, 1 if depthwise else filters)
    side.add(
        "DepthwiseConv2D" if depthwise else "Conv2D", name, source, in_height=height,
        in_width=width, out_height=(height + top + bottom - window[0]) // stride[0] + 1,
        out_width=(width + left + right - window[1]) // stride[1] + 1, n_chan=channels,
        n_filt=filters, depth_multiplier=1, filt_height=window[0],
        filt_width=window[1], stride_height=stride[0], stride_width=stride[1], pad_top=top,
        pad_bottom=bottom, pad_left=left, pad_right=right, bias_data=side.normal(filters),
        precision=precision,
        **{"depthwise_data" if depthwise else "weight_data": side.normal(*shape)},
    )  # fmt: skip


def pooling(side, name, kind, size, window, stride, pad=(0, 0, 0, 0), *, accum, result,
            count_pad=False, source="x"):  # fmt: skip
    height, width, channels = size
    top, bottom, left, right = pad
    side.add(
        f"{kind}Pooling2D", name, source, in_height=height, in_width=width,
        out_height=(height + top + bottom - window[0]) // stride[0] + 1,
        out_width=(width + left + right - window[1]) // stride[1] + 1, n_filt=channels,
        pool_height=window[0], pool_width=window[1], stride_height=stride[0],
        stride_width=stride[1], pad_top=top, pad_bottom=bottom, pad_left=left, pad_right=right,
        count_pad=count_pad, precision={"accum": accum, "result": result},
    )  # fmt: skip


def images() -> Side:
    """Two dimensions and channels."""
    size = (4, 5, 2)
    side = Side(size, "fixed<8,4,RND,SAT>")
    around = (1, 1, 1, 1)
    convolution(side, "same", size, (3, 3), 3, pad=around)
    convolution(side, "strided", size, (2, 3), 2, stride=(2, 2), precision=STEPWISE)
    convolution(side, "pointwise", size, (1, 1), 2, precision=STEPWISE)
    convolution(side, "sparse", size, (1, 1), 2, stride=(2, 2))
    convolution(side, "depthwise", size, (3, 3), 2, pad=around, depthwise=True)
    side.add(
        "SeparableConv2D", "separable", in_height=4, in_width=5, out_height=3, out_width=4,
        n_chan=2, n_filt=3, depth_multiplier=1, filt_height=2, filt_width=2, stride_height=1,
        stride_width=1, pad_top=0, pad_bottom=0, pad_left=0, pad_right=0,
        depthwise_data=side.normal(2, 2, 2, 1), pointwise_data=side.normal(1, 1, 2, 3),
        bias_data=side.normal(3),
        precision={"depthwise": "fixed<5,2>", "pointwise": "fixed<5,2>", "bias": "fixed<5,2>",
                   "depthwise_accum": "fixed<12,7>", "pointwise_accum": "fixed<14,8>",
                   "depthwise_result": "fixed<8,5,RND>", "result": "fixed<10,6>"},
    )  # fmt: skip
    same = {"accum": "fixed<8,4>", "result": "fixed<8,4>"}
    pooling(side, "max", "Max", size, (2, 2), (2, 2), accum="fixed<8,4>", result="fixed<6,4>")
    pooling(side, "max_padded", "Max", size, (3, 3), (2, 2), around, **same)
    side.add("Activation", "relu", activation="relu", n_in=40, keep=False,
             precision={"result": "ufixed<6,3>"})  # fmt: skip
    pooling(side, "max_unsigned", "Max", size, (3, 3), (2, 2), around, source="relu",
            accum="ufixed<6,3>", result="ufixed<6,3>")  # fmt: skip
    pooling(side, "mean", "Average", size, (2, 2), (2, 2), accum="fixed<12,6>",
            result="fixed<8,4>")  # fmt: skip
    pooling(side, "mean_padded", "Average", size, (3, 3), (1, 1), around, accum="fixed<14,8>",
            result="fixed<10,4>")  # fmt: skip
    pooling(side, "mean_counted", "Average", size, (3, 2), (1, 1), around, count_pad=True,
            accum="fixed<9,6,RND,SAT>", result="fixed<10,4>")  # fmt: skip
    whole = {"in_height": 4, "in_width": 5, "n_filt": 2}
    side.add("GlobalMaxPooling2D", "largest", **whole, precision=same)
    side.add("GlobalAveragePooling2D", "middle", **whole,
             precision={"accum": "fixed<14,9>", "result": "fixed<9,4>"})  # fmt: skip
    shape = {"in_height": 4, "in_width": 5, "n_chan": 2}
    side.add("ZeroPadding2D", "padded", **shape, out_height=6, out_width=6, pad_top=1,
             pad_bottom=1, pad_left=1, pad_right=0)  # fmt: skip
    side.add("Cropping2D", "cropped", **shape, out_height=2, out_width=4, crop_top=1,
             crop_bottom=1, crop_left=0, crop_right=1)  # fmt: skip
    side.add("UpSampling2D", "larger", **shape, out_height=8, out_width=15, algorithm="nearest")
    side.add("Transpose", "turned", perm=[2, 0, 1])
    return side


EQUATIONS = {
    "nc,cd->nd": ((3, 5), (4, 5), (5,)),
    "nc,ncd->nd": ((4, 3, 2), (4, 2), (4, 2)),
    "nc,cd->dn": ((3, 2), (2, 4), (2, 4)),
    "nc,nc->n": ((4, 3), (4,), (4,)),
    "nc,nd->dc": ((4, 2), (2, 3), (2, 3)),
    "nc,ncd->d": ((4, 3, 2), (2,), (2,)),
}
"""Of EinsumDense: shapes of the kernel, the result and the bias, for (4, 3) values."""


def particles() -> Side:
    """Rows of features: what taggers of jets are made of."""
    side = Side((4, 3), "fixed<8,4,RND,SAT>")
    side.add("Dense", "y", n_in=3, n_out=3, use_bias=True, weight_data=side.normal(3, 3),
             bias_data=side.normal(3), precision=EXACT | {"result": "fixed<9,5,RND>"})  # fmt: skip
    side.add("Conv1D", "conv", in_width=4, out_width=4, n_chan=3, n_filt=3, filt_width=3,
             stride_width=1, pad_left=1, pad_right=1, weight_data=side.normal(3, 3, 3),
             bias_data=side.normal(3), precision=EXACT)  # fmt: skip
    side.add("DepthwiseConv1D", "depthwise", in_width=4, out_width=3, n_chan=3, n_filt=3,
             depth_multiplier=1, filt_width=2, stride_width=1, pad_left=0, pad_right=0,
             depthwise_data=side.normal(2, 3, 1), bias_data=side.normal(3),
             precision=EXACT | {"accum": "fixed<8,5,RND_ZERO,SAT_SYM>"})  # fmt: skip
    pool = {"n_filt": 3, "n_in": 4}
    side.add("MaxPooling1D", "max", **pool, n_out=2, pool_width=2, stride_width=2, pad_left=0,
             pad_right=0, precision={"accum": "fixed<8,4>", "result": "fixed<8,4>"})  # fmt: skip
    side.add("AveragePooling1D", "mean", **pool, n_out=2, pool_width=3, stride_width=2, pad_left=1,
             pad_right=0, precision={"accum": "fixed<10,6>", "result": "fixed<9,4>"})  # fmt: skip
    side.add("GlobalAveragePooling1D", "middle", **pool,
             precision={"accum": "fixed<10,6,TRN,SAT>", "result": "fixed<9,4>"})  # fmt: skip
    for place, (equation, shapes) in enumerate(EQUATIONS.items()):
        kernel, result, bias = shapes
        side.add("EinsumDense", f"einsum_dense{place}", equation=equation, inp_shape=(4, 3),
                 out_shape=result, weight_data=side.normal(*kernel), bias_data=side.normal(*bias),
                 precision=STEPWISE if place % 2 else EXACT)  # fmt: skip
    merged = {"result": "fixed<12,7,RND_CONV,SAT>"}
    for name in ("add", "subtract", "multiply", "average", "maximum", "minimum"):
        side.add("Merge", name, "x", "y", op=name, precision=merged)
    for axis in (1, -1):
        side.add("Concatenate", f"both{axis % 3}", "x", "y", axis=axis, op="concatenate2d",
                 precision={"result": "fixed<7,4,RND,SAT>"})  # fmt: skip
    for name, source, width in (("of_x", "x", 8), ("of_y", "y", 9)):
        precision = dict.fromkeys(("accum", "result"), f"fixed<{width},{width - 4}>")
        side.add("GlobalMaxPooling1D", name, source, **pool, precision=precision)
    side.add("Dot", "dot", "of_x", "of_y", op="dot1d", axes=1,
             precision={"accum": "fixed<11,7,RND_CONV,SAT>", "result": "fixed<12,8>"})  # fmt: skip
    side.add("Merge", "repeated", "x", "of_y", op="multiply", precision=merged)
    results = {"nc,mc->nm": (4, 4), "nc,nd->cd": (3, 3), "nc,nc->cn": (3, 4)}
    for place, (equation, shape) in enumerate(results.items()):
        precision = {"accum": "fixed<12,8,RND_CONV,SAT>", "result": "fixed<14,9>"}
        side.add("Einsum", f"einsum{place}", "x", "y", equation=equation, inp0_shape=(4, 3),
                 inp1_shape=(4, 3), out_shape=shape, precision=precision)  # fmt: skip
    side.add("Transpose", "turned", perm=[1, 0])
    side.add("LayerNormalization", "normal", n_in=12, seq_len=4, axis=2, epsilon_power_of_10=3,
             gamma_data=side.normal(3), beta_data=side.normal(3), precision={
                 "scale": "fixed<8,3>", "bias": "fixed<8,3>", "result": "fixed<14,6>"})  # fmt: skip
    softmax(side, "rows", 12, n_outer=4, n_inner=1)
    softmax(side, "columns", 12, n_outer=1, n_inner=3)
    return side


def small() -> Side:
    """A few of all, for a compilation of seconds."""
    side = Side((3, 2), "fixed<7,3,RND,SAT>")
    side.add("Conv1D", "conv", in_width=3, out_width=3, n_chan=2, n_filt=2, filt_width=2,
             stride_width=1, pad_left=1, pad_right=0, weight_data=side.normal(2, 2, 2),
             bias_data=side.normal(2), precision=STEPWISE, keep=False)  # fmt: skip
    side.add("AveragePooling1D", "mean", "conv", n_filt=2, n_in=3, n_out=1, pool_width=3,
             stride_width=3, pad_left=0, pad_right=0,
             precision={"accum": "fixed<12,8>", "result": "fixed<9,6>"})  # fmt: skip
    side.add("Merge", "product", "x", "conv", op="multiply",
             precision={"result": "fixed<9,6,RND_CONV,SAT>"})  # fmt: skip
    side.add("Activation", "tanh", "x", activation="tanh", n_in=6, config={"TableSize": 64},
             precision={"table": "fixed<8,2>", "result": "fixed<8,2>"})  # fmt: skip
    softmax(side, "columns", 6, "x", n_outer=1, n_inner=2)
    return side


SIDES = {each.__name__: each for each in (activations, images, particles)}
