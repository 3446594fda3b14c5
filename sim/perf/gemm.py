"""Cycles of a GEMM job whose streams never stall, exactly.

Cycle 0 is that of the first operand accepted (A, B and C0 open together); :func:`predict` counts
up to the last result given, both included. C0, bias, ReLU and requantisation of a job change
nothing: the stages that an engine has are always passed.
"""

from matweave.hw.config import GemmConfig
from matweave.hw.geometry import Stationary
from matweave.hw.weights import WeightFormat

BUFFER = 1
"""Cycles from an issue to the array's input: operands are read from block RAM."""

REQUANTIZER = 2
"""Stages of the requantiser behind its multiplication, where one is built in."""


def predict(
    config: GemmConfig,
    m: int,
    n: int,
    k: int,
    b_format: WeightFormat | None = None,
    groups: int = 1,
) -> int:
    """Cycles of an ``m`` × ``n`` × ``k`` job, where they do not depend on its data. ``b_format``:
    of a job that says it itself, else the configuration's; ``groups``: each of ``k`` elements."""
    if config.array.kind == "digit_serial":
        raise ValueError("cycles of a digit_serial array depend on A: predict_serial(config, a, n)")
    stationary = config.geometry.stationary
    if stationary is Stationary.OUTPUT:
        steps = config.b_beats(config.b if b_format is None else b_format)
        issued = _output_stationary(config, m, n, k, steps, groups)
    else:
        issued = _weight_stationary(config, m, n, k)
    return issued + BUFFER + array_latency(config) + output_latency(config) + 1


def utilisation(config: GemmConfig, m: int, n: int, k: int) -> float:
    """Useful multiply-accumulates over those that the array could do in that time."""
    return m * n * k / (config.macs_per_cycle * predict(config, m, n, k))


def array_latency(config: GemmConfig) -> int:
    """Cycles from the last operands of a tile to its first row, or from a row of A to its sums."""
    facts = config.pe_facts
    return _wires(config) + facts.edge_latency + facts.resolve_latency


def _wires(config: GemmConfig) -> int:
    """What of it the array takes with a PE that neither recodes nor resolves."""
    array = config.array
    match array.kind:
        case "tree":
            return array.pipeline
        case "weight_stationary":
            return (
                _tiles(array.rows, array.tile_rows) + _tiles(array.columns, array.tile_columns) - 1
            )
        case "output_stationary":
            # Accumulator and output register; a hold register where a tile's rows finish together.
            skew = _tiles(array.columns, array.tile_columns) - 1
            return 2 + (array.tile_rows > 1) + skew
        case "matrix" | "cube":  # one tile
            return 2 + (array.rows > 1) + array.pipeline
        case "lookup":
            # Columns' registers, products, accumulators, a hold register, the bus's, corrected,
            # and behind a multiplication by zero points, or of floats by z'.
            return 5 + (array.rows > 1) + (config.subtracts_zeros or config.floats)
    raise ValueError(f"no cycle model for {array.kind}")


def output_latency(config: GemmConfig) -> int:
    """Cycles from a row of sums to its beat of C; C0 and bias are added to floats one by one."""
    if config.floats:
        return 2
    return 1 if config.output.mode == "raw" else 1 + REQUANTIZER + config.output.multiplier_stages


def _tiles(size: int, tile: int) -> int:
    return -(-size // tile)


def _output_stationary(config: GemmConfig, m: int, n: int, k: int, steps: int, groups: int) -> int:
    """Cycle in which the last row of the last tile was as good as issued.

    A block is issued in the cycle in which its beats arrive, or whenever they are used again;
    a tile takes one cycle per block (``steps``, of bit-serial weights), but at least as many as
    the array has rows, because that is how fast it gives them.
    """
    g = config.geometry
    blocks, tiles = _tiles(k, g.k) * steps, _tiles(m, g.m) * _tiles(n, g.n) * groups
    rows = m - (_tiles(m, g.m) - 1) * g.m  # of the last tile
    return blocks - 1 + (tiles - 1) * max(blocks, g.m) + rows - 1


def _weight_stationary(config: GemmConfig, m: int, n: int, k: int) -> int:
    """Cycle in which the last row of A was issued against the last block of B.

    Blocks of B load one row per cycle into two banks; a bank is free in the cycle after the last
    row of A was issued against it. The rows of A follow each other without gaps as long as the
    next block is there in the cycle in which it is needed.
    """
    g = config.geometry
    sizes = [g.k] * (k // g.k) + [k % g.k] * (k % g.k != 0)
    panels = _tiles(n, g.n)
    loaded, ended, before = -1, -1, -1  # block loaded, block used up, the block before used up
    shift = None
    for panel in range(panels):
        start = loaded
        for size in sizes:
            loaded = max(loaded, before) + size
            before, ended = ended, max(ended + 1, loaded) + m - 1
        # Once a panel leaves the same picture as the one before, so do all others.
        picture = (loaded - start, ended - loaded, before - loaded)
        if picture == shift:
            return ended + (panels - 1 - panel) * picture[0]
        shift = picture
    return ended
