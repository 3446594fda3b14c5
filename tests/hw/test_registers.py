"""The register port of every kind of engine: addresses, responses, refusals, channel tables.

The map is that of ``docs/decisions/0001-interfaces.md`` (``sim.registers``), not the RTL's.
"""

import numpy as np
import pytest

from matweave.hw import config
from matweave.hw.engine import regmap
from matweave.sim import pysim, registers
from matweave.sim.cases import case
from matweave.sim.golden import gemm
from matweave.sim.jobs import Job
from matweave.sim.registers import Control, Error, Mode, Register, Response, Status

OKAY, SLVERR, DECERR = Response.OKAY, Response.SLVERR, Response.DECERR
TINY = ("tiny_os", "tiny_matrix", "tiny_cube", "tiny_ws", "tiny_tree", "tiny_opt4c", "tiny_opt3")


def loaded(preset="tiny_os", **changes) -> config.GemmConfig:
    """A preset with some tables of it changed: ``output={"mode": "raw"}``."""
    content = config.load(preset).model_dump(mode="json")
    for table, values in changes.items():
        content[table] = {**content[table], **values} if isinstance(values, dict) else values
    return config.GemmConfig.model_validate(content)


def simulate(script, preset="tiny_os", **changes):
    return pysim.simulate(loaded(preset, **changes), script)


async def refused(driver, address, data, response, strobe=0xF):
    assert await driver.write(address, data, strobe) == response, (hex(address), hex(data))


def test_map_is_the_documented_one():
    documented = {register.name: int(register) for register in Register}
    assert regmap.addresses(regmap.registers(zero_points=True)) == documented
    more = documented | {"WEIGHTS": registers.WEIGHTS, "GROUPS": registers.GROUPS}
    assert regmap.addresses(regmap.registers(serial=True, groups=2)) == more
    assert (regmap.ID, regmap.VERSION) == (registers.ID_VALUE, registers.VERSION_VALUE)
    for max_n in range(1, 2000):
        tables = regmap.table_addresses(max_n, per_channel=True)
        assert tables == registers.tables(max_n)
        assert max(tables.values()) + 4 * max_n <= 1 << regmap.address_width(max_n)
        for zeros in (max_n, 7 * max_n):
            more = regmap.table_addresses(max_n, per_channel=False, zeros=zeros)
            assert more == {"bias": tables["bias"], "zero": registers.zero_table(max_n, zeros)}
            assert more["zero"] >= tables["shift"] + 4 * max_n
            assert more["zero"] + 4 * zeros <= 1 << regmap.address_width(max_n, zeros=zeros)
    access = {register.name: register.access for register in regmap.REGISTERS}
    assert {name for name, kind in access.items() if kind == "RO"} == set(registers.READ_ONLY)
    assert {name for name, kind in access.items() if kind == "RW"} == set(registers.READ_WRITE)
    for enumeration, name in ((Control, "CONTROL"), (Status, "STATUS"), (Error, "ERROR"),
                              (Mode, "MODE")):  # fmt: skip
        (register,) = (r for r in regmap.registers(zero_points=True, keep_b=True) if r.name == name)
        fields = {field.name: ((1 << field.width) - 1) << field.low for field in register.fields}
        assert fields == {flag.name: flag.value for flag in enumeration}


def test_map_does_not_overlap():
    addresses = [register.address for register in regmap.REGISTERS]
    assert len(set(addresses)) == len(addresses)
    assert all(address % 4 == 0 and address < 0x100 for address in addresses)


@pytest.mark.parametrize("preset", TINY)
def test_identification(preset):
    async def script(driver):
        limits, stationary = driver.config.limits, driver.config.geometry.stationary
        assert await driver.read(Register.ID) == 0x4D545756
        assert await driver.read(Register.VERSION) == 1
        assert await driver.read(Register.MAX_M) == limits.m
        assert await driver.read(Register.MAX_N) == limits.n
        assert await driver.read(Register.MAX_K) == limits.k
        assert await driver.read(Register.GEOMETRY) == (stationary.value == "weight")
        for register in (Register.CONTROL, Register.STATUS, Register.ERROR):
            assert await driver.read(register) == 0

    simulate(script, preset)


