// Just enough of AMD's and Intel's libraries to simulate a board's top. One cycle of the crystal is
// one of the engine: what the MMCM divides is checked by its parameters.
module IBUF(input I, output O);
  assign O = I;
endmodule
// The pair's other pin only tells how the first one is to be read.
module IBUFDS(input I, input IB, output O);
  assign O = I;
endmodule
module OBUFT(input I, input T, output O);
  assign O = T ? 1'b0 : I;
endmodule
module BUFG(input I, output O);
  assign O = I;
endmodule
module FDPE #(parameter INIT = 1'b1)(input C, input CE, input D, input PRE, output reg Q);
  initial Q = INIT;
  always @(posedge C or posedge PRE)
    if (PRE) Q <= 1'b1;
    else if (CE) Q <= D;
endmodule
// Locked after some cycles, as the real one is after some microseconds.
module MMCME2_BASE #(
  parameter CLKIN1_PERIOD = 0.0, parameter DIVCLK_DIVIDE = 1, parameter CLKFBOUT_MULT_F = 5.0,
  parameter CLKOUT0_DIVIDE_F = 1.0
)(
  input CLKIN1, input CLKFBIN, input RST, input PWRDWN,
  output CLKFBOUT, output CLKOUT0, output LOCKED
);
  reg [6:0] count = 0;
  assign CLKOUT0 = CLKIN1;
  assign CLKFBOUT = 1'b0;
  assign LOCKED = &count;
  always @(posedge CLKIN1) if (!(&count)) count <= count + 7'd1;
endmodule
module MMCME4_BASE #(
  parameter CLKIN1_PERIOD = 0.0, parameter DIVCLK_DIVIDE = 1, parameter CLKFBOUT_MULT_F = 5.0,
  parameter CLKOUT0_DIVIDE_F = 1.0
)(
  input CLKIN1, input CLKFBIN, input RST, input PWRDWN,
  output CLKFBOUT, output CLKOUT0, output LOCKED
);
  reg [6:0] count = 0;
  assign CLKOUT0 = CLKIN1;
  assign CLKFBOUT = 1'b0;
  assign LOCKED = &count;
  always @(posedge CLKIN1) if (!(&count)) count <= count + 7'd1;
endmodule
module altiobuf_in #(
  parameter enable_bus_hold = "", parameter number_of_channels = 1,
  parameter use_differential_mode = ""
)(input datain, output dataout);
  assign dataout = datain;
endmodule
module altiobuf_out #(
  parameter enable_bus_hold = "", parameter number_of_channels = 1,
  parameter use_differential_mode = "", parameter use_oe = ""
)(input datain, input oe, output dataout);
  assign dataout = oe ? datain : 1'b0;
endmodule
module altera_std_synchronizer #(parameter depth = 2)(
  input clk, input din, input reset_n, output dout
);
  reg [depth-1:0] stages = 0;
  assign dout = stages[depth-1];
  always @(posedge clk or negedge reset_n)
    if (!reset_n) stages <= 0;
    else stages <= {stages[depth-2:0], din};
endmodule
