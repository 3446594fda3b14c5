"""hls4ml's backend ``Matweave``: models to Verilog with hls4ml's own calls, and no HLS compiler.

hls4ml (1.3) finds it through the entry point group ``hls4ml.backends``::

    model = hls4ml.converters.convert_from_keras_model(keras_model, backend="Matweave")
    model.compile()        # writes Verilog and manifest, and compiles the Verilog with Verilator
    y = model.predict(x)   # every row through the RTL
    y, layers = model.trace(x)  # and the values of layers whose configuration says Trace
    model.build()          # LUTs, carries, registers, Fmax; with board= a bitstream

What cannot be built is refused with a :class:`~matweave.hw.errors.ConfigError` of one line.
"""

import functools
import importlib
import warnings
from pathlib import Path

import numpy as np
from hls4ml.backends import FPGABackend
from hls4ml.model.attributes import ConfigurableAttribute, TypeAttribute
from hls4ml.model.flow import register_flow
from hls4ml.model.layers import Layer, LayerNormalization
from hls4ml.model.optimizer import layer_optimizer, model_optimizer
from hls4ml.model.types import FixedPrecisionType, RoundingMode, SaturationMode
from hls4ml.writer.writers import Writer

from matweave.hw import output
from matweave.hw.errors import ConfigError, UserError, nearest, plain, shown
from matweave.hw.network.advice import advice
from matweave.hw.network.design import DEFAULT_FAMILY, Design, design
from matweave.hw.network.fold.matrix import DEFAULT_PE, checked_pe
from matweave.hw.network.fold.options import STREAM, cycles
from matweave.hw.network.layers import Input, Reshape
from matweave.hw.network.reading import read, reuse_factors
from matweave.hw.network.reading.nearest import TABLES, wanted_tables
from matweave.hw.network.reading.softmax import SOFTMAX, wanted_softmax
from matweave.hw.network.store import digest
from matweave.hw.network.timing import check
from matweave.hw.network.timing import family as known_family
from matweave.sim.golden import network as golden
from matweave.sim.network import NetworkSimulator
from matweave.sim.streams import EngineError

NAME = "Matweave"

IO_TYPES = ("io_parallel", "io_stream")
OURS = (
    "clock_period",
    "dsps",
    "family",
    "fold",
    "io_type",
    "luts",
    "pe",
    "softmax",
    "stages",
    "tables",
)
OTHERS = ("board", "part", "clock_uncertainty", "namespace", "write_weights_txt", "write_tar",
          "tb_output_stream", "write_emulation_constants")  # fmt: skip
"""What other backends take, and hls4ml's functions hand on: without effect here."""


LAYER_NORM = (
    ConfigurableAttribute("table_range_power2", default=0),
    ConfigurableAttribute("table_size", default=4096),
    TypeAttribute("table", default=FixedPrecisionType(
        8, 5, signed=False, rounding_mode=RoundingMode.RND_CONV,
        saturation_mode=SaturationMode.SAT)),
    TypeAttribute("accum", default=FixedPrecisionType(
        14, 4, signed=True, rounding_mode=RoundingMode.RND_CONV,
        saturation_mode=SaturationMode.SAT)),
)  # fmt: skip
"""What hls4ml's Vivado and Vitis backends say of LayerNormalization, and no other."""


class MatweaveWriter(Writer):
    """Writes ``PROJECT.v`` and ``PROJECT.json`` to the output directory, both or none. What its
    user should know of the model is a warning."""

    def write_hls(self, model):
        for line in advice(model):
            warnings.warn(line, stacklevel=2)
        made = made_of(model)
        output.write_folder(model.config.get_output_dir(), made.files)