def test_every_address():
    """Each word of the whole window, read and written: mapped, read only, or DECERR."""

    async def script(driver):
        limits = driver.config.limits
        tables = registers.tables(limits.n)
        in_table = {base + 4 * i for base in tables.values() for i in range(limits.n)}
        read_only = {Register[name] for name in registers.READ_ONLY}
        top = 1 << regmap.address_width(limits.n)
        step = 4
        for address in range(0, top, step):
            known = address in {int(r) for r in Register}
            data, response = await driver.access(address)
            assert response == (OKAY if known or address in in_table else DECERR), hex(address)
            if not known:
                assert data == 0
            expected = DECERR
            if address in read_only:
                expected = SLVERR
            elif known or address in in_table:
                expected = OKAY
            await refused(driver, address, 0, expected)
        # Strobes choose the bytes of a word, not the low address bits.
        assert (await driver.access(Register.ID + 2))[0] == await driver.read(Register.ID)
        assert await driver.write(Register.M + 1, 0x0000_1200, 0x2) == OKAY
        assert await driver.read(Register.M) == 0x1200
        assert await driver.read(Register.ERROR) == 0

    simulate(script)


def test_read_write_registers_keep_their_values():
    async def script(driver):
        values = {
            Register.M: 0xFFFF_FFFF,
            Register.N: 0x1234_5678,
            Register.K: 1,
            Register.MODE: 0xF,
            Register.ZERO_POINT: -65536,
            Register.MULTIPLIER: 0x7FFF_FFFF,
            Register.SHIFT: 62,
        }
        for register, value in values.items():
            assert await driver.write(register, value) == OKAY
        for register, value in values.items():
            assert await driver.read(register) == value & 0xFFFF_FFFF
        await driver.write(Register.ZERO_POINT, 65535)
        assert await driver.read(Register.ZERO_POINT) == 65535
        for wide in (65536, -65537, 0x7FFF_FFFF):
            assert await driver.write(Register.ZERO_POINT, wide) == SLVERR
            assert await driver.read(Register.ERROR) == Error.ILLEGAL_SHIFT
            await driver.write(Register.ERROR, Error.ILLEGAL_SHIFT)
        assert await driver.read(Register.ZERO_POINT) == 65535
        await driver.write(Register.MODE, 0xFFFF_FFF5)
        assert await driver.read(Register.MODE) == 5
        # A soft reset keeps them, a reset does not.
        await driver.soft_reset()
        assert await driver.read(Register.N) == 0x1234_5678
        await driver.hard_reset()
        for register in values:
            assert await driver.read(register) == 0

    simulate(script)


def test_byte_strobes():
    async def script(driver):
        await driver.write(Register.M, 0x1122_3344)
        for strobe, expected in ((0x1, 0x1122_33DD), (0x4, 0x11BB_33DD), (0xA, 0xAABB_CCDD)):
            assert await driver.write(Register.M, 0xAABB_CCDD, strobe) == OKAY
            assert await driver.read(Register.M) == expected
        assert await driver.write(Register.M, 0, 0) == OKAY
        assert await driver.read(Register.M) == 0xAABB_CCDD
        # The sign of the zero point is not lost by a write of its low byte.
        await driver.write(Register.ZERO_POINT, -256)
        await driver.write(Register.ZERO_POINT, 0x7F, 0x1)
        assert await driver.read(Register.ZERO_POINT) == -256 + 0x7F & 0xFFFF_FFFF
        # Commands are in byte 0, and so are the errors.
        await driver.write(Register.M, 0)
        assert await driver.write(Register.CONTROL, Control.START, 0xE) == OKAY
        assert await driver.read(Register.ERROR) == 0
        await driver.write(Register.CONTROL, Control.START)
        assert await driver.read(Register.ERROR) == Error.ILLEGAL_SIZE
        await driver.write(Register.ERROR, 0xF, 0xE)
        assert await driver.read(Register.ERROR) == Error.ILLEGAL_SIZE
        # Tables take whole words only.
        base = registers.tables(driver.config.limits.n)["bias"]
        await refused(driver, base, 1, SLVERR, strobe=0x7)

    simulate(script)


def test_illegal_sizes():
    """Zero and one above the maximum, each of M, N and K; the maximum itself starts."""

    async def script(driver):
        limits = driver.config.limits
        legal = {Register.M: limits.m, Register.N: limits.n, Register.K: limits.k}
        for register, value in legal.items():
            await driver.write(register, value)
        for register, most in legal.items():
            for wrong in (0, most + 1, 0x8000_0000 | most, 1 << 16 | most):
                await driver.write(register, wrong)
                assert await driver.write(Register.CONTROL, Control.START) == OKAY
                assert await driver.read(Register.STATUS) == Status.ERROR
                assert await driver.read(Register.ERROR) == Error.ILLEGAL_SIZE
                await driver.write(Register.ERROR, Error.ILLEGAL_SIZE)
                assert await driver.read(Register.STATUS) == 0
            await driver.write(register, most)
        await driver.write(Register.CONTROL, Control.START)
        assert await driver.read(Register.STATUS) == Status.BUSY

    simulate(script)


