// Buffers of Lattice iCE40. Verilator does not connect an input to an inout pin: an SB_IO goes by its
// direction (fpga/simulation.py renames it). No registers, and outputs are always on.
module SB_IO_INPUT (
    input PACKAGE_PIN, CLOCK_ENABLE, INPUT_CLK, OUTPUT_CLK, LATCH_INPUT_VALUE, OUTPUT_ENABLE,
    output D_IN_0
);
    parameter IO_STANDARD = "SB_LVCMOS";
    parameter PIN_TYPE = 6'b000001;
    parameter PULLUP = 0;
    assign D_IN_0 = PACKAGE_PIN;
endmodule

module SB_IO_OUTPUT (
    output PACKAGE_PIN,
    input CLOCK_ENABLE, INPUT_CLK, OUTPUT_CLK, LATCH_INPUT_VALUE, OUTPUT_ENABLE, D_OUT_0
);
    parameter IO_STANDARD = "SB_LVCMOS";
    parameter PIN_TYPE = 6'b101001;
    parameter PULLUP = 0;
    assign PACKAGE_PIN = D_OUT_0;
endmodule

module SB_GB_IO (
    input PACKAGE_PIN, CLOCK_ENABLE, INPUT_CLK, OUTPUT_CLK, LATCH_INPUT_VALUE, OUTPUT_ENABLE,
    output GLOBAL_BUFFER_OUTPUT
);
    parameter IO_STANDARD = "SB_LVCMOS";
    parameter PIN_TYPE = 6'b000001;
    assign GLOBAL_BUFFER_OUTPUT = PACKAGE_PIN;
endmodule