class MatweaveBackend(FPGABackend):
    """Networks of constant weights: unrolled, one sample per clock cycle, folded, or streamed, one
    pixel per clock cycle."""

    def __init__(self):
        super().__init__(NAME)
        self.attribute_map[LayerNormalization] = [
            *self.attribute_map.get(LayerNormalization, []), *LAYER_NORM
        ]  # fmt: skip
        initial = register_flow(
            "init_layers", self._get_layer_initializers(), requires=["optimize"], backend=self.name
        )
        own = self.name.lower()
        passes = [f"{own}:skip_softmax", "infer_precision_types", f"{own}:trace_by_backend"]
        final = register_flow("optimize", passes, requires=[initial], backend=self.name)
        self._default_flow = register_flow(
            "ip", None, requires=["optimize", initial, final], backend=self.name
        )
        self._writer_flow = register_flow(
            "write", [f"{self.name.lower()}:write_hls"], requires=[self._default_flow],
            backend=self.name,
        )  # fmt: skip

    def get_default_flow(self):
        return self._default_flow

    def get_writer_flow(self):
        return self._writer_flow

    def create_initial_config(
        self, clock_period=None, stages=None, family=DEFAULT_FAMILY, io_type="io_parallel",
        softmax=SOFTMAX[0], tables=TABLES[0], fold=None, pe=DEFAULT_PE, dsps=0, luts=None, **others,
    ):  # fmt: skip
        """``clock_period`` (ns): as few stages as reach it; ``stages``: so many; by default as many
        as the layers want. ``family``: whose delays are assumed. ``softmax``: ``hls4ml``, with its
        tables, ``exact``, with finer ones, or ``model``: HGQ2's with its own. ``tables``: of other
        functions, ``hls4ml`` or ``exact``, right to half a last place for inputs of up to 12 bits.
        ``fold``: cycles per sample, by default the largest ReuseFactor; ``tokens``: one for each
        that the input's first axis counts. ``io_type``: ``io_parallel``, a sample per beat, or
        ``io_stream``: a pixel, or time step. ``pe``: what the arrays of layers with the strategy
        Resource are made of. ``dsps``: products of two values that may become DSP blocks; ``luts``:
        a budget that chooses cycles and arrays, of about so many LUTs and ``dsps`` multipliers."""
        for name in others:
            if name not in OTHERS:
                known = (*OURS, *OTHERS)
                raise ConfigError(
                    f"{plain(name)}: is not an option of the backend {NAME}; allowed are "
                    f"{', '.join(OURS)}{nearest(name, known)}"
                )
        checked(stages, clock_period, DEFAULT_FAMILY if family is None else family)
        wanted_softmax(softmax)
        wanted_tables(tables)
        return {
            "ClockPeriod": clock_period,
            "Stages": stages,
            "Family": family,
            "IOType": "io_parallel" if io_type is None else io_type,
            "Fold": fold,
            "DSPs": dsps,
            "LUTs": luts,
            "PE": checked_pe(DEFAULT_PE if pe is None else pe),
            "Softmax": SOFTMAX[0] if softmax is None else softmax,
            "Tables": TABLES[0] if tables is None else tables,
            "HLSConfig": {},
        }

    @layer_optimizer(Layer)
    def init_base_layer(self, layer):
        config = layer.model.config
        layer.set_attr("reuse_factor", config.get_reuse_factor(layer))
        layer.set_attr("strategy", config.get_strategy(layer))

    @model_optimizer()
    def write_hls(self, model):
        self.writer.write_hls(model)
        return True

    @model_optimizer()
    def trace_by_backend(self, model):
        """``ModelGraph.trace`` does not ask its backend, as ``predict`` does: it gets ours."""
        model.trace = functools.partial(self.trace, model)
        return False

    def compile(self, model):
        """Compile the Verilog; the path of the library, which hls4ml loads as well."""
        made = made_of(model)
        close(model)
        model._matweave_simulator = NetworkSimulator(made.verilog, made.manifest)
        model._matweave_compiled = digest(made.network)
        return str(model._matweave_simulator.path)

    def predict(self, model, x):
        """The RTL's results for all samples of ``x``: (samples, outputs), or (outputs,) for one
        sample, of the type of ``x`` if that is ``float32``, else ``float64``."""
        y, _ = self._predicted(model, x)
        return y[0] if len(y) == 1 else y

    def trace(self, model, x):
        """What :meth:`predict` gives, and the values of every layer whose configuration says
        ``Trace``, by name, (samples, …) in the
        layer's shape. Compiles the model first, where it is not.

        Results are the RTL's. Layers are not taken from the RTL, in which most have no place of
        their own: they are the golden model's, whose results must be the RTL's in every bit.
        Raises :class:`EngineError` where they are not.
        """
        if getattr(model, "_matweave_compiled", None) != digest(read(model)):
            model.compile()
        y, network = self._predicted(model, x)
        raw = golden.quantised(np.asarray(x).reshape(len(y), -1), network.input.result)
        values = {
            name: (found * 2.0 ** -network[name].result.fraction).astype(y.dtype)
            for name, found in golden.trace(network, raw).items()
        }
        if not np.array_equal(values[network.output], y):
            raise EngineError("trace: the RTL's results are not the golden model's")
        traced = {
            each.name: values[each.name].reshape(len(y), *each.shape)
            for each in network.layers
            if not isinstance(each, Input | Reshape)
            and model.graph[each.name].get_attr("trace", False)
        }
        return (y[0] if len(y) == 1 else y), traced

    def _predicted(self, model, x):
        """The RTL's results, (samples, outputs), and the network that it was made of."""
        simulator = getattr(model, "_matweave_simulator", None)
        if simulator is None:
            raise UserError("model: is not compiled; call compile() first")
        network = read(model)
        if digest(network) != model._matweave_compiled:
            raise UserError("model: was changed after compile(); call compile() again")
        x = np.asarray(x)
        try:
            y = simulator.predict(x, network.input.result)
        except ValueError as error:
            raise UserError(plain(error)) from None
        return y.astype(np.float32 if x.dtype == np.float32 else np.float64), network

    def build(
        self, model, family=None, place=None, seeds=1, board=None, bitstream=None, clock=None
    ):
        """Resources and timing in the form of hls4ml's reports (:mod:`.hls4ml_build`), and with
        ``board`` a bitstream.

        ``family``: of the network made for that one, not for the model's own. ``place``: place and
        route the pipeline ``seeds`` times by itself, where open tools can (ECP5); by default where
        they are installed. ``board``: the network with its host link for that board, unless
        ``bitstream`` is False, in the folder ``BOARD`` of the output directory; ``clock`` in MHz,
        by default the model's ClockPeriod, or the board's.
        """
        from . import hls4ml_build

        wanted = hls4ml_build.checked(family, place, seeds, board, bitstream, clock)
        made = made_of(model, wanted.family)
        options = {key: model.config.get_config_value(key) for key in ("Stages", "ClockPeriod")}
        return hls4ml_build.build(made, wanted, options, Path(model.config.get_output_dir()))


