"""Networks as pipelines: what the flow knows of a network's configurations."""

import dataclasses

from ...hw.formats import Format
from ...hw.network import config as configurations
from ...hw.network.fold.matrix import DEFAULT_PE
from .engine import BITS_PER_BYTE, Engine, Multipliers, digits

OPTIMISM = 0.8
"""Of the clock's period, what the delay model may use up: placement with a link beside it, on a
device that is not empty, is worse than the model's."""
DELAYS = {"gowin": "ecp5", "nexus": "ecp5"}
"""Families without delays of their own, and those that are nearest: LUT4 with carry chains."""


class NetworkEngine(Engine):
    kind = configurations.KIND
    configuration = configurations.NetworkConfig

    @staticmethod
    def reads(origin):
        return str(origin).endswith(configurations.SUFFIX)

    @staticmethod
    def load(origin, overrides):
        return configurations.load(origin, overrides)

    @staticmethod
    def from_tables(tables, label):
        return configurations.from_tables(tables, label)

    def fitted(self, family, mhz):
        """As few stages as should reach the clock, by the family's delays, unless they are
        given."""
        config = self.config
        if config.family is None:
            config = dataclasses.replace(config, family=DELAYS.get(family, family))
        if config.stages is None and config.period is None:
            config = dataclasses.replace(config, period=digits(OPTIMISM * 1e3 / mhz))
        return config

    def linked(self, clock_frequency, baud):
        from ...hw.network.linked import linked_verilog

        return linked_verilog(self.config, clock_frequency, baud)

    def multipliers(self):
        """Those of the arrays; all else are additions."""
        arrays = self.config.design.manifest["arrays"]
        if not arrays:
            return []
        widths = [max(Format.parse(each[side]).width for each in arrays) for side in "ab"]
        pe = arrays[0]["pe"]
        recoded = None if pe == DEFAULT_PE else f"PE {pe}"
        count = sum(each["multipliers"] for each in arrays)
        return [Multipliers("array", count, tuple(widths), recoded)]

    def faster(self, words):
        return f"give it more stages than {self._stages} (--set stages=...)"

    def smaller(self, resource, *, dsp):
        if resource in ("FF", "BRAM"):
            return f"give it fewer stages than {self._stages} (--set stages=...)"
        if resource == "DSP":
            return "give its layers more cycles (--set reuse=...), or another PE (--set pe=ent)"
        return (
            "give it a budget, which folds it (--set luts=..., with --set dsps=...), prune it, or "
            "quantise it to fewer bits"
        )

    @property
    def _stages(self) -> int:
        return sum(each.count for each in self.config.design.stages.placed)

    @property
    def _facts(self) -> dict:
        return self.config.design.manifest["performance"]

    def summary(self):
        network = self.config.network
        first, last = network.input, network[network.output]
        found = {
            "layers": len(network.layers),
            "inputs": first.size,
            "outputs": last.size,
            "input": str(first.result),
            "output": str(last.result),
            "weights": sum(each.n_products for each in network.layers),
            "stages": self._stages,
        }
        about = (
            "network of {layers} layers, {weights:,} weights that are not zero, {inputs} inputs "
            "{input}, {outputs} outputs {output}, in {stages} stages"
        ).format(**found)
        return found | {"about": about}

    def performance(self, clock_mhz, fmax_mhz, baud):
        """Latency is from a sample accepted to its result offered; rates are samples per second
        with streams that never wait, and over the line, without framing."""
        facts, streams = self._facts, self.config.design.manifest["streams"]
        cycles, interval = facts["latency"], facts["initiation_interval"]
        beat = {
            name: stream["lane_width"] * len(stream["values"]) // 8
            for name, stream in streams.items()
        }
        moved = sum(beat.values())
        ns = digits(cycles * 1e3 / clock_mhz)
        rate = digits(clock_mhz * 1e6 / interval)
        return {
            "in_words": f"{rate:,.0f} samples/s, each after {cycles} cycles, {ns:.4g} ns",
            "clock_mhz": clock_mhz,
            "fmax_mhz": fmax_mhz,
            "latency_cycles": cycles,
            "interval_cycles": interval,
            "latency_ns": ns,
            "latency_ns_at_fmax": digits(cycles * 1e3 / fmax_mhz),
            "samples_s": rate,
            "samples_s_at_fmax": digits(fmax_mhz * 1e6 / interval),
            "macs_per_cycle": facts["macs_per_cycle"],
            "gmac_s": digits(facts["macs_per_cycle"] * clock_mhz / 1e3),
            "baud": baud,
            "sample_bytes": beat["input"],
            "result_bytes": beat["output"],
            "stream_bytes_s": digits(moved * rate),
            "samples_s_over_link": digits(baud / BITS_PER_BYTE / moved),
        }

    def device(self, device):
        from ..host import NetworkDevice

        return NetworkDevice(device, self.config)
