// The PLL of Lattice ECP5, EHXPLLL, with CLKOP fed back, outputs CLKOP and CLKOS.
//
// Under Verilator, which has no time, every output is the input: a cycle of the crystal is a cycle of
// the engine. Elsewhere the outputs have the frequencies that the dividers give. Both check what the
// datasheet allows (FPGA-DS-02012) where the input's frequency is known, and lock after a while.
`timescale 1ps / 1ps
module EHXPLLL (
    input CLKI, CLKFB, PHASESEL1, PHASESEL0, PHASEDIR, PHASESTEP, PHASELOADREG, STDBY, PLLWAKESYNC,
    input RST, ENCLKOP, ENCLKOS, ENCLKOS2, ENCLKOS3,
    output CLKOP, CLKOS, CLKOS2, CLKOS3, LOCK, INTLOCK, REFCLK, CLKINTFB
);
    parameter CLKI_DIV = 1;
    parameter CLKFB_DIV = 1;
    parameter CLKOP_DIV = 8;
    parameter CLKOS_DIV = 8;
    parameter CLKOP_ENABLE = "ENABLED";
    parameter CLKOS_ENABLE = "DISABLED";
    parameter CLKOP_CPHASE = 0;
    parameter CLKOS_CPHASE = 0;
    parameter FEEDBK_PATH = "CLKOP";

    initial if (FEEDBK_PATH != "CLKOP" || CLKOP_ENABLE != "ENABLED" || CLKI_DIV < 1 || CLKI_DIV > 128
            || CLKFB_DIV < 1 || CLKFB_DIV > 80 || CLKOP_DIV < 1 || CLKOP_DIV > 128
            || CLKOS_DIV < 1 || CLKOS_DIV > 128) begin
        $display("EHXPLLL: parameters that are not allowed");
        $finish;
    end

    reg [7:0] locking = 0;
    assign LOCK = &locking & ~RST;
    always @(posedge CLKI)
        if (RST) locking <= 0;
        else if (~&locking) locking <= locking + 1;

`ifdef VERILATOR
    assign CLKOP = CLKI;
    assign CLKOS = CLKOS_ENABLE == "ENABLED" & CLKI;
`else
    realtime last = 0, period = 0;
    reg op = 0, os = 0;
    always @(posedge CLKI) begin
        if (last > 0) period = $realtime - last;
        last = $realtime;
    end
    // CLKOP is the input times CLKFB_DIV / CLKI_DIV; the oscillator CLKOP_DIV times that.
    real op_half, os_half;
    always @(period) if (period > 0) begin
        op_half = period * CLKI_DIV / CLKFB_DIV / 2;
        os_half = op_half / CLKOP_DIV * CLKOS_DIV;
        // 1e6 / ps is MHz.
        if (period * CLKI_DIV > 100_001 || op_half * 2 / CLKOP_DIV < 1_249
                || op_half * 2 / CLKOP_DIV > 2_501) begin
            $display("EHXPLLL: phase detector below 10 MHz, or oscillator not within 400 to 800 MHz");
            $finish;
        end
    end
    initial begin
        wait (period > 0);
        forever #(op_half) op = ~op;
    end
    initial begin
        wait (period > 0);
        forever #(os_half) os = ~os;
    end
    assign CLKOP = op;
    assign CLKOS = CLKOS_ENABLE == "ENABLED" & os;
`endif
    assign CLKOS2 = 0;
    assign CLKOS3 = 0;
    assign INTLOCK = LOCK;
    assign REFCLK = CLKI;
    assign CLKINTFB = 0;
endmodule