def test_errors_are_cleared_one_by_one():
    async def script(driver):
        await driver.write(Register.CONTROL, Control.START)  # sizes are zero
        await refused(driver, Register.SHIFT, 63, SLVERR)
        both = Error.ILLEGAL_SIZE | Error.ILLEGAL_SHIFT
        assert await driver.read(Register.ERROR) == both
        await driver.write(Register.ERROR, 0)
        assert await driver.read(Register.ERROR) == both
        await driver.write(Register.ERROR, Error.ILLEGAL_SIZE | Error.START_WHILE_BUSY)
        assert await driver.read(Register.ERROR) == Error.ILLEGAL_SHIFT
        assert await driver.read(Register.STATUS) == Status.ERROR
        await driver.write(Register.ERROR, 0xFFFF_FFFF)
        assert await driver.read(Register.STATUS) == 0

    simulate(script)


def test_scale_range():
    """Shifts 0 to 62, multipliers 0 to 2^31 - 1; what is refused changes nothing."""

    async def script(driver):
        tables = registers.tables(driver.config.limits.n)
        for register, table, most in (
            (Register.SHIFT, "shift", 62),
            (Register.MULTIPLIER, "multiplier", 0x7FFF_FFFF),
        ):
            for address in (int(register), tables[table], tables[table] + 4):
                for legal in (0, 1, most - 1, most):
                    assert await driver.write(address, legal) == OKAY
                assert await driver.read(Register.ERROR) == 0
                for illegal in (most + 1, 0x8000_0000, 0xFFFF_FFFF):
                    await refused(driver, address, illegal, SLVERR)
                    assert await driver.read(Register.ERROR) == Error.ILLEGAL_SHIFT
                    await driver.write(Register.ERROR, 0xF)
            assert await driver.read(register) == most
        # Any word is a bias.
        for bias in (0, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF):
            assert await driver.write(tables["bias"], bias) == OKAY
        assert await driver.read(Register.ERROR) == 0

    simulate(script)


@pytest.mark.parametrize("preset", TINY)
def test_while_busy(preset, seed):
    """Nothing that the job uses can be written, a second start is refused, and the job is right."""
    engine = loaded(preset)
    job = case(engine, seed, 8).job
    golden = gemm.for_config(engine)

    async def script(driver):
        await driver.program(job, start=False)
        await driver.write(Register.CONTROL, Control.START)  # and no operands yet
        assert await driver.read(Register.STATUS) == Status.BUSY
        tables = registers.tables(driver.config.limits.n)
        for name in registers.READ_WRITE:
            before = await driver.read(Register[name])
            await refused(driver, Register[name], 1, SLVERR)
            assert await driver.read(Register[name]) == before
        for base in tables.values():
            await refused(driver, base, 1, SLVERR)
        assert await driver.read(Register.ERROR) == 0
        assert await driver.write(Register.CONTROL, Control.START) == OKAY
        assert await driver.read(Register.STATUS) == Status.BUSY | Status.ERROR
        assert await driver.read(Register.ERROR) == Error.START_WHILE_BUSY
        await driver.write(Register.ERROR, Error.START_WHILE_BUSY)
        driver.offer(job)
        result = await driver.finish(job)
        assert await driver.read(Register.STATUS) == Status.DONE
        np.testing.assert_array_equal(result.c, golden(**job.arguments()))
        # The next start clears done.
        await driver.write(Register.CONTROL, Control.START)
        assert await driver.read(Register.STATUS) == Status.BUSY
        await driver.soft_reset()
        assert await driver.read(Register.STATUS) == 0

    pysim.simulate(engine, script)


@pytest.mark.parametrize(
    ("mode", "requantize"), [("raw", True), ("requantized", False)], ids=["raw", "requantized"]
)
def test_mode_that_is_not_built_in(mode, requantize):
    async def script(driver):
        for register in (Register.M, Register.N, Register.K):
            await driver.write(register, 2)
        await driver.write(Register.MODE, Mode.REQUANTIZE if requantize else 0)
        assert await driver.write(Register.CONTROL, Control.START) == OKAY
        assert await driver.read(Register.ERROR) == Error.MODE_NOT_BUILT_IN
        assert await driver.read(Register.STATUS) == Status.ERROR
        await driver.write(Register.MODE, 0 if requantize else Mode.REQUANTIZE)
        await driver.write(Register.CONTROL, Control.START)
        assert await driver.read(Register.STATUS) == Status.BUSY | Status.ERROR

    simulate(script, output={"mode": mode})


