// How Yosys maps what synth_nexus maps wrongly for Lattice Nexus; fpga/targets/nexus.py says why.

// Multipliers of two factors, each signed or not, as mul2dsp makes them.
module multiply_9x9 #(
    parameter A_SIGNED = 0, B_SIGNED = 0, A_WIDTH = 9, B_WIDTH = 9, Y_WIDTH = 18
) (input [8:0] A, B, output [17:0] Y);
    MULT9X9 #(.REGINPUTA("BYPASS"), .REGINPUTB("BYPASS"), .REGOUTPUT("BYPASS")) _TECHMAP_REPLACE_ (
        .A(A), .B(B), .SIGNEDA(A_SIGNED ? 1'b1 : 1'b0), .SIGNEDB(B_SIGNED ? 1'b1 : 1'b0), .Z(Y)
    );
endmodule

module multiply_18x18 #(
    parameter A_SIGNED = 0, B_SIGNED = 0, A_WIDTH = 18, B_WIDTH = 18, Y_WIDTH = 36
) (input [17:0] A, B, output [35:0] Y);
    MULT18X18 #(.REGINPUTA("BYPASS"), .REGINPUTB("BYPASS"), .REGOUTPUT("BYPASS")) _TECHMAP_REPLACE_ (
        .A(A), .B(B), .SIGNEDA(A_SIGNED ? 1'b1 : 1'b0), .SIGNEDB(B_SIGNED ? 1'b1 : 1'b0), .Z(Y)
    );
endmodule

module multiply_36x18 #(
    parameter A_SIGNED = 0, B_SIGNED = 0, A_WIDTH = 36, B_WIDTH = 18, Y_WIDTH = 54
) (input [35:0] A, input [17:0] B, output [53:0] Y);
    MULT18X36 #(.REGINPUTA("BYPASS"), .REGINPUTB("BYPASS"), .REGOUTPUT("BYPASS")) _TECHMAP_REPLACE_ (
        .A(B), .B(A), .SIGNEDA(B_SIGNED ? 1'b1 : 1'b0), .SIGNEDB(A_SIGNED ? 1'b1 : 1'b0), .Z(Y)
    );
endmodule

module multiply_36x36 #(
    parameter A_SIGNED = 0, B_SIGNED = 0, A_WIDTH = 36, B_WIDTH = 36, Y_WIDTH = 72
) (input [35:0] A, B, output [71:0] Y);
    MULT36X36 #(.REGINPUTA("BYPASS"), .REGINPUTB("BYPASS"), .REGOUTPUT("BYPASS")) _TECHMAP_REPLACE_ (
        .A(A), .B(B), .SIGNEDA(A_SIGNED ? 1'b1 : 1'b0), .SIGNEDB(B_SIGNED ? 1'b1 : 1'b0), .Z(Y)
    );
endmodule

// The first of a chain of carries: a constant 0 at CIN is left out.
(* techmap_celltype = "CCU2" *)
module first_carry #(
    parameter INJECT = "YES", INIT0 = "0x0000", INIT1 = "0x0000",
    parameter _TECHMAP_CONSTMSK_CIN_ = 1'b0, _TECHMAP_CONSTVAL_CIN_ = 1'bx
) (input CIN, A0, B0, C0, D0, A1, B1, C1, D1, output S0, S1, COUT);
    wire _TECHMAP_FAIL_ = _TECHMAP_CONSTMSK_CIN_ != 1'b1 || _TECHMAP_CONSTVAL_CIN_ != 1'b0;
    CCU2 #(.INJECT(INJECT), .INIT0(INIT0), .INIT1(INIT1)) _TECHMAP_REPLACE_ (
        .A0(A0), .B0(B0), .C0(C0), .D0(D0), .A1(A1), .B1(B1), .C1(C1), .D1(D1),
        .S0(S0), .S1(S1), .COUT(COUT)
    );
endmodule
