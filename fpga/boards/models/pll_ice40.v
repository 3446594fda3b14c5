// The PLL of Lattice iCE40, SB_PLL40_CORE and SB_PLL40_PAD, with feedback SIMPLE.
//
// Under Verilator, which has no time, the output is the input; elsewhere it has the frequency that
// the dividers give. What FPGA-TN-02052 allows is checked where the input's frequency is known.
`timescale 1ps / 1ps
module SB_PLL40_CORE (
    input REFERENCECLK, EXTFEEDBACK, BYPASS, RESETB, LATCHINPUTVALUE, SDI, SCLK,
    input [7:0] DYNAMICDELAY,
    output PLLOUTCORE, PLLOUTGLOBAL, LOCK, SDO
);
    parameter FEEDBACK_PATH = "SIMPLE";
    parameter PLLOUT_SELECT = "GENCLK";
    parameter DIVR = 4'b0000;
    parameter DIVF = 7'b0000000;
    parameter DIVQ = 3'b000;
    parameter FILTER_RANGE = 3'b000;

    initial if (FEEDBACK_PATH != "SIMPLE" || PLLOUT_SELECT != "GENCLK" || DIVQ == 0 || DIVQ == 7) begin
        $display("SB_PLL40: parameters that are not allowed");
        $finish;
    end

    reg [7:0] locking = 0;
    assign LOCK = &locking & RESETB;
    always @(posedge REFERENCECLK)
        if (~RESETB) locking <= 0;
        else if (~&locking) locking <= locking + 1;

`ifdef VERILATOR
    assign PLLOUTGLOBAL = REFERENCECLK;
`else
    realtime last = 0, period = 0;
    real half;
    reg o = 0;
    always @(posedge REFERENCECLK) begin
        if (last > 0) period = $realtime - last;
        last = $realtime;
    end
    always @(period) if (period > 0) begin
        half = period * (DIVR + 1) / (DIVF + 1) * (1 << DIVQ) / 2;
        if (period * (DIVR + 1) > 100_001 || period * (DIVR + 1) / (DIVF + 1) < 938
                || period * (DIVR + 1) / (DIVF + 1) > 1_877) begin
            $display("SB_PLL40: phase detector below 10 MHz, or oscillator not within 533 to 1066 MHz");
            $finish;
        end
    end
    initial begin
        wait (period > 0);
        forever #(half) o = ~o;
    end
    assign PLLOUTGLOBAL = BYPASS ? REFERENCECLK : o;
`endif
    assign PLLOUTCORE = PLLOUTGLOBAL;
    assign SDO = 0;
endmodule

module SB_PLL40_PAD (
    input PACKAGEPIN, EXTFEEDBACK, BYPASS, RESETB, LATCHINPUTVALUE, SDI, SCLK,
    input [7:0] DYNAMICDELAY,
    output PLLOUTCORE, PLLOUTGLOBAL, LOCK, SDO
);
    parameter FEEDBACK_PATH = "SIMPLE";
    parameter PLLOUT_SELECT = "GENCLK";
    parameter DIVR = 4'b0000;
    parameter DIVF = 7'b0000000;
    parameter DIVQ = 3'b000;
    parameter FILTER_RANGE = 3'b000;

    SB_PLL40_CORE #(
        .FEEDBACK_PATH(FEEDBACK_PATH), .PLLOUT_SELECT(PLLOUT_SELECT),
        .DIVR(DIVR), .DIVF(DIVF), .DIVQ(DIVQ), .FILTER_RANGE(FILTER_RANGE)
    ) core (
        .REFERENCECLK(PACKAGEPIN), .EXTFEEDBACK(EXTFEEDBACK), .BYPASS(BYPASS), .RESETB(RESETB),
        .LATCHINPUTVALUE(LATCHINPUTVALUE), .SDI(SDI), .SCLK(SCLK), .DYNAMICDELAY(DYNAMICDELAY),
        .PLLOUTCORE(PLLOUTCORE), .PLLOUTGLOBAL(PLLOUTGLOBAL), .LOCK(LOCK), .SDO(SDO)
    );
endmodule
