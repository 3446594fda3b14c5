"""Small networks of images and time series, whose pixels or steps can come one by one."""

from .hls4ml_layers import EXACT, STEPWISE, Side, convolution, pooling, softmax

AROUND = (1, 1, 1, 1)
FINE = "fixed<12,7>"


def relu(side, name, source, count, *, result="ufixed<6,4,RND,SAT>"):
    side.add("Activation", name, source, activation="relu", n_in=count,
             precision={"result": result})  # fmt: skip


def dense(side, name, source, inputs, outputs):
    side.add("Dense", name, source, n_in=inputs, n_out=outputs, use_bias=True,
             weight_data=side.normal(inputs, outputs), bias_data=side.normal(outputs),
             precision=EXACT)  # fmt: skip


def flat(side, name, source):
    side.add("Reshape", name, source, target_shape=[-1])


def along(side, name, source, size, window, filters, *, stride=1, pad=(0, 0), precision=EXACT):
    """A Conv1D; ``size``: (steps, channels)."""
    steps, channels = size
    side.add("Conv1D", name, source, in_width=steps, n_chan=channels, n_filt=filters,
             out_width=(steps + sum(pad) - window) // stride + 1, filt_width=window,
             stride_width=stride, pad_left=pad[0], pad_right=pad[1],
             weight_data=side.normal(window, channels, filters), bias_data=side.normal(filters),
             precision=precision)  # fmt: skip


def pooled_along(side, name, kind, source, size, window, *, result=FINE):
    steps, channels = size
    side.add(f"{kind}Pooling1D", name, source, n_filt=channels, n_in=steps, n_out=steps // window,
             pool_width=window, stride_width=window, pad_left=0, pad_right=0,
             precision={"accum": "fixed<16,9>", "result": result})  # fmt: skip


def classifier() -> Side:
    """Padded and unpadded convolutions, pooling, a Dense of all that is left."""
    side = Side((8, 8, 2), "fixed<6,3,RND,SAT>")
    convolution(side, "first", (8, 8, 2), (3, 3), 3, pad=AROUND)
    relu(side, "relu", "first", 192)
    pooling(side, "max", "Max", (8, 8, 3), (2, 2), (2, 2), accum="ufixed<6,4>",
            result="ufixed<6,4>", source="relu")  # fmt: skip
    convolution(side, "second", (4, 4, 3), (3, 3), 4, source="max", precision=STEPWISE)
    flat(side, "flat", "second")
    dense(side, "dense", "flat", 16, 5)
    return side


def series() -> Side:
    """One dimension, to a softmax."""
    side = Side((12, 3), "fixed<6,3,RND,SAT>")
    along(side, "first", "x", (12, 3), 3, 3, pad=(1, 1))
    relu(side, "relu", "first", 36)
    pooled_along(side, "mean", "Average", "relu", (12, 3), 2)
    along(side, "second", "mean", (6, 3), 3, 2, stride=2, pad=(0, 1))
    flat(side, "flat", "second")
    dense(side, "dense", "flat", 6, 4)
    softmax(side, "softmax", 4, "dense")
    return side


def residual() -> Side:
    """Skip connections over convolutions; the mean of all pixels."""
    side = Side((5, 6, 2), "fixed<6,3,RND,SAT>")
    convolution(side, "first", (5, 6, 2), (3, 3), 2, pad=AROUND)
    relu(side, "relu", "first", 60)
    convolution(side, "second", (5, 6, 2), (3, 3), 2, pad=AROUND, source="relu")
    side.add("Merge", "added", "second", "relu", op="add", precision={"result": FINE})
    convolution(side, "branch", (5, 6, 2), (1, 1), 2, source="added")
    side.add("Concatenate", "both", "branch", "added", axis=-1, op="concatenate3d",
             precision={"result": FINE})  # fmt: skip
    convolution(side, "third", (5, 6, 4), (2, 3), 3, source="both")
    side.add("GlobalAveragePooling2D", "mean", "third", in_height=4, in_width=4, n_filt=3,
             precision={"accum": "fixed<18,12>", "result": FINE})  # fmt: skip
    dense(side, "dense", "mean", 3, 3)
    return side


