"""A network's adder graph and its pipeline, sample by sample, in Amaranth's simulator."""

import numpy as np
from amaranth.sim import Simulator

from matweave.hw.network.fold.plan import Folded
from matweave.hw.network.fold.sections import fold
from matweave.hw.network.graph import Graph
from matweave.hw.network.layers import Network
from matweave.hw.network.pipeline import Stages
from matweave.hw.network.rtl import Pipeline, lanes


def unfolded(network: Network) -> tuple[Folded, Graph]:
    """A network in one cycle per sample, and the graph of its one section."""
    folded = fold(network, 1)
    (section,) = folded.sections
    return folded, section.graph


def packed(graph: Graph, indices, row) -> int:
    """The bits of the nodes ``indices``, whose values are ``row``."""
    places = lanes(graph, indices)
    return sum((int(v) & ((1 << w) - 1)) << at for v, (at, w) in zip(row, places, strict=True))


def simulated(graph: Graph, stages: Stages, x: np.ndarray) -> list[int]:
    """What the pipeline gives for the rows of ``x``, back to back: the bits of its outputs."""
    dut, outputs = Pipeline(graph=graph, stages=stages), []

    async def bench(ctx):
        for cycle in range(len(x) + dut.latency):
            if cycle < len(x):
                ctx.set(dut.i, packed(graph, graph.inputs, x[cycle]))
            if cycle >= dut.latency:
                outputs.append(ctx.get(dut.o))
            await ctx.delay(1e-8)  # a period: there may be no clock

    simulator = Simulator(dut)
    simulator.add_clock(1e-8, if_exists=True)  # results may all be constants
    simulator.add_testbench(bench)
    simulator.run()
    return outputs


def raw_results(folded: Folded, network: Network, nodes: np.ndarray) -> np.ndarray:
    """Values of the output nodes as raw integers of the result's format."""
    fraction = network[network.output].result.fraction
    columns = []
    for column, exponent in zip(nodes.T, folded.exponents, strict=True):
        shift = exponent + fraction
        column = column.astype(object)
        assert shift >= 0 or not np.any(column % (1 << -shift))
        columns.append(column * (1 << shift) if shift >= 0 else column // (1 << -shift))
    return np.stack(columns, axis=1)
