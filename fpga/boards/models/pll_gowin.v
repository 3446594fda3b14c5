// The PLL of Gowin GW1NR-9 and GW2A, rPLL, with internal feedback.
//
// Under Verilator, which has no time, the output is the input; elsewhere it has the frequency that
// the dividers give. What UG286E allows of the dividers is checked.
`timescale 1ps / 1ps
module rPLL (
    input CLKIN, CLKFB, RESET, RESET_P,
    input [5:0] FBDSEL, IDSEL, ODSEL,
    input [3:0] PSDA, DUTYDA, FDLY,
    output CLKOUT, LOCK, CLKOUTP, CLKOUTD, CLKOUTD3
);
    parameter FCLKIN = "100.0";
    parameter DEVICE = "GW1NR-9C";
    parameter IDIV_SEL = 0;
    parameter FBDIV_SEL = 0;
    parameter ODIV_SEL = 8;
    parameter DYN_IDIV_SEL = "false";
    parameter DYN_FBDIV_SEL = "false";
    parameter DYN_ODIV_SEL = "false";
    parameter DYN_SDIV_SEL = 2;
    parameter CLKFB_SEL = "internal";
    parameter CLKOUT_BYPASS = "false";
    parameter CLKOUTP_BYPASS = "false";
    parameter CLKOUTD_BYPASS = "false";
    parameter PSDA_SEL = "0000";
    parameter DUTYDA_SEL = "1000";

    initial if (CLKFB_SEL != "internal" || IDIV_SEL > 63 || FBDIV_SEL > 63 || ODIV_SEL < 2
            || ODIV_SEL > 128) begin
        $display("rPLL: parameters that are not allowed");
        $finish;
    end

    reg [7:0] locking = 0;
    assign LOCK = &locking & ~RESET;
    always @(posedge CLKIN)
        if (RESET) locking <= 0;
        else if (~&locking) locking <= locking + 1;

`ifdef VERILATOR
    assign CLKOUT = CLKIN;
`else
    realtime last = 0, period = 0;
    real half;
    reg o = 0;
    always @(posedge CLKIN) begin
        if (last > 0) period = $realtime - last;
        last = $realtime;
    end
    always @(period) if (period > 0) half = period * (IDIV_SEL + 1) / (FBDIV_SEL + 1) / 2;
    initial begin
        wait (period > 0);
        forever #(half) o = ~o;
    end
    assign CLKOUT = o;
`endif
    assign CLKOUTP = 0;
    assign CLKOUTD = 0;
    assign CLKOUTD3 = 0;
endmodule
