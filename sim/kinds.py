"""What the simulators must know of each kind of engine: its streams, counters and jobs.

A job of any kind has ``checked(config)``, ``pack(config, fill)`` (beats by input stream),
``registers(config)`` (writes, the start last), ``beats(config)`` (how many, by stream),
``unpack(config, beats)`` (its result), ``expected(config)`` (the golden model's), and
``utilisation(config, cycles)`` (of its multiply-accumulates).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from .attention import jobs as attention
from .perf import transformer as perf
from .registers import COUNTERS, READ_WRITE, AttentionRegister, EncoderRegister, Register
from .transformer import jobs as transformer


@dataclass(frozen=True)
class Kind:
    """``inputs``, ``outputs``: port prefix by stream. ``stream_bytes(config)``: bytes per beat by
    prefix, of both. ``counters``: addresses by name. ``case(config, seed, index, largest)``: a job
    for an engine that has done none; ``None`` for networks, which take samples. ``sequence(config,
    seed, count, largest)``: jobs one after another, where these are others. ``registers``: the
    enumeration of all addresses, of which those in ``writable`` are written before a start.
    ``benches``: modules of :mod:`.benches` that make up a regression. ``silence(config)``: cycles
    for which an engine may work without any handshake."""

    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    stream_bytes: Callable
    counters: Mapping[str, int]
    case: Callable | None
    benches: tuple[str, ...]
    registers: type | None = None
    writable: tuple[str, ...] = ()
    silence: Callable = lambda config: 0
    sequence: Callable | None = None

    def cases(self, config, seed: int, count: int, largest: int | None = None) -> Iterator:
        """``count`` jobs for an engine that does them one after another."""
        if self.sequence is not None:
            return self.sequence(config, seed, count, largest)
        return (self.case(config, seed, index, largest) for index in range(count))


def of(config) -> Kind:
    """The kind of the engine of ``config``."""
    if config.kind == "network":
        return Kind(
            inputs={"x": "s_axis_x"}, outputs={"y": "m_axis_y"}, stream_bytes=_of_network,
            counters={}, case=None, benches=("samples",),
        )  # fmt: skip
    if config.kind == "attention":
        return Kind(
            inputs={name: f"s_axis_{name}" for name in ("qkvg" if config.shape.k_bits else "qkv")},
            outputs={"o": "m_axis_o"},
            stream_bytes=attention.stream_bytes,
            counters={name: AttentionRegister[name] for name in attention.COUNTERS},
            case=attention.case,
            benches=("jobs", "attention_registers", "faults"),
            registers=AttentionRegister,
            writable=attention.WRITTEN,
        )
    if config.kind == "encoder":
        return Kind(
            inputs={name: f"s_axis_{name}" for name in ("b", "p", "x")},
            outputs={"y": "m_axis_y"},
            stream_bytes=transformer.stream_bytes,
            counters={name: EncoderRegister[name] for name in transformer.COUNTERS},
            case=transformer.case,
            benches=(
                "jobs",
                "encoder_registers",
                *["decoder_registers"] * config.model.causal,
                "faults",
            ),
            registers=EncoderRegister,
            writable=transformer.WRITTEN,
            silence=_longest,
            sequence=transformer.cases,
        )
    from . import cases, native

    return Kind(
        inputs={name: f"s_axis_{name}" for name in ("a", "b", "c0")},
        outputs={"c": "m_axis_c"},
        stream_bytes=native.stream_bytes,
        counters={name: Register[name] for name in COUNTERS},
        case=cases.case,
        benches=("jobs", "registers", "faults"),
        registers=Register,
        writable=READ_WRITE,
    )


def _longest(config) -> int:
    """Cycles of a transformer's longest job, but for its model's."""
    model = config.model
    return perf.predict(config, model.tokens, position=model.context - model.tokens)


def generated(config):
    """What is generated from a configuration: ``verilog`` and ``manifest``."""
    if config.kind == "network":
        return config.design
    from matweave.hw.emit import generate

    return generate(config)


def _of_network(config) -> tuple[dict[str, int], dict[str, int]]:
    from . import network

    streams = config.design.manifest["streams"]
    return tuple(
        {streams[name]["prefix"]: network.beat_bytes(streams[name])} for name in ("input", "output")
    )