def made_of(model, family: str | None = None) -> Design:
    """The design of a ModelGraph, made once for its layers and options; ``family`` instead of the
    model's own."""
    config = model.config
    stages, period, own = (
        config.get_config_value(key) for key in ("Stages", "ClockPeriod", "Family")
    )
    network = read(model)  # weights and precisions may have changed since
    most, layers = reuse_factors(model, network)
    fold = wanted_fold(network, *(config.get_config_value(key) for key in ("IOType", "Fold")))
    luts, dsps = config.get_config_value("LUTs"), config.get_config_value("DSPs") or 0
    if fold is None and luts is None and most > 1:
        fold = _without_fold(network, most, layers)
    pe = checked_pe(config.get_config_value("PE") or DEFAULT_PE)
    wanted = *checked(stages, period, family or own or DEFAULT_FAMILY), fold, layers, pe, dsps, luts
    key = wanted, digest(network)
    made = getattr(model, "_matweave_design", None)
    if made is None or made[0] != key:
        stages, period, family, *_ = wanted
        made = key, design(
            network, fold=fold, reuse=layers or None, pe=pe, stages=stages, period=period,
            family=family, dsps=dsps, luts=luts,
        )  # fmt: skip
        model._matweave_design = made
    return made[1]


def wanted_fold(network, io_type, fold) -> int | str | None:
    """What is said of cycles per sample; raises for options that cannot be, or not together."""
    if io_type not in IO_TYPES:
        raise ConfigError(
            f"io_type: {shown(io_type)} is none; allowed are {', '.join(IO_TYPES)}"
            f"{nearest(str(io_type), IO_TYPES)}"
        )
    streamed = io_type == IO_TYPES[1]
    if streamed and fold not in (None, STREAM):
        raise ConfigError(
            f"fold: must be left out with io_type='io_stream', which takes a pixel per cycle, not "
            f"{shown(fold)}"
        )
    cycles(network, fold)
    return STREAM if streamed else fold


def _without_fold(network, most: int, layers) -> int | None:
    """Cycles per sample by the largest ReuseFactor. Of several axes the first would count tokens,
    which nobody asked to take turns: then layers on arrays alone say how many there are."""
    if len(network.input.shape) == 1:
        return most
    if not layers:
        raise ConfigError(
            f"ReuseFactor: {most} with the strategy Latency is for inputs of one axis; give the "
            "layer the strategy Resource, or fold the model's tokens (fold)"
        )
    return None


def checked(stages, period, family) -> tuple[int | None, float | None, str]:
    """The backend's options; raises for what none of them can be."""
    check(stages, period, "Stages", "ClockPeriod")
    if not isinstance(family, str):
        raise ConfigError(f"Family: must be a name, not {shown(family)}")
    known_family(family)
    return (
        None if stages is None else int(stages), None if period is None else float(period), family
    )  # fmt: skip


def close(model) -> None:
    """End the simulator of a model that was compiled before."""
    simulator = getattr(model, "_matweave_simulator", None)
    if simulator is not None:
        simulator.close()


def register(*, register_backend, register_writer):
    """What the entry point names: hls4ml calls it as it is imported."""
    importlib.import_module("matweave.hls4ml_handlers")
    register_writer(NAME, MatweaveWriter)
    register_backend(NAME, MatweaveBackend)