def strided() -> Side:
    """Strides that leave no pixel in some places; the result is an image."""
    side = Side((7, 7, 1), "fixed<6,3,RND,SAT>")
    convolution(side, "first", (7, 7, 1), (3, 3), 3, pad=AROUND, stride=(2, 2))
    relu(side, "relu", "first", 48)
    convolution(side, "second", (4, 4, 3), (3, 3), 3, pad=AROUND, source="relu", depthwise=True)
    convolution(side, "third", (4, 4, 3), (1, 1), 2, source="second")
    pooling(side, "max", "Max", (4, 4, 2), (2, 2), (2, 2), accum="fixed<10,6>",
            result="fixed<10,6>", source="third")  # fmt: skip
    return side


def uneven() -> Side:
    """Padding on two sides, a separable convolution, overlapping windows of padded maxima, and a
    last row and column that nothing takes."""
    side = Side((6, 7, 2), "fixed<6,3,RND,SAT>")
    side.add(
        "SeparableConv2D", "first", in_height=6, in_width=7, out_height=6, out_width=7, n_chan=2,
        n_filt=3, depth_multiplier=1, filt_height=2, filt_width=2, stride_height=1, stride_width=1,
        pad_top=0, pad_bottom=1, pad_left=0, pad_right=1, depthwise_data=side.normal(2, 2, 2, 1),
        pointwise_data=side.normal(1, 1, 2, 3), bias_data=side.normal(3),
        precision={"depthwise": "fixed<5,2>", "pointwise": "fixed<5,2>", "bias": "fixed<5,2>",
                   "depthwise_accum": "fixed<16,9>", "pointwise_accum": "fixed<18,10>",
                   "depthwise_result": "fixed<8,5,RND>", "result": "fixed<10,6>"},
    )  # fmt: skip
    pooling(side, "wide", "Max", (6, 7, 3), (3, 3), (1, 1), AROUND, accum="fixed<10,6>",
            result="fixed<10,6>", source="first")  # fmt: skip
    pooling(side, "max", "Max", (6, 7, 3), (4, 3), (4, 3), accum="fixed<10,6>",
            result="fixed<10,6>", source="wide")  # fmt: skip
    flat(side, "flat", "max")
    dense(side, "dense", "flat", 6, 3)
    return side


def digits() -> Side:
    """8 × 8 pixels of handwritten digits: two convolutions of 8 and 16 filters, and a Dense."""
    side = Side((8, 8, 1), "ufixed<4,4,RND,SAT>")
    convolution(side, "first", (8, 8, 1), (3, 3), 8, pad=AROUND)
    relu(side, "relu", "first", 512, result="ufixed<6,5,RND,SAT>")
    pooling(side, "max", "Max", (8, 8, 8), (2, 2), (2, 2), accum="ufixed<6,5>",
            result="ufixed<6,5>", source="relu")  # fmt: skip
    convolution(side, "second", (4, 4, 8), (3, 3), 16, pad=AROUND, source="max",
                precision=EXACT | {"accum": "fixed<20,13>", "result": "fixed<14,10>"})  # fmt: skip
    relu(side, "relu2", "second", 256, result="ufixed<6,6,RND,SAT>")
    pooling(side, "max2", "Max", (4, 4, 16), (2, 2), (2, 2), accum="ufixed<6,6>",
            result="ufixed<6,6>", source="relu2")  # fmt: skip
    flat(side, "flat", "max2")
    dense(side, "dense", "flat", 64, 10)
    return side


IMAGES = {each.__name__: each for each in (classifier, series, residual, strided, uneven, digits)}
"""By name."""
NOT_THEIRS = ("uneven",)
"""Those that hls4ml's ``io_stream`` does not build: its pooling has no padding."""