@pytest.mark.parametrize(
    "output", [{"mode": "raw"}, {"scale": "tensor"}], ids=["raw", "per tensor"]
)
def test_tables_that_do_not_exist(output):
    """Scales per tensor, or none: two of the three windows are unmapped."""

    async def script(driver):
        tables = registers.tables(driver.config.limits.n)
        assert await driver.write(tables["bias"], 1) == OKAY
        for name in ("multiplier", "shift"):
            await refused(driver, tables[name], 1, DECERR)
            assert (await driver.access(tables[name]))[1] == DECERR

    simulate(script, output=output)


def test_counters_are_cleared_by_command(seed):
    engine = loaded()
    job = case(engine, seed, 4).job

    async def script(driver):
        result = await driver.job(job)
        assert result.counters["cycles"] >= result.cycles
        assert result.counters["tiles"] > 0
        await driver.write(Register.CONTROL, Control.CLEAR_COUNTERS)
        assert set((await driver.counters()).values()) == {0}
        assert await driver.read(Register.STATUS) == Status.DONE

    pysim.simulate(engine, script)


def test_write_channels_in_any_order():
    """Address before data, data before address, responses taken late; nothing is lost."""

    async def script(driver):
        engine, ctx = driver._engine, driver._ctx
        for number, (address_at, data_at, ready_at) in enumerate(
            ((0, 0, 0), (0, 4, 0), (4, 0, 0), (0, 0, 7), (2, 5, 9), (6, 1, 8))
        ):
            value = 100 + number
            ctx.set(engine.s_axil_wstrb, 0xF)
            answered = None
            sent = {"aw": False, "w": False}
            for cycle in range(16):
                ctx.set(engine.s_axil_awaddr, int(Register.K))
                ctx.set(engine.s_axil_wdata, value)
                ctx.set(engine.s_axil_awvalid, cycle >= address_at and not sent["aw"])
                ctx.set(engine.s_axil_wvalid, cycle >= data_at and not sent["w"])
                ctx.set(engine.s_axil_bready, cycle >= ready_at)
                aw, w, b, response = await driver.step(
                    engine.s_axil_awready, engine.s_axil_wready,
                    engine.s_axil_bvalid, engine.s_axil_bresp,
                )  # fmt: skip
                sent["aw"] |= bool(aw) and cycle >= address_at
                sent["w"] |= bool(w) and cycle >= data_at
                if b:
                    assert sent["aw"] and sent["w"] and response == OKAY
                    if cycle >= ready_at:
                        assert answered is None
                        answered = cycle
            assert answered is not None
            assert await driver.read(Register.K) == value

    simulate(script)


# Channel tables where the number of lanes is no power of two.


def test_panel_and_lane_of_every_channel():
    """``i * factor >> scale`` is ``i // lanes`` for 1 to 256 lanes and every channel of engines of
    up to 65,536, each width of index with a scale of its own: the arithmetic of the RTL."""
    channels = np.arange(1 << 16, dtype=np.int64)
    for lanes in range(1, 257):
        quotient = channels // lanes
        for bits in range(1, 17):
            scale = bits + lanes.bit_length()
            factor = -(-(1 << scale) // lanes)
            index = channels[: 1 << bits]
            np.testing.assert_array_equal((index * factor) >> scale, quotient[: 1 << bits])


@pytest.mark.parametrize("columns", [1, 2, 3, 5, 6, 7])
def test_tables_reach_their_channels(columns, seed):
    """Every channel has its own bias, multiplier and shift: through the RTL, end to end."""
    engine = loaded(
        "tiny_os",
        array={"rows": 1, "columns": columns, "tile_columns": columns},
        limits={"m": 2, "n": 16, "k": 2},
    )
    rng = np.random.default_rng(seed)
    n = engine.limits.n
    job = Job(
        a=rng.integers(-128, 128, (1, 2)),
        b=rng.integers(-128, 128, (2, n)),
        bias=rng.permutation(n) * 1000 - 7000,
        multiplier=(1 << 30) + rng.permutation(n) * (1 << 25),
        shift=36 + rng.permutation(n) % 6,
        requantize=True,
    )
    golden = gemm.for_config(engine)(**job.checked(engine).arguments())
    (result,) = pysim.jobs(engine, [job])
    np.testing.assert_array_equal(result.c, golden)
    assert len(set(golden.ravel().tolist())) > n // 2
