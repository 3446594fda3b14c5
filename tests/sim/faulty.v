// An engine that breaks the stream protocol in the way that MODE asks for; it computes nothing.
// Ports as of the preset tiny_os. A start gives three beats of C.
module tiny_os(
  input clk, input rst,
  input [15:0] s_axil_awaddr, input [2:0] s_axil_awprot, input s_axil_awvalid,
  output s_axil_awready, input [31:0] s_axil_wdata, input [3:0] s_axil_wstrb,
  input s_axil_wvalid, output s_axil_wready, output [1:0] s_axil_bresp,
  output reg s_axil_bvalid, input s_axil_bready,
  input [15:0] s_axil_araddr, input [2:0] s_axil_arprot, input s_axil_arvalid,
  output s_axil_arready, output [31:0] s_axil_rdata, output [1:0] s_axil_rresp,
  output reg s_axil_rvalid, input s_axil_rready,
  input [15:0] s_axis_a_tdata, input s_axis_a_tvalid, output s_axis_a_tready, input s_axis_a_tlast,
  input [23:0] s_axis_b_tdata, input s_axis_b_tvalid, output s_axis_b_tready, input s_axis_b_tlast,
  input [95:0] s_axis_c0_tdata, input s_axis_c0_tvalid, output s_axis_c0_tready,
  input s_axis_c0_tlast,
  output [95:0] m_axis_c_tdata, output m_axis_c_tvalid, input m_axis_c_tready,
  output m_axis_c_tlast
);
  localparam DROPS = 1, CHANGES = 2, EARLY = 3, MISSING = 4, SURPLUS = 5, HANGS = 6, REFUSES = 7;
  reg [31:0] mode;
  reg [2:0] left;   // beats to give
  reg waited;       // the beat has been offered for a cycle
  wire [2:0] total = mode == SURPLUS ? 3'd4 : 3'd3;
  wire [2:0] end_ = mode == SURPLUS ? 3'd2 : 3'd1;

  assign s_axis_a_tready = left != 0;
  assign s_axis_b_tready = 0;
  assign s_axis_c0_tready = 0;
  assign m_axis_c_tvalid = left != 0 && mode != HANGS && !(mode == DROPS && waited);
  assign m_axis_c_tdata = {93'd0, left} ^ {96{mode == CHANGES && waited}};
  assign m_axis_c_tlast = mode == MISSING ? 1'b0 : mode == EARLY ? left == 2 : left == end_;

  wire write = s_axil_awvalid && s_axil_wvalid && !s_axil_bvalid;
  assign s_axil_awready = write;
  assign s_axil_wready = write;
  assign s_axil_bresp = mode == REFUSES ? 2'd2 : 2'd0;
  assign s_axil_arready = !s_axil_rvalid;
  assign s_axil_rdata = {left, 29'd0} | mode;
  assign s_axil_rresp = mode == REFUSES ? 2'd3 : 2'd0;

  always @(posedge clk) begin
    waited <= m_axis_c_tvalid && !m_axis_c_tready;
    if (m_axis_c_tvalid && m_axis_c_tready) left <= left - 1;
    if (s_axil_bvalid && s_axil_bready) s_axil_bvalid <= 0;
    if (s_axil_rvalid && s_axil_rready) s_axil_rvalid <= 0;
    if (s_axil_arvalid && s_axil_arready) s_axil_rvalid <= 1;
    if (write) begin
      s_axil_bvalid <= 1;
      if (s_axil_awaddr == 16'h20) mode <= s_axil_wdata;
      if (s_axil_awaddr == 16'h08 && s_axil_wdata[0]) left <= total;
      if (s_axil_awaddr == 16'h08 && s_axil_wdata[1]) left <= mode == SURPLUS ? 3'd1 : 3'd0;
    end
    if (rst) begin
      s_axil_bvalid <= 0;
      s_axil_rvalid <= 0;
      left <= 0;
      waited <= 0;
      mode <= 0;
    end
  end
endmodule
