"""Encoders and decoders: what the flow knows of :class:`~matweave.hw.config.EncoderConfig`."""

from ...hw.config import EncoderConfig
from ...hw.transformer.sizes import GAIN, GATE_BITS
from ...sim.perf import transformer as perf
from ...sim.transformer.jobs import stream_bytes
from .engine import BITS_PER_BYTE, Configured, Multipliers, digits
from .gemm import Gemm, Lut


class Encoder(Configured):
    kind = "encoder"
    configuration = EncoderConfig

    def multipliers(self):
        """Those of the products with weights, of attention, and of sums and norms."""
        config, sizes, shape = self.config, self.config.sizes, self.config.attend.shape
        each = sizes.activation.width
        products = Lut if config.looks_up else Gemm
        return [
            *products(config.gemm).multipliers(),
            Multipliers("scores", shape.lanes * shape.dimension, (each, each)),
            Multipliers("values", shape.lanes * shape.dimension, (shape.exponential, each)),
            Multipliers("normaliser", shape.output_lanes, (shape.sum.width, 31)),
            # Of an element: two in its sum, its square, its quotient, its gain.
            Multipliers("norms", 5 * sizes.columns, (sizes.normalised.width, GAIN.width)),
            *[
                Multipliers("gates", sizes.columns, (each, each)),
                Multipliers("scales of gates", sizes.columns, (2 * each, GATE_BITS)),
            ]
            * sizes.gated,
        ]

    def faster(self, words):
        if "requantiser" in words and self.config.requantizers.multiplier_stages < 2:
            return "set requantizers.multiplier_stages = 2"
        return "lower array.rows, array.columns or attention.lanes"

    def smaller(self, resource, *, dsp):
        if resource == "BRAM":
            context = ", model.context" * self.config.model.causal
            return f"lower model.layers, model.hidden{context} or model.tokens"
        return "lower array.rows, array.columns or attention.lanes" + (
            ", or build with --no-dsp" if dsp else ""
        )

    def summary(self):
        config, model = self.config, self.config.model
        found = {
            **{name: getattr(model, name) for name in
               ("width", "heads", "kv_heads", "head", "hidden", "layers", "tokens", "context",
                "norm", "order")},
            "part": "decoder" if model.causal else "encoder",
            "array": config.array.kind,
            "pe": config.pe.kind,
            "activation": str(config.activation),
            "weight": str(config.weight),
        }  # fmt: skip
        about = (
            "transformer {part} of {layers} layers, {width} elements, {heads} heads, {hidden} "
            "hidden, {context} tokens, {activation} by {weight}, array {array} of {pe} PEs"
        ).format(**found)
        return found | {"about": about}

    def performance(self, clock_mhz, fmax_mhz, baud):
        """Of a job of the most tokens, of a decoder of one token at the end of its context; the
        model being there, by the cycle model; attention and norms take their cycles after the
        products."""
        config, sizes, model = self.config, self.config.sizes, self.config.model
        tokens = 1 if model.causal else model.tokens
        cycles = perf.predict(config, tokens, position=model.context - tokens)
        macs = tokens * sizes.weights
        moved = 2 * tokens * sizes.width * config.activation.lane_width // 8
        rate = digits(clock_mhz * 1e6 / cycles)
        what = f"sequences of {tokens} tokens"
        if model.causal:
            what = f"tokens, each after {model.context - 1} others,"
        return {
            "in_words": f"{rate:,.0f} {what} per second, {cycles:,} cycles",
            "clock_mhz": clock_mhz,
            "fmax_mhz": fmax_mhz,
            "tokens": tokens,
            "cycles": cycles,
            "us": digits(cycles / clock_mhz),
            "us_at_fmax": digits(cycles / fmax_mhz),
            "sequences_s": rate,
            "sequences_s_at_fmax": digits(fmax_mhz * 1e6 / cycles),
            "macs": macs,
            "macs_per_cycle": config.macs_per_cycle,
            "utilisation": round(macs / (config.macs_per_cycle * cycles), 4),
            "baud": baud,
            "sequence_bytes": moved,
            "model_bytes": sizes.weight_beats * stream_bytes(config)[0]["s_axis_b"]
            + 4 * (sizes.parameters + sizes.entries + sizes.angles),
            "sequences_s_over_link": digits(baud / BITS_PER_BYTE / moved),
        }

    def device(self, device):
        from ..host import EncoderDevice

        return EncoderDevice(device, self.config)
