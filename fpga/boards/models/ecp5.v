// Block RAM of Lattice ECP5, DP16KD, as FPGA-TN-02204 describes it and as Yosys uses it: two ports of 1
// to 18 bits, or (DATA_WIDTH 36) a write port A and a read port B that take both halves of the pins.
// 1,024 words of 18 bits; a narrower port's bits are within the two bytes of 9.
// What a port reads while the other one writes there is the old word.
module DP16KD (
    input DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4,
    DIA3, DIA2, DIA1, DIA0, ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4,
    ADA3, ADA2, ADA1, ADA0,
    input CEA, OCEA, CLKA, WEA, RSTA, CSA2, CSA1, CSA0,
    output DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4,
    DOA3, DOA2, DOA1, DOA0,
    input DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4,
    DIB3, DIB2, DIB1, DIB0, ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4,
    ADB3, ADB2, ADB1, ADB0,
    input CEB, OCEB, CLKB, WEB, RSTB, CSB2, CSB1, CSB0,
    output DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4,
    DOB3, DOB2, DOB1, DOB0
);
    parameter DATA_WIDTH_A = 18;
    parameter DATA_WIDTH_B = 18;
    parameter REGMODE_A = "NOREG";
    parameter REGMODE_B = "NOREG";
    parameter RESETMODE = "SYNC";
    parameter ASYNC_RESET_RELEASE = "SYNC";
    parameter CSDECODE_A = "0b000";
    parameter CSDECODE_B = "0b000";
    parameter WRITEMODE_A = "NORMAL";
    parameter WRITEMODE_B = "NORMAL";
    parameter CLKAMUX = "CLKA";
    parameter CLKBMUX = "CLKB";
    parameter GSR = "DISABLED";
    parameter INIT_DATA = "STATIC";
    parameter WID = 0;
    parameter INITVAL_00 = 320'h0;
    parameter INITVAL_01 = 320'h0;
    parameter INITVAL_02 = 320'h0;
    parameter INITVAL_03 = 320'h0;
    parameter INITVAL_04 = 320'h0;
    parameter INITVAL_05 = 320'h0;
    parameter INITVAL_06 = 320'h0;
    parameter INITVAL_07 = 320'h0;
    parameter INITVAL_08 = 320'h0;
    parameter INITVAL_09 = 320'h0;
    parameter INITVAL_0A = 320'h0;
    parameter INITVAL_0B = 320'h0;
    parameter INITVAL_0C = 320'h0;
    parameter INITVAL_0D = 320'h0;
    parameter INITVAL_0E = 320'h0;
    parameter INITVAL_0F = 320'h0;
    parameter INITVAL_10 = 320'h0;
    parameter INITVAL_11 = 320'h0;
    parameter INITVAL_12 = 320'h0;
    parameter INITVAL_13 = 320'h0;
    parameter INITVAL_14 = 320'h0;
    parameter INITVAL_15 = 320'h0;
    parameter INITVAL_16 = 320'h0;
    parameter INITVAL_17 = 320'h0;
    parameter INITVAL_18 = 320'h0;
    parameter INITVAL_19 = 320'h0;
    parameter INITVAL_1A = 320'h0;
    parameter INITVAL_1B = 320'h0;
    parameter INITVAL_1C = 320'h0;
    parameter INITVAL_1D = 320'h0;
    parameter INITVAL_1E = 320'h0;
    parameter INITVAL_1F = 320'h0;
    parameter INITVAL_20 = 320'h0;
    parameter INITVAL_21 = 320'h0;
    parameter INITVAL_22 = 320'h0;
    parameter INITVAL_23 = 320'h0;
    parameter INITVAL_24 = 320'h0;
    parameter INITVAL_25 = 320'h0;
    parameter INITVAL_26 = 320'h0;
    parameter INITVAL_27 = 320'h0;
    parameter INITVAL_28 = 320'h0;
    parameter INITVAL_29 = 320'h0;
    parameter INITVAL_2A = 320'h0;
    parameter INITVAL_2B = 320'h0;
    parameter INITVAL_2C = 320'h0;
    parameter INITVAL_2D = 320'h0;
    parameter INITVAL_2E = 320'h0;
    parameter INITVAL_2F = 320'h0;
    parameter INITVAL_30 = 320'h0;
    parameter INITVAL_31 = 320'h0;
    parameter INITVAL_32 = 320'h0;
    parameter INITVAL_33 = 320'h0;
    parameter INITVAL_34 = 320'h0;
    parameter INITVAL_35 = 320'h0;
    parameter INITVAL_36 = 320'h0;
    parameter INITVAL_37 = 320'h0;
    parameter INITVAL_38 = 320'h0;
    parameter INITVAL_39 = 320'h0;
    parameter INITVAL_3A = 320'h0;
    parameter INITVAL_3B = 320'h0;
    parameter INITVAL_3C = 320'h0;
    parameter INITVAL_3D = 320'h0;
    parameter INITVAL_3E = 320'h0;
    parameter INITVAL_3F = 320'h0;

    initial if (REGMODE_A != "NOREG" || REGMODE_B != "NOREG" || CSDECODE_A != "0b000"
            || CSDECODE_B != "0b000") begin
        $display("DP16KD: a mode that this model does not have");
        $finish;
    end

    reg [17:0] words [0:1023];
    reg [319:0] block;
    integer i;
    task load(input integer number);
        for (i = 0; i < 16; i = i + 1) words[16 * number + i] = block[20 * i +: 18];
    endtask
    initial begin
        block = INITVAL_00; load(0);
        block = INITVAL_01; load(1);
        block = INITVAL_02; load(2);
        block = INITVAL_03; load(3);
        block = INITVAL_04; load(4);
        block = INITVAL_05; load(5);
        block = INITVAL_06; load(6);
        block = INITVAL_07; load(7);
        block = INITVAL_08; load(8);
        block = INITVAL_09; load(9);
        block = INITVAL_0A; load(10);
        block = INITVAL_0B; load(11);
        block = INITVAL_0C; load(12);
        block = INITVAL_0D; load(13);
        block = INITVAL_0E; load(14);
        block = INITVAL_0F; load(15);
        block = INITVAL_10; load(16);
        block = INITVAL_11; load(17);
        block = INITVAL_12; load(18);
        block = INITVAL_13; load(19);
        block = INITVAL_14; load(20);
        block = INITVAL_15; load(21);
        block = INITVAL_16; load(22);
        block = INITVAL_17; load(23);
        block = INITVAL_18; load(24);
        block = INITVAL_19; load(25);
        block = INITVAL_1A; load(26);
        block = INITVAL_1B; load(27);
        block = INITVAL_1C; load(28);
        block = INITVAL_1D; load(29);
        block = INITVAL_1E; load(30);
        block = INITVAL_1F; load(31);
        block = INITVAL_20; load(32);
        block = INITVAL_21; load(33);
        block = INITVAL_22; load(34);
        block = INITVAL_23; load(35);
        block = INITVAL_24; load(36);
        block = INITVAL_25; load(37);
        block = INITVAL_26; load(38);
        block = INITVAL_27; load(39);
        block = INITVAL_28; load(40);
        block = INITVAL_29; load(41);
        block = INITVAL_2A; load(42);
        block = INITVAL_2B; load(43);
        block = INITVAL_2C; load(44);
        block = INITVAL_2D; load(45);
        block = INITVAL_2E; load(46);
        block = INITVAL_2F; load(47);
        block = INITVAL_30; load(48);
        block = INITVAL_31; load(49);
        block = INITVAL_32; load(50);
        block = INITVAL_33; load(51);
        block = INITVAL_34; load(52);
        block = INITVAL_35; load(53);
        block = INITVAL_36; load(54);
        block = INITVAL_37; load(55);
        block = INITVAL_38; load(56);
        block = INITVAL_39; load(57);
        block = INITVAL_3A; load(58);
        block = INITVAL_3B; load(59);
        block = INITVAL_3C; load(60);
        block = INITVAL_3D; load(61);
        block = INITVAL_3E; load(62);
        block = INITVAL_3F; load(63);
    end

    wire [17:0] dia = {
        DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5,
            DIA4, DIA3, DIA2, DIA1, DIA0
    };
    wire [17:0] dib = {
        DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5,
            DIB4, DIB3, DIB2, DIB1, DIB0
    };
    wire [13:0] ada = {
        ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0
    };
    wire [13:0] adb = {
        ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0
    };
    wire clka = CLKAMUX == "INV" ? ~CLKA : CLKA;
    wire clkb = CLKBMUX == "INV" ? ~CLKB : CLKB;
    wire ena = CEA & ~CSA2 & ~CSA1 & ~CSA0;
    wire enb = CEB & ~CSB2 & ~CSB1 & ~CSB0;
    wire [35:0] mask_a = mask(DATA_WIDTH_A, ada);
    wire [35:0] mask_b = mask(DATA_WIDTH_B, adb);
    wire [35:0] data_a = DATA_WIDTH_A == 36 ? {dib, dia} : spread(DATA_WIDTH_A, ada, dia);
    wire [35:0] data_b = spread(DATA_WIDTH_B, adb, dib);
    wire [35:0] old_a = {words[{ada[13:5], 1'b1}], words[{ada[13:5], 1'b0}]};
    wire [35:0] old_b = {words[{adb[13:5], 1'b1}], words[{adb[13:5], 1'b0}]};
    wire [35:0] new_a = (old_a & ~mask_a) | (data_a & mask_a);
    wire [35:0] new_b = (old_b & ~mask_b) | (data_b & mask_b);
    reg [35:0] out_a = 0, out_b = 0;

    // Where a port's data lie in the two words that bits 13 to 5 of its address name.
    function [5:0] offset(input integer width, input [13:0] address);
        case (width)
            36: offset = 0;
            18: offset = address[4] ? 18 : 0;
            9: offset = (address[4] ? 18 : 0) + (address[3] ? 9 : 0);
            4: offset = (address[4] ? 18 : 0) + (address[3] ? 9 : 0) + (address[2] ? 4 : 0);
            2: offset = (address[4] ? 18 : 0) + (address[3] ? 9 : 0) + (address[2] ? 4 : 0)
                + (address[1] ? 2 : 0);
            default: offset = (address[4] ? 18 : 0) + (address[3] ? 9 : 0) + (address[2] ? 4 : 0)
                + (address[1] ? 2 : 0) + (address[0] ? 1 : 0);
        endcase
    endfunction

    // The bits that a port writes; the low bits of a wide port's address are byte enables.
    function [35:0] mask(input integer width, input [13:0] address);
        case (width)
            36: mask = {{9{address[3]}}, {9{address[2]}}, {9{address[1]}}, {9{address[0]}}};
            18: mask = {18'b0, {9{address[1]}}, {9{address[0]}}} << offset(width, address);
            default: mask = ((36'd1 << width) - 36'd1) << offset(width, address);
        endcase
    endfunction

    function [35:0] spread(input integer width, input [13:0] address, input [17:0] data);
        spread = {18'b0, data} << offset(width, address);
    endfunction

    always @(posedge clka)
        if (ena & WEA) begin
            words[{ada[13:5], 1'b0}] <= new_a[17:0];
            words[{ada[13:5], 1'b1}] <= new_a[35:18];
        end
    always @(posedge clkb)
        if (enb & WEB) begin
            words[{adb[13:5], 1'b0}] <= new_b[17:0];
            words[{adb[13:5], 1'b1}] <= new_b[35:18];
        end

    wire async_a = RESETMODE == "ASYNC" & RSTA;
    wire async_b = RESETMODE == "ASYNC" & RSTB;
    always @(posedge clka or posedge async_a)
        if (async_a) out_a <= 0;
        else if (RSTA) out_a <= 0;
        else if (ena & (~WEA | WRITEMODE_A == "READBEFOREWRITE"))
            out_a <= old_a >> offset(DATA_WIDTH_A, ada);
        else if (ena & WRITEMODE_A == "WRITETHROUGH") out_a <= new_a >> offset(DATA_WIDTH_A, ada);
    always @(posedge clkb or posedge async_b)
        if (async_b) out_b <= 0;
        else if (RSTB) out_b <= 0;
        else if (enb & (~WEB | WRITEMODE_B == "READBEFOREWRITE"))
            out_b <= old_b >> offset(DATA_WIDTH_B, adb);
        else if (enb & WRITEMODE_B == "WRITETHROUGH") out_b <= new_b >> offset(DATA_WIDTH_B, adb);

    // A read port of 36 bits is port B, with its low half at port A's pins.
    assign {
        DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5,
            DOA4, DOA3, DOA2, DOA1, DOA0
    } = DATA_WIDTH_B == 36 ? out_b[17:0] : out_a[17:0];
    assign {
        DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5,
            DOB4, DOB3, DOB2, DOB1, DOB0
    } = DATA_WIDTH_B == 36 ? out_b[35:18] : out_b[17:0];
endmodule

// A multiplier of Lattice ECP5, MULT18X18D, without its registers.
module MULT18X18D (
    input A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0, B17, B16,
    B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0, C17, C16, C15, C14,
    C13, C12, C11, C10, C9, C8, C7, C6, C5, C4, C3, C2, C1, C0,
    input SIGNEDA, SIGNEDB, SOURCEA, SOURCEB,
    output P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18,
    P17, P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0
);
    parameter REG_INPUTA_CLK = "NONE";
    parameter REG_INPUTB_CLK = "NONE";
    parameter REG_PIPELINE_CLK = "NONE";
    parameter REG_OUTPUT_CLK = "NONE";

    initial if (REG_INPUTA_CLK != "NONE" || REG_INPUTB_CLK != "NONE" || REG_PIPELINE_CLK != "NONE"
            || REG_OUTPUT_CLK != "NONE") begin
        $display("MULT18X18D: a mode that this model does not have");
        $finish;
    end

    wire [17:0] a = {
        A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0
    };
    wire [17:0] b = {
        B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0
    };
    wire signed [35:0] wide_a = {{18{SIGNEDA & a[17]}}, a};
    wire signed [35:0] wide_b = {{18{SIGNEDB & b[17]}}, b};
    assign {
        P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19,
            P18, P17, P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0
    } = wide_a * wide_b;
endmodule

// Buffers of Lattice ECP5. Verilator does not connect an input to an inout pin: a netlist's TRELLIS_IO
// goes by its direction (fpga/simulation.py renames it). Outputs are always on.
module TRELLIS_IO_INPUT (input B, output O);
    assign O = B;
endmodule

module TRELLIS_IO_OUTPUT (output B, input I, T);
    assign B = I;
endmodule

module IB (input I, output O);
    assign O = I;
endmodule

module OBZ (input I, T, output O);
    assign O = I;
endmodule
