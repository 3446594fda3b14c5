// One engine, compiled by Verilator, driven cycle by cycle with whole streams.
//
// ports.h is generated beside this file. It says which ports the engine has:
//   INPUTS(X), OUTPUTS(X): X(index, port prefix, bytes per beat) of each AXI4-Stream
//   N_INPUTS, N_OUTPUTS
//   HAS_REGISTERS: 1 if there is an AXI4-Lite port s_axil_*; without, a job has no operations
// The clock is always clk, the reset rst.
//
// One cycle is: drive the inputs, settle with the clock low, sample every handshake, raise the
// clock. Settling before the edge is what makes combinational paths from input to output right.
// The structures below are mirrored by ctypes in native.py; all fields are 64 bits wide.

#include <cstdint>
#include <cstring>

#include "Vtop.h"
#include "ports.h"
#include "verilated.h"

static_assert(sizeof(void*) == 8, "pointers and integers of the structures are 64 bits");

namespace {

enum Status : int64_t { RUNNING = 0, DONE = 1, HANG = 2, VIOLATION = 3 };

enum Violation : int64_t {
    NONE = 0,
    VALID_DROPPED = 1,    // tvalid fell before tready was seen
    PAYLOAD_CHANGED = 2,  // tdata or tlast changed while waiting
    LAST_EARLY = 3,       // tlast before the last beat
    LAST_MISSING = 4,     // last beat without tlast
    SURPLUS = 5,          // a beat beyond the last
};

struct Stream {
    // Inputs: what to send, or where to put what is given.
    uint8_t* data;
    uint64_t beats;    // to send, or expected
    uint64_t surplus;  // inputs: garbage beats offered after the last, which nobody should take
    uint64_t pause;    // probability of starting a pause in a cycle, times 2**32
    uint64_t burst;    // a pause lasts 1 ... burst cycles
    uint64_t random;   // state of the generator, not 0
    // State and results.
    uint64_t done;     // beats that crossed
    uint64_t stalls;   // cycles valid and not ready
    uint64_t idles;    // cycles ready and not valid
    uint64_t pausing;  // cycles of pause that are left
    uint64_t valid;    // 1 while a beat is offered and must be held
};

// FLUSH is a write after which the outputs must stay empty: a soft reset.
enum Kind : uint64_t { READ = 0, WRITE = 1, FLUSH = 2 };

struct Operation {
    uint64_t at;       // not before this cycle
    uint64_t kind;     // READ, WRITE, or FLUSH
    uint64_t address;
    uint64_t data;
    uint64_t response; // result: AXI response
    uint64_t cycle;    // result: when the response came
};

struct Job {
    Stream inputs[N_INPUTS];
    Stream outputs[N_OUTPUTS];
    Operation* operations;
    uint64_t n_operations;
    uint64_t start_at;     // streams are quiet until this many operations are done
    uint64_t watchdog;     // cycles without any handshake that count as a hang
    uint64_t drain;        // cycles to go on after everything is done, to see surplus beats
    uint64_t stop_at;      // 0, or the cycle after which the job is left as it stands
    uint64_t reset_at;     // with reset_for: the cycle at which rst rises
    uint64_t reset_for;    // 0, or cycles of rst; the job ends with them
    // State and results.
    uint64_t cycle;
    uint64_t operation;    // operations done
    uint64_t phase;        // of the current operation: 1 address taken, 2 data taken
    uint64_t quiet;        // cycles since the last handshake
    uint64_t drained;
    uint64_t first_in;     // cycle of the first operand accepted
    uint64_t last_out;     // cycle of the last result given
    uint64_t any_in;       // 1 when first_in is meant
    int64_t violation;
    uint64_t violating;    // output stream of the violation
};

struct Engine {
    VerilatedContext context;
    Vtop top{&context};
    uint64_t cycles = 0;
    bool waiting[N_OUTPUTS] = {};   // tvalid was high without tready in the cycle before
    bool held_last[N_OUTPUTS] = {};
#define X(index, port, bytes) uint8_t held_##index[bytes];
    OUTPUTS(X)
#undef X
};

inline uint64_t next(uint64_t& state) {  // xorshift64*
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545F4914F6CDD1Dull;
}

inline bool paused(Stream& s) {
    if (s.pausing) {
        --s.pausing;
        return true;
    }
    if (!s.pause) return false;
    const uint64_t draw = next(s.random);
    if ((draw & 0xFFFFFFFFu) >= s.pause) return false;
    s.pausing = s.burst > 1 ? (draw >> 32) % s.burst : 0;
    return true;
}

// Offer the next beat or, where there is none or a pause, garbage without tvalid.
template <typename Data, typename Bit>
inline void drive(Stream& s, size_t bytes, bool active, Data& data, Bit& valid, Bit& last) {
    if (s.valid) return;  // held until accepted
    const uint64_t total = s.beats + s.surplus;
    if (!active || s.done >= total || paused(s)) {
        if (valid) std::memset(reinterpret_cast<uint8_t*>(&data), 0xA5, bytes);
        valid = 0;
        last = 1;
        return;
    }
    if (s.done < s.beats)
        std::memcpy(reinterpret_cast<uint8_t*>(&data), s.data + s.done * bytes, bytes);
    else
        std::memset(reinterpret_cast<uint8_t*>(&data), 0x5A, bytes);
    last = s.done + 1 == s.beats;
    valid = 1;
    s.valid = 1;
}

inline void clock_low(Engine& e) {
    e.top.clk = 0;
    e.top.eval();
}

inline void clock_high(Engine& e) {
    e.top.clk = 1;
    e.top.eval();
    ++e.cycles;
}

#if HAS_REGISTERS
void drive_registers(Engine& e, const Job& j) {
    Vtop& t = e.top;
    const bool active = j.operation < j.n_operations && j.operations[j.operation].at <= j.cycle;
    const bool write = active && j.operations[j.operation].kind != READ;
    const bool read = active && j.operations[j.operation].kind == READ;
    t.s_axil_awvalid = write && !(j.phase & 1);
    t.s_axil_wvalid = write && !(j.phase & 2);
    t.s_axil_arvalid = read && !(j.phase & 1);
    t.s_axil_bready = write;
    t.s_axil_rready = read;
    if (write) {
        t.s_axil_awaddr = j.operations[j.operation].address;
        t.s_axil_wdata = j.operations[j.operation].data;
        t.s_axil_wstrb = 0xF;
    }
    if (read) t.s_axil_araddr = j.operations[j.operation].address;
}

// Returns whether anything was handed over.
bool sample_registers(Engine& e, Job& j) {
    if (j.operation >= j.n_operations) return false;
    Vtop& t = e.top;
    Operation& o = j.operations[j.operation];
    const uint64_t before = j.phase;
    if ((t.s_axil_awvalid && t.s_axil_awready) || (t.s_axil_arvalid && t.s_axil_arready))
        j.phase |= 1;
    if (t.s_axil_wvalid && t.s_axil_wready) j.phase |= 2;
    const bool written = t.s_axil_bready && t.s_axil_bvalid;
    const bool read = t.s_axil_rready && t.s_axil_rvalid;
    if (written || read) {
        o.response = written ? t.s_axil_bresp : t.s_axil_rresp;
        if (read) o.data = t.s_axil_rdata;
        o.cycle = j.cycle;
        if (o.kind == FLUSH)
            for (Stream& s : j.outputs) s.beats = s.done;
        ++j.operation;
        j.phase = 0;
        return true;
    }
    return j.phase != before;
}

void idle_registers(Engine& e) {
    Vtop& t = e.top;
    t.s_axil_awvalid = t.s_axil_wvalid = t.s_axil_arvalid = 0;
    t.s_axil_bready = t.s_axil_rready = 0;
}
#else
void drive_registers(Engine&, const Job&) {}
bool sample_registers(Engine&, Job&) { return false; }
void idle_registers(Engine&) {}
#endif

template <typename Bit>
inline bool sample_input(Job& j, Stream& s, const Bit& valid, const Bit& ready) {
    if (valid && ready) {
        if (!j.any_in) j.first_in = j.cycle, j.any_in = 1;
        ++s.done;
        s.valid = 0;
        return true;
    }
    s.stalls += valid && !ready;
    s.idles += !valid && ready;
    return false;
}

template <typename Data, typename Bit>
inline bool sample_output(Engine& e, Job& j, uint64_t index, size_t bytes, uint8_t* held,
                          const Data& data, const Bit& valid, const Bit& last, const Bit& ready) {
    Stream& s = j.outputs[index];
    const uint8_t* now = reinterpret_cast<const uint8_t*>(&data);
    int64_t violation = NONE;
    if (e.waiting[index]) {
        if (!valid)
            violation = VALID_DROPPED;
        else if (std::memcmp(held, now, bytes) || e.held_last[index] != bool(last))
            violation = PAYLOAD_CHANGED;
    }
    // What waits while a flush is under way may vanish at any cycle of it.
    const bool flushing = j.operation < j.n_operations && j.operations[j.operation].kind == FLUSH &&
                          j.operations[j.operation].at <= j.cycle;
    if (flushing) violation = NONE;
    e.waiting[index] = valid && !ready && !flushing;
    if (e.waiting[index]) {
        std::memcpy(held, now, bytes);
        e.held_last[index] = last;
        ++s.stalls;
    }
    s.idles += !valid && ready;
    if (valid && s.done >= s.beats && !flushing) violation = violation ? violation : SURPLUS;
    const bool given = valid && ready;
    if (given && s.done < s.beats) {
        std::memcpy(s.data + s.done * bytes, now, bytes);
        ++s.done;
        if (bool(last) != (s.done == s.beats))
            violation = violation ? violation : last ? LAST_EARLY : LAST_MISSING;
        j.last_out = j.cycle;
    }
    if (violation && !j.violation) j.violation = violation, j.violating = index;
    return given;
}

// One cycle of everything; returns the job's status.
int64_t step(Engine& e, Job& j) {
    Vtop& t = e.top;
    const bool active = j.operation >= j.start_at;
    const bool resetting = j.reset_for && j.cycle >= j.reset_at;
    t.rst = resetting;
    drive_registers(e, j);
#define X(index, port, bytes) \
    drive(j.inputs[index], bytes, active, t.port##_tdata, t.port##_tvalid, t.port##_tlast);
    INPUTS(X)
#undef X
#define X(index, port, bytes) t.port##_tready = active && !paused(j.outputs[index]);
    OUTPUTS(X)
#undef X
    clock_low(e);
    bool moved = false;
    if (resetting) {
        // Nothing crosses while rst is high, whatever the handshake signals say.
        for (bool& waiting : e.waiting) waiting = false;
    } else {
        moved = sample_registers(e, j);
#define X(index, port, bytes) \
    moved |= sample_input(j, j.inputs[index], t.port##_tvalid, t.port##_tready);
        INPUTS(X)
#undef X
#define X(index, port, bytes)                                                              \
    moved |= sample_output(e, j, index, bytes, e.held_##index, t.port##_tdata,             \
                           t.port##_tvalid, t.port##_tlast, t.port##_tready);
        OUTPUTS(X)
#undef X
    }
    clock_high(e);
    ++j.cycle;
    if (j.violation) return VIOLATION;
    if (resetting && j.cycle >= j.reset_at + j.reset_for) return DONE;
    if (j.stop_at && j.cycle >= j.stop_at) return DONE;
    bool done = j.operation >= j.n_operations;
    for (const Stream& s : j.outputs) done &= s.done >= s.beats;
    if (done) return j.drained++ >= j.drain ? DONE : RUNNING;
    j.quiet = moved ? 0 : j.quiet + 1;
    return j.quiet >= j.watchdog ? HANG : RUNNING;
}

}  // namespace

extern "C" {

Engine* matweave_new(uint64_t seed) {
    Engine* e = new Engine;
    e->context.randSeed(static_cast<int>(seed % 0x7FFFFFFF) + 1);
    e->context.randReset(0);
    return e;
}

void matweave_delete(Engine* e) {
    e->top.final();
    delete e;
}

uint64_t matweave_cycles(const Engine* e) { return e->cycles; }

uint64_t matweave_job_size() { return sizeof(Job); }

// Runs at most `limit` cycles; to be called again while it returns RUNNING.
int64_t matweave_run(Engine* e, Job* j, uint64_t limit) {
    int64_t status = RUNNING;
    for (uint64_t n = 0; n < limit && status == RUNNING; ++n) status = step(*e, *j);
    return status;
}

// Between jobs: nothing offered, nothing taken, rst as given.
void matweave_idle(Engine* e, uint64_t rst, uint64_t cycles) {
    Vtop& t = e->top;
    t.rst = rst;
    idle_registers(*e);
#define X(index, port, bytes) t.port##_tvalid = 0;
    INPUTS(X)
#undef X
#define X(index, port, bytes) t.port##_tready = 0;
    OUTPUTS(X)
#undef X
    for (uint64_t n = 0; n < cycles; ++n) clock_low(*e), clock_high(*e);
    if (rst)
        for (bool& waiting : e->waiting) waiting = false;
    t.rst = 0;
}
}
