// Any module with a serial line, compiled by Verilator, and the bytes at the other end of the line.
//
// ports.h is generated beside this file: the names of the ports as CLK, RX and TX, and RST where
// there is a reset.
//
// One cycle is: drive rx, settle with the clock low, look at tx, raise the clock. The host's clock
// is its own: its bits take `period` / 2**32 cycles, which need not be whole.

#include <cstdint>
#include <deque>

#include "Vtop.h"
#include "ports.h"
#include "verilated.h"

namespace {

constexpr int64_t ONE = int64_t(1) << 32;  // a cycle, in the host's time

struct Board {
    VerilatedContext context;
    Vtop top{&context};
    int64_t period = 0;  // of a bit of the host
    uint64_t cycles = 0;
    uint64_t quiet = 0;  // cycles since anything happened on the line
    // Towards the device.
    std::deque<uint8_t> input;
    uint64_t shift = 0;      // bits to send, the next one lowest
    uint64_t sending = 0;    // how many
    int64_t send_left = 0;   // time until the bit on the line ends
    bool line = true;
    bool broken = false;     // the line is held low
    // From the device.
    std::deque<uint8_t> output;
    uint64_t bit = 0;          // 0: idle; 1: waiting for the middle of the start bit; 2: of bit 0; ...
    uint64_t byte = 0;
    int64_t receive_left = 0;  // time until that middle
    bool was_high = true;
    uint64_t framing_errors = 0;
};

void send(Board& b) {
    if (b.send_left > 0) {
        b.send_left -= ONE;
        if (b.send_left > 0) return;
    }
    if (!b.sending) {
        if (b.input.empty()) {
            b.line = true;
            b.send_left = 0;
            return;
        }
        b.shift = (0x100u | b.input.front()) << 1;  // start bit, data, stop bit
        b.sending = 10;
        b.input.pop_front();
    }
    b.line = b.shift & 1;
    b.shift >>= 1;
    --b.sending;
    b.send_left += b.period;
}

void receive(Board& b, bool high) {
    if (high != b.was_high) b.quiet = 0;
    if (!b.bit) {
        if (b.was_high && !high) {
            b.bit = 1;
            b.receive_left = b.period / 2;
        }
    } else if ((b.receive_left -= ONE) <= 0) {
        b.receive_left += b.period;
        if (b.bit == 1) {
            b.bit = high ? 0 : 2;  // a start bit that is too short is none
        } else if (b.bit < 10) {
            b.byte = (b.byte >> 1) | (uint64_t(high) << 7);
            ++b.bit;
        } else {
            if (high)
                b.output.push_back(uint8_t(b.byte));
            else
                ++b.framing_errors;
            b.bit = 0;
        }
    }
    b.was_high = high;
}

void step(Board& b) {
    send(b);
    b.top.RX = b.line && !b.broken;
    b.top.CLK = 0;
    b.top.eval();
    receive(b, b.top.TX & 1);
    b.top.CLK = 1;
    b.top.eval();
    ++b.cycles;
    ++b.quiet;
    if (b.sending || !b.input.empty()) b.quiet = 0;
}

}  // namespace

extern "C" {

// `period`: cycles per bit of the host, times 2**32.
Board* board_new(uint64_t seed, int64_t period) {
    Board* b = new Board;
    b->context.randSeed(static_cast<int>(seed % 0x7FFFFFFF) + 1);
    b->context.randReset(0);
    b->period = period;
    b->top.RX = 1;
    return b;
}

void board_delete(Board* b) {
    b->top.final();
    delete b;
}

// Hold the reset, where there is one, for so many cycles.
void board_reset(Board* b, uint64_t cycles) {
#ifdef RST
    b->top.RST = 1;
    for (uint64_t n = 0; n < cycles; ++n) step(*b);
    b->top.RST = 0;
#endif
}

void board_send(Board* b, const uint8_t* data, uint64_t size) {
    b->input.insert(b->input.end(), data, data + size);
}

// Hold the line low, as a cable that is pulled out may.
void board_break(Board* b, uint64_t low) { b->broken = low; }

void board_run(Board* b, uint64_t cycles) {
    for (uint64_t n = 0; n < cycles; ++n) step(*b);
}

// At most `room` bytes that came; how many.
uint64_t board_receive(Board* b, uint8_t* data, uint64_t room) {
    uint64_t n = 0;
    for (; n < room && !b->output.empty(); ++n) {
        data[n] = b->output.front();
        b->output.pop_front();
    }
    return n;
}

uint64_t board_unsent(const Board* b) { return b->input.size() + (b->sending > 0); }
uint64_t board_quiet(const Board* b) { return b->quiet; }
uint64_t board_cycles(const Board* b) { return b->cycles; }
uint64_t board_framing_errors(const Board* b) { return b->framing_errors; }
}
