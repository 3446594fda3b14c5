"""A C driver of an engine: one header, C99, on top of the register header.

It writes registers and tells how many beats each stream takes; moving the streams is for the DMA
of the design around the engine.
"""

from ....hw.engine import regmap

HEAD = """\
/* Driver of {name}, a matrix-multiplication engine with registers on AXI4-Lite.
 * `base` is where its registers are in memory. Streams are for a DMA engine to move:
 * {name}_beats_a() and so on tell how much, streams.md of matweave in which order.
 * Define {P}_READ32 and {P}_WRITE32 before including this to reach them in another way.
 * The configuration's hash begins with {hash}. */
#ifndef {P}_DRIVER_H
#define {P}_DRIVER_H

#include <stdint.h>

#include "{name}_regs.h"

#ifndef {P}_READ32
#define {P}_READ32(address) (*(volatile uint32_t *)(address))
#endif
#ifndef {P}_WRITE32
#define {P}_WRITE32(address, value) (*(volatile uint32_t *)(address) = (value))
#endif

/* Bytes of one beat of each stream. */
#define {P}_A_BYTES {a_bytes}u
#define {P}_B_BYTES {b_bytes}u
#define {P}_C0_BYTES {c0_bytes}u
#define {P}_C_BYTES {c_bytes}u

/* What functions return, other than 0 for success and bits of {P}_ERROR. */
#define {P}_NOT_THERE 0x100u /* no engine with this register map at `base` */
#define {P}_BUSY 0x200u      /* a job is running */
#define {P}_TIMEOUT 0x400u   /* not done after as many polls */

static inline uint32_t {name}_read(uintptr_t base, uint32_t offset)
{{
    return {P}_READ32(base + offset);
}}

static inline void {name}_write(uintptr_t base, uint32_t offset, uint32_t value)
{{
    {P}_WRITE32(base + offset, value);
}}

/* 0 if an engine with this register map and these limits is at `base`. */
static inline uint32_t {name}_check(uintptr_t base)
{{
    return {name}_read(base, {P}_ID) == 0x{id:08X}u
                   && {name}_read(base, {P}_VERSION) == {version}u
                   && {name}_read(base, {P}_MAX_M) == {P}_LIMIT_M
                   && {name}_read(base, {P}_MAX_N) == {P}_LIMIT_N
                   && {name}_read(base, {P}_MAX_K) == {P}_LIMIT_K
               ? 0u
               : {P}_NOT_THERE;
}}

/* Abort the job and empty all buffers; registers and tables keep. */
static inline void {name}_reset(uintptr_t base)
{{
    {name}_write(base, {P}_CONTROL, {P}_CONTROL_SOFT_RESET);
    {name}_write(base, {P}_ERROR, 0xFFFFFFFFu);
}}

/* Bias of column n of C, 0 to N - 1{bias_is}; used by jobs with {P}_MODE_ADD_BIAS. */
static inline void {name}_set_bias(uintptr_t base, uint32_t n, {bias_type} bias)
{{
    {name}_write(base, {P}_TABLE_BIAS(n), (uint32_t)bias);
}}
"""

PER_CHANNEL = """
/* Scale of column n of C: result * multiplier / 2^shift, 0 to 2^31 - 1 and 0 to {max_shift}. */
static inline void {name}_set_scale(uintptr_t base, uint32_t n, uint32_t multiplier, uint32_t shift)
{{
    {name}_write(base, {P}_TABLE_MULTIPLIER(n), multiplier);
    {name}_write(base, {P}_TABLE_SHIFT(n), shift);
}}
"""

PER_TENSOR = """
/* Scale of all of C: result * multiplier / 2^shift, 0 to 2^31 - 1 and 0 to {max_shift}. */
static inline void {name}_set_scale(uintptr_t base, uint32_t multiplier, uint32_t shift)
{{
    {name}_write(base, {P}_MULTIPLIER, multiplier);
    {name}_write(base, {P}_SHIFT, shift);
}}
"""

ZERO_POINT = """
/* Added after scaling, signed 17 bits. */
static inline void {name}_set_zero_point(uintptr_t base, int32_t zero_point)
{{
    {name}_write(base, {P}_ZERO_POINT, (uint32_t)zero_point);
}}
"""

WEIGHTS = """
/* Format of B, of 1 to {bits} bits; `coding` as in {P}_WEIGHTS. */
static inline void {name}_set_weights(uintptr_t base, uint32_t bits, uint32_t coding)
{{
    {name}_write(base, {P}_WEIGHTS, bits | coding << 4);
}}
"""

ZEROS = """
/* Subtracted from column n of B by jobs with {P}_MODE_SUBTRACT_ZEROS. */
static inline void {name}_set_zero(uintptr_t base, uint32_t n, uint32_t zero)
{{
    {name}_write(base, {P}_TABLE_ZERO(n), zero);
}}
"""

