// Block RAM of Lattice Nexus, PDPSC16K, as Yosys uses it (FPGA-TN-02094): one clock, a write port and a read
// port of 1 to 36 bits. 512 words of 36 bits; a port of less than 9 bits has 8 of each byte of 9.
// What is read where a word is written in the same cycle is the old word.
module PDPSC16K (
    input [35:0] DI,
    input [13:0] ADW, ADR,
    input CLK, CEW, CER, RST,
    input [2:0] CSW, CSR,
    output [35:0] DO,
    output ONEBITERR, TWOBITERR
);
    localparam [655:0] ZERO = {"0x", {80{"0"}}};
    parameter DATA_WIDTH_W = "X36";
    parameter DATA_WIDTH_R = "X36";
    parameter OUTREG = "BYPASSED";
    parameter RESETMODE = "SYNC";
    parameter ASYNC_RST_RELEASE = "SYNC";
    parameter CSDECODE_W = "000";
    parameter CSDECODE_R = "000";
    parameter ECC = "DISABLED";
    parameter GSR = "DISABLED";
    parameter [655:0] INITVAL_00 = ZERO;
    parameter [655:0] INITVAL_01 = ZERO;
    parameter [655:0] INITVAL_02 = ZERO;
    parameter [655:0] INITVAL_03 = ZERO;
    parameter [655:0] INITVAL_04 = ZERO;
    parameter [655:0] INITVAL_05 = ZERO;
    parameter [655:0] INITVAL_06 = ZERO;
    parameter [655:0] INITVAL_07 = ZERO;
    parameter [655:0] INITVAL_08 = ZERO;
    parameter [655:0] INITVAL_09 = ZERO;
    parameter [655:0] INITVAL_0A = ZERO;
    parameter [655:0] INITVAL_0B = ZERO;
    parameter [655:0] INITVAL_0C = ZERO;
    parameter [655:0] INITVAL_0D = ZERO;
    parameter [655:0] INITVAL_0E = ZERO;
    parameter [655:0] INITVAL_0F = ZERO;
    parameter [655:0] INITVAL_10 = ZERO;
    parameter [655:0] INITVAL_11 = ZERO;
    parameter [655:0] INITVAL_12 = ZERO;
    parameter [655:0] INITVAL_13 = ZERO;
    parameter [655:0] INITVAL_14 = ZERO;
    parameter [655:0] INITVAL_15 = ZERO;
    parameter [655:0] INITVAL_16 = ZERO;
    parameter [655:0] INITVAL_17 = ZERO;
    parameter [655:0] INITVAL_18 = ZERO;
    parameter [655:0] INITVAL_19 = ZERO;
    parameter [655:0] INITVAL_1A = ZERO;
    parameter [655:0] INITVAL_1B = ZERO;
    parameter [655:0] INITVAL_1C = ZERO;
    parameter [655:0] INITVAL_1D = ZERO;
    parameter [655:0] INITVAL_1E = ZERO;
    parameter [655:0] INITVAL_1F = ZERO;
    parameter [655:0] INITVAL_20 = ZERO;
    parameter [655:0] INITVAL_21 = ZERO;
    parameter [655:0] INITVAL_22 = ZERO;
    parameter [655:0] INITVAL_23 = ZERO;
    parameter [655:0] INITVAL_24 = ZERO;
    parameter [655:0] INITVAL_25 = ZERO;
    parameter [655:0] INITVAL_26 = ZERO;
    parameter [655:0] INITVAL_27 = ZERO;
    parameter [655:0] INITVAL_28 = ZERO;
    parameter [655:0] INITVAL_29 = ZERO;
    parameter [655:0] INITVAL_2A = ZERO;
    parameter [655:0] INITVAL_2B = ZERO;
    parameter [655:0] INITVAL_2C = ZERO;
    parameter [655:0] INITVAL_2D = ZERO;
    parameter [655:0] INITVAL_2E = ZERO;
    parameter [655:0] INITVAL_2F = ZERO;
    parameter [655:0] INITVAL_30 = ZERO;
    parameter [655:0] INITVAL_31 = ZERO;
    parameter [655:0] INITVAL_32 = ZERO;
    parameter [655:0] INITVAL_33 = ZERO;
    parameter [655:0] INITVAL_34 = ZERO;
    parameter [655:0] INITVAL_35 = ZERO;
    parameter [655:0] INITVAL_36 = ZERO;
    parameter [655:0] INITVAL_37 = ZERO;
    parameter [655:0] INITVAL_38 = ZERO;
    parameter [655:0] INITVAL_39 = ZERO;
    parameter [655:0] INITVAL_3A = ZERO;
    parameter [655:0] INITVAL_3B = ZERO;
    parameter [655:0] INITVAL_3C = ZERO;
    parameter [655:0] INITVAL_3D = ZERO;
    parameter [655:0] INITVAL_3E = ZERO;
    parameter [655:0] INITVAL_3F = ZERO;

    initial if (OUTREG != "BYPASSED" || ECC != "DISABLED" || CSDECODE_W != "111"
            || CSDECODE_R != "111") begin
        $display("PDPSC16K: a mode that this model does not have");
        $finish;
    end

    reg [35:0] words [0:511];

    // 32 bytes of 9 bits, each in 10 of the 320 bits of a string in hexadecimal.
    task load(input integer number, input [655:0] text);
        integer i;
        reg [7:0] digit;
        reg [319:0] block;
        begin
            for (i = 0; i < 80; i = i + 1) begin
                digit = text[i * 8 +: 8];
                block[i * 4 +: 4] = digit <= "9" ? digit - "0" : (digit & 8'hdf) - "A" + 8'd10;
            end
            for (i = 0; i < 8; i = i + 1)
                words[number * 8 + i] = {block[i * 40 + 30 +: 9], block[i * 40 + 20 +: 9],
                    block[i * 40 + 10 +: 9], block[i * 40 +: 9]};
        end
    endtask

    initial begin
        load(0, INITVAL_00);
        load(1, INITVAL_01);
        load(2, INITVAL_02);
        load(3, INITVAL_03);
        load(4, INITVAL_04);
        load(5, INITVAL_05);
        load(6, INITVAL_06);
        load(7, INITVAL_07);
        load(8, INITVAL_08);
        load(9, INITVAL_09);
        load(10, INITVAL_0A);
        load(11, INITVAL_0B);
        load(12, INITVAL_0C);
        load(13, INITVAL_0D);
        load(14, INITVAL_0E);
        load(15, INITVAL_0F);
        load(16, INITVAL_10);
        load(17, INITVAL_11);
        load(18, INITVAL_12);
        load(19, INITVAL_13);
        load(20, INITVAL_14);
        load(21, INITVAL_15);
        load(22, INITVAL_16);
        load(23, INITVAL_17);
        load(24, INITVAL_18);
        load(25, INITVAL_19);
        load(26, INITVAL_1A);
        load(27, INITVAL_1B);
        load(28, INITVAL_1C);
        load(29, INITVAL_1D);
        load(30, INITVAL_1E);
        load(31, INITVAL_1F);
        load(32, INITVAL_20);
        load(33, INITVAL_21);
        load(34, INITVAL_22);
        load(35, INITVAL_23);
        load(36, INITVAL_24);
        load(37, INITVAL_25);
        load(38, INITVAL_26);
        load(39, INITVAL_27);
        load(40, INITVAL_28);
        load(41, INITVAL_29);
        load(42, INITVAL_2A);
        load(43, INITVAL_2B);
        load(44, INITVAL_2C);
        load(45, INITVAL_2D);
        load(46, INITVAL_2E);
        load(47, INITVAL_2F);
        load(48, INITVAL_30);
        load(49, INITVAL_31);
        load(50, INITVAL_32);
        load(51, INITVAL_33);
        load(52, INITVAL_34);
        load(53, INITVAL_35);
        load(54, INITVAL_36);
        load(55, INITVAL_37);
        load(56, INITVAL_38);
        load(57, INITVAL_39);
        load(58, INITVAL_3A);
        load(59, INITVAL_3B);
        load(60, INITVAL_3C);
        load(61, INITVAL_3D);
        load(62, INITVAL_3E);
        load(63, INITVAL_3F);
    end

    // Where a port's data lie in the word that bits 13 to 5 of its address name.
    function [5:0] offset(input [31:0] width, input [4:0] address);
        case (width)
            "X36": offset = 0;
            "X18": offset = address[4] ? 18 : 0;
            "X9": offset = 9 * address[4:3];
            "X4": offset = 9 * address[4:3] + (address[2] ? 4 : 0);
            "X2": offset = 9 * address[4:3] + (address[2] ? 4 : 0) + (address[1] ? 2 : 0);
            default: offset = 9 * address[4:3] + {3'b0, address[2:0]};
        endcase
    endfunction

    // The bits that are written; the low bits of a wide port's address are byte enables.
    function [35:0] mask(input [31:0] width, input [4:0] address);
        case (width)
            "X36": mask = {{9{address[3]}}, {9{address[2]}}, {9{address[1]}}, {9{address[0]}}};
            "X18": mask = {18'b0, {9{address[1]}}, {9{address[0]}}} << offset(width, address);
            "X9": mask = 36'h1ff << offset(width, address);
            "X4": mask = 36'hf << offset(width, address);
            "X2": mask = 36'h3 << offset(width, address);
            default: mask = 36'h1 << offset(width, address);
        endcase
    endfunction

    wire [35:0] written = mask(DATA_WIDTH_W, ADW[4:0]);
    wire [35:0] data = DI << offset(DATA_WIDTH_W, ADW[4:0]);
    reg [35:0] out = 0;

    always @(posedge CLK)
        if (CEW & (&CSW)) words[ADW[13:5]] <= (words[ADW[13:5]] & ~written) | (data & written);

    wire async = RESETMODE == "ASYNC" & RST;
    always @(posedge CLK or posedge async)
        if (async) out <= 0;
        else if (CER & (&CSR)) out <= RST ? 0 : words[ADR[13:5]] >> offset(DATA_WIDTH_R, ADR[4:0]);

    assign DO = out;
    assign ONEBITERR = 0;
    assign TWOBITERR = 0;
endmodule

// An output of Lattice Nexus, which is always on.
module OBZ (input I, T, output O);
    assign O = I;
endmodule
