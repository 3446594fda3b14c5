"""The parts of an encoder, each against its definition."""

import dataclasses
import itertools

import numpy as np
import pytest
from amaranth.hdl import ClockDomain, Module
from amaranth.sim import Simulator

from matweave.hw import config
from matweave.hw.attention.affine import Affine
from matweave.hw.attention.lookup import Lookup
from matweave.hw.formats import Format
from matweave.hw.transformer import walk
from matweave.hw.transformer.fetch import Fetch
from matweave.hw.transformer.gather import Gather
from matweave.hw.transformer.memory import Replay
from matweave.hw.transformer.sizes import HEADER, Kind
from matweave.sim import ports
from matweave.sim.golden.attention import integers

SIZES = config.load("tiny_encoder").sizes
DECODER = config.load("tiny_decoder").sizes


def run(dut, script):
    """``script(ctx, dut)`` on a component just out of reset."""
    top = Module()
    top.domains.sync = ClockDomain()
    top.submodules.dut = dut
    simulator = Simulator(top)
    simulator.add_clock(1e-6)

    async def testbench(ctx):
        await script(ctx, dut)

    simulator.add_testbench(testbench)
    simulator.run()


def expected_walk(loops, sizes, tokens, words, stride, offset):
    """(address, row, sub, rows that are tokens) in the order of nested loops."""
    panels = -(-tokens // sizes.rows)
    ranges = {
        "sub": range(sizes.subs),
        "word": range(words),
        "part": range(sizes.parts),
        "row": range(sizes.rows),
        "panel": range(panels),
        "query": range(tokens),
        "head": range(sizes.heads),
    }
    for values in itertools.product(*(ranges[name] for name in reversed(loops))):
        at = dict(zip(reversed(loops), values, strict=True))
        size = min(sizes.rows, tokens - at["panel"] * sizes.rows)
        if at.get("row", 0) >= size:
            continue
        word = at.get("word", 0) + at.get("part", 0) + at.get("head", 0) * sizes.parts
        address = at["panel"] * stride + offset + word
        yield address, at.get("row", 0), at.get("sub", 0), (1 << size) - 1


ORDERS = {
    "operands": lambda sizes: walk.OPERANDS,
    "tiles": lambda sizes: walk.TILES,
    "tokens": lambda sizes: walk.TOKENS,
    "heads": walk.heads,
    "keys": walk.keys,
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("tokens", [1, 4, 7, 10])
def test_a_walk_is_its_nested_loops(order, tokens):
    sizes = dataclasses.replace(SIZES, tokens=10, columns=4, depth=2, hidden=16, width=24, heads=3,
                                kv_heads=3, head=8)  # fmt: skip
    loops = ORDERS[order](sizes)
    words, stride, offset = sizes.words, sizes.strides[1], 2
    wanted = list(expected_walk(loops, sizes, tokens, words, stride, offset))
    same_walk(walk.Walk(sizes=sizes, loops=loops), wanted, tokens=tokens, words=words,
              stride=stride, offset=offset)  # fmt: skip


def decoder_walk(order, sizes, position, tokens, words, stride, offset):
    """(address, row, sub, rows that are the job's) of a decoder's job, from positions."""
    first, group = position % sizes.rows, sizes.group
    own = range(position, position + tokens)

    def panels(positions):
        return range(positions[0] // sizes.rows, positions[-1] // sizes.rows + 1)

    def keep(panel, positions):
        at = (panel * sizes.rows + row for row in range(sizes.rows))
        return sum((place in positions) << row for row, place in enumerate(at))

    def place(panel, word):
        """Local regions begin with the panel of the first token."""
        return (panel - position // sizes.rows) * stride + offset + word

    if order == "operands":
        for panel, word, sub in itertools.product(panels(own), range(words), range(sizes.subs)):
            yield place(panel, word), 0, sub, keep(panel, own)
    elif order == "tiles":
        for panel, word in itertools.product(panels(own), range(words)):
            rows = min(sizes.rows, first + tokens - (panel - panels(own)[0]) * sizes.rows)
            for row in range(rows):
                yield place(panel, word), row, 0, keep(panel, own)
    elif order == "tokens":
        for at, word in itertools.product(own, range(words)):
            panel = at // sizes.rows
            yield place(panel, word), at % sizes.rows, 0, keep(panel, own)
    elif order == "heads":
        for head, at, part in itertools.product(range(sizes.kv_heads), own,
                                                range(group * sizes.parts)):  # fmt: skip
            word, panel = head * group * sizes.parts + part, at // sizes.rows
            yield place(panel, word), at % sizes.rows, 0, keep(panel, own)
    else:
        for head, at, _ in itertools.product(range(sizes.kv_heads), own, range(group)):
            seen = range(at + 1)
            for panel, part in itertools.product(panels(seen), range(sizes.parts)):
                yield panel * stride + offset + head * sizes.parts + part, 0, 0, keep(panel, seen)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kv_heads", [1, 2, 4])
@pytest.mark.parametrize(("position", "tokens"), [(0, 6), (3, 1), (3, 6), (6, 2), (8, 1), (8, 6)])
def test_a_decoder_s_walk_has_the_job_s_tokens_and_the_keys_before_them(
    order, kv_heads, position, tokens
):
    sizes = dataclasses.replace(DECODER, kv_heads=kv_heads, depth=1)
    loops = ORDERS[order](sizes)
    words, stride, offset = sizes.words, sizes.strides[0], 3
    wanted = list(decoder_walk(order, sizes, position, tokens, words, stride, offset))
    job = {"tokens": tokens + position % sizes.rows, "first": position % sizes.rows}
    if order == "keys":
        job = {"tokens": tokens, "position": position}
    same_walk(walk.Walk(sizes=sizes, loops=loops), wanted, words=words, stride=stride,
              offset=offset, **job)  # fmt: skip


def same_walk(dut, wanted, **job):
    """The walk of the ``job`` is the ``wanted`` one, twice, and only its end is its end."""
    found, ends = [], []

    async def script(ctx, dut):
        for name, value in job.items():
            ctx.set(getattr(dut, name), value)
        for _ in range(2):  # the second one finds nothing of the first
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            for cycle in itertools.count():
                ctx.set(dut.take, bool(ctx.get(dut.running)) and cycle % 3 != 1)
                taken = ctx.get(dut.take)
                values = [ctx.get(each) for each in (dut.address, dut.row, dut.sub, dut.keep)]
                lasts = ctx.get(dut.lasts)
                if not ctx.get(dut.running):
                    break
                if taken:
                    found.append(tuple(values))
                    ends.append(lasts == (1 << len(dut.lasts)) - 1)
                await ctx.tick()

    run(dut, script)
    assert found == wanted * 2
    assert ends == ([False] * (len(wanted) - 1) + [True]) * 2


@pytest.mark.parametrize(("keys", "width"), [(2, 8), (4, 8), (2, 4)])
def test_keys_are_gathered_in_order_and_rows_that_are_none_are_zero(keys, width):
    sizes = dataclasses.replace(SIZES, keys=keys, width=width, heads=1, kv_heads=1, head=width)
    rng = np.random.default_rng(keys + width)
    panels = [(rng.integers(1, 256, (4, sizes.parts)), size) for size in (4, 1, 2, 4, 3, 4)]
    words = [
        (sum(int(x[row, part]) << 16 * row for row in range(4)), (1 << size) - 1,
         part == sizes.parts - 1)
        for x, size in panels for part in range(sizes.parts)
    ]  # fmt: skip
    wanted = []
    for x, size in panels:
        x = np.where(np.arange(4)[:, None] < size, x, 0)
        for row in range(0, size, keys):
            flat = x[row : row + keys].ravel()
            wanted.append(sum(int(each) << 16 * n for n, each in enumerate(flat)))
    found = []

    async def script(ctx, dut):
        waiting = list(words)
        for _ in range(400):
            offer = bool(waiting) and bool(rng.integers(4))
            if offer:
                for port, value in zip((dut.i_data, dut.i_keep, dut.i_last), waiting[0],
                                       strict=True):  # fmt: skip
                    ctx.set(port, value)
            ctx.set(dut.i_valid, offer)
            ctx.set(dut.o_ready, bool(rng.integers(2)))
            _, _, ready, valid, data, willing = await ctx.tick().sample(
                dut.i_ready, dut.o_valid, dut.o_data, dut.o_ready
            )
            if offer and ready:
                waiting.pop(0)
            if valid and willing:
                found.append(data)

    run(Gather(sizes=sizes), script)
    assert found == wanted


def test_what_is_replayed_comes_again_from_its_beginning():
    rng = np.random.default_rng(1)
    values = [int(value) for value in rng.integers(0, 256, 5)]
    found = []

    async def script(ctx, dut):
        ctx.set(dut.clear, 1)
        await ctx.tick()
        ctx.set(dut.clear, 0)
        for value in values:
            assert ctx.get(dut.i_ready)
            assert not ctx.get(dut.full)
            ctx.set(dut.i_data, value)
            ctx.set(dut.i_valid, 1)
            await ctx.tick()
        assert ctx.get(dut.full)
        assert not ctx.get(dut.i_ready)
        ctx.set(dut.i_valid, 0)
        for count in (5, 2, 5, 7):  # the second round is cut off, the last asks for too much
            ctx.set(dut.rewind, 1)
            await ctx.tick()
            ctx.set(dut.rewind, 0)
            round_ = []
            for _ in range(40):
                ctx.set(dut.o_ready, len(round_) < count and bool(rng.integers(2)))
                _, _, valid, data, ready = await ctx.tick().sample(
                    dut.o_valid, dut.o_data, dut.o_ready
                )
                if valid and ready:
                    round_.append(data)
            found.append(round_)

    run(Replay(width=8, depth=5), script)
    assert found == [values, values[:2], values, values]


@pytest.mark.parametrize("early", [0, 1, 5])
@pytest.mark.parametrize("kind", Kind)
def test_parameters_go_where_they_belong(kind, early):
    words, tables = 3, SIZES.per_channel(kind)
    header = 0 if kind is Kind.PRODUCT else HEADER
    count = header + tables * words * SIZES.columns
    lead = max(0, count - early)
    numbers, written = [], []

    async def script(ctx, dut):
        ctx.set(dut.kind, list(Kind).index(kind))
        ctx.set(dut.words, words)
        ctx.set(dut.lead, lead)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        taken = 0
        for cycle in range(3 * count + 9):
            ctx.set(dut.p_valid, cycle % 3 != 0)
            ctx.set(dut.p_data, 100 + taken)
            _, _, ready, valid, enable, panel, lane, data, enough = await ctx.tick().sample(
                dut.p_ready, dut.p_valid, dut.t_en, dut.t_panel, dut.t_lane, dut.t_data, dut.ready
            )
            assert enough == (taken >= lead)
            if enable:
                written.append((enable, panel, lane, data))
            taken += ready and valid
        assert taken == count
        numbers.extend(ctx.get(getattr(dut, f"number_{n}")) for n in range(HEADER))

    run(Fetch(sizes=SIZES), script)
    if header:
        assert numbers == [100, 101, 102, 103]
    places = [(1 << table, panel, lane) for panel in range(words) for lane in range(SIZES.columns)
              for table in range(tables)]  # fmt: skip
    assert written == [(*place, 100 + header + n) for n, place in enumerate(places)]


def test_gain_and_bias_are_rounded_once():
    i_format, o_format, gain, bias = Format(5), Format(4), Format(4), Format(7)
    rng = np.random.default_rng(2)
    count = 1000
    given = {
        name: rng.integers(format.min, format.max, count, endpoint=True)
        for name, format in (("i", i_format), ("gain", gain), ("bias", bias))
    }
    for name, format in (("i", i_format), ("gain", gain), ("bias", bias)):
        given[name][:2] = format.min, format.max
    for shift in (0, 3, 9):
        dut = Affine(i_format=i_format, o_format=o_format, gain=gain, bias=bias)
        inputs = {name: [*map(int, each)] + [0] * Affine.latency for name, each in given.items()}
        inputs["shift"] = [shift] * (count + Affine.latency)
        found = ports.simulated(dut, inputs)["o"][Affine.latency :]
        total = given["i"] * given["gain"] + given["bias"]
        wanted = np.clip((2 * total + (1 << shift)) >> (shift + 1), -8, 7)
        assert [x - 16 if x >= 8 else x for x in found] == wanted.tolist()
    assert integers.clamped(wanted, o_format).tolist() == wanted.tolist()


def test_a_table_that_is_written_is_looked_up():
    rng = np.random.default_rng(3)
    table = rng.integers(-8, 8, 16)
    dut = Lookup(table=None, width=4)
    cycles = 16 + 17
    found = ports.simulated(
        dut,
        {
            "w_en": [1] * 16 + [0] * 17,
            "w_addr": [*range(16), *[0] * 17],
            "w_data": [*map(int, table), *[0] * 17],
            "i": [*[0] * 16, *range(8), *range(-8, 0), 0],
        },
    )["o"]
    assert len(found) == cycles
    assert [x - 16 if x >= 8 else x for x in found[17:]] == table.tolist()