GROUPS = """
/* Groups of k elements in a job, 1 to {P}_LIMIT_GROUPS: each stream has as many times the beats. */
static inline void {name}_set_groups(uintptr_t base, uint32_t groups)
{{
    {name}_write(base, {P}_GROUPS, groups);
}}
"""

SIZES = """\
    {name}_write(base, {P}_N, n);
    {name}_write(base, {P}_K, k);
"""

KEPT_SIZES = """\
    if (!(mode & {P}_MODE_KEEP_B)) {{
        {name}_write(base, {P}_N, n);
        {name}_write(base, {P}_K, k);
    }}
"""
"""What is written says that B is another."""

JOBS = """
/* Start C (m x n) = A (m x k) * B (k x n); `mode` is a sum of {P}_MODE_ bits.
 * Returns 0, {P}_BUSY, or bits of {P}_ERROR, such as a size above its limit. */
static inline uint32_t {name}_start(uintptr_t base, uint32_t m, uint32_t n, uint32_t k,
                                    uint32_t mode)
{{
    if ({name}_read(base, {P}_STATUS) & {P}_STATUS_BUSY)
        return {P}_BUSY;
    {name}_write(base, {P}_ERROR, 0xFFFFFFFFu);
    {name}_write(base, {P}_M, m);
{sizes}    {name}_write(base, {P}_MODE, mode);
    {name}_write(base, {P}_CONTROL, {P}_CONTROL_START);
    return {name}_read(base, {P}_ERROR);
}}

/* Poll until the job is done; 0, bits of {P}_ERROR, or {P}_TIMEOUT after `polls` reads. */
static inline uint32_t {name}_wait(uintptr_t base, uint32_t polls)
{{
    while (polls--) {{
        uint32_t status = {name}_read(base, {P}_STATUS);
        if (status & {P}_STATUS_ERROR)
            return {name}_read(base, {P}_ERROR);
        if (status & {P}_STATUS_DONE)
            return 0u;
    }}
    return {P}_TIMEOUT;
}}

/* Clock cycles of the last job, or of the one that is running. */
static inline uint32_t {name}_cycles(uintptr_t base)
{{
    return {name}_read(base, {P}_CYCLES);
}}
"""

BEATS = """
/* Beats of each stream in one job; C0 has as many as C. */
static inline uint64_t {name}_beats_a(uint32_t m, uint32_t k)
{{
    return (uint64_t){a_m} * {a_k};
}}

static inline uint64_t {name}_beats_b(uint32_t k, uint32_t n{b_bits})
{{
    return (uint64_t){b_k} * {b_n}{by_bits};
}}

static inline uint64_t {name}_beats_c(uint32_t m, uint32_t n)
{{
    return (uint64_t)m * {b_n};
}}

#endif /* {P}_DRIVER_H */
"""


def c_driver(manifest: dict) -> str:
    """The header's text; includes ``{name}_regs.h`` (:func:`matweave.hw.manifest.c_header`)."""
    streams, g = manifest["streams"], manifest["geometry"]
    output_stationary = g["stationary"] == "output"

    def tiles(size: str, tile: int) -> str:
        return size if tile == 1 else f"(({size} + {tile - 1}u) / {tile}u)"

    values = {
        "name": manifest["name"],
        "P": manifest["name"].upper(),
        "hash": manifest["configuration_sha256"][:16],
        "id": regmap.ID,
        "version": regmap.VERSION,
        "max_shift": regmap.MAX_SHIFT,
        # As Geometry.beats tells them.
        "a_m": tiles("m", g["m"] if output_stationary else 1),
        "a_k": tiles("k", g["k"]),
        "b_k": tiles("k", g["k"] if output_stationary else 1),
        "b_n": tiles("n", g["n"]),
        **{
            f"{name}_bytes": stream["lanes"] * stream["lane_width"] // 8
            for name, stream in streams.items()
        },
    }
    result = manifest["formats"]["result"]
    floats = not result.startswith("int")
    values |= {
        "bias_type": "uint32_t" if floats else "int32_t",
        "bias_is": f", as a code of {result}" if floats else "",
    }
    parts, tables = [HEAD], manifest["registers"]["tables"]
    serial = "WEIGHTS" in manifest["registers"]["addresses"]
    sizes = KEPT_SIZES if manifest["kind"] == "lut" else SIZES
    values |= {
        "sizes": sizes.format(**values),
        "bits": len(manifest["performance"].get("macs_per_cycle_by_bits", ())),
        "b_bits": ", uint32_t bits" if serial else "",
        "by_bits": " * bits" if serial else "",
    }
    parts += [WEIGHTS] * serial + [ZEROS] * ("zero" in tables)
    parts += [GROUPS] * ("groups" in manifest["limits"])
    if manifest["formats"]["output"] is not None:
        per_channel = "multiplier" in tables
        parts += [PER_CHANNEL if per_channel else PER_TENSOR, ZERO_POINT]
    return "".join(part.format(**values) for part in [*parts, JOBS, BEATS])
