"""Draws ``flow.svg``: what matweave does, for the README. Run by ``docs/make.py``."""

WIDTH, HEIGHT = 960, 300
INK, FAINT, LINE, PAPER = "#1c2733", "#5d6975", "#c5ced6", "#ffffff"
BLUE, GREEN, AMBER = "#2a5db0", "#1b7f5c", "#a8650f"
SANS = "font-family='Helvetica, Arial, sans-serif'"
MONO = "font-family='ui-monospace, Menlo, Consolas, monospace'"

CONFIG = ('kind = "gemm"', 'a = "int8"', 'b = "int8"', "[array]", "rows = 8", "columns = 8")


def svg() -> str:
    """The picture as text; the same every time."""
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}' role='img' "
        "aria-label='A configuration becomes Verilog; its simulation and a NumPy golden model "
        "get the same matrices, and every element of their results must be equal.'>",
        "<defs><marker id='tip' viewBox='0 0 8 8' refX='7' refY='4' markerWidth='8' "
        f"markerHeight='8' orient='auto'><path d='M0 0 8 4 0 8z' fill='{FAINT}'/></marker></defs>",
        f"<rect width='{WIDTH}' height='{HEIGHT}' fill='{PAPER}'/>",
        *box(20, 70, 170, 160, BLUE, "configuration"),
        *(mono(36, 120 + 19 * i, line) for i, line in enumerate(CONFIG)),
        arrow(190, 150, 262, 150),
        *box(265, 70, 190, 160, BLUE, "Verilog"),
        *grid(297, 110),
        mono(360, 220, "matweave generate", "middle"),
        arrow(455, 110, 537, 82),
        arrow(455, 190, 537, 218),
        *box(540, 20, 190, 112, GREEN, "simulated Verilog"),
        small(635, 68, "compiled by Verilator,"),
        small(635, 86, "fed whole NumPy arrays"),
        mono(635, 116, "matweave run", "middle"),
        *box(540, 168, 190, 112, AMBER, "cocotb regression"),
        small(635, 216, "stalled streams, resets,"),
        small(635, 234, "ragged sizes, extremes"),
        mono(635, 264, "matweave test", "middle"),
        arrow(730, 82, 797, 118),
        arrow(730, 218, 797, 182),
        *box(800, 70, 140, 160, INK, "golden model"),
        text(870, 146, "=", 40, GREEN, "bold"),
        small(870, 178, "every element,"),
        small(870, 196, "exact integers"),
        mono(870, 220, "NumPy", "middle"),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def text(x, y, content, size, colour, weight="normal", anchor="middle", font=SANS) -> str:
    content = content.replace("&", "&amp;").replace("<", "&lt;")
    return (
        f"<text x='{x}' y='{y}' font-size='{size}' fill='{colour}' font-weight='{weight}' "
        f"text-anchor='{anchor}' {font}>{content}</text>"
    )


def small(x, y, content) -> str:
    return text(x, y, content, 13, FAINT)


def mono(x, y, content, anchor="start") -> str:
    return text(x, y, content, 13, INK, anchor=anchor, font=MONO)


def box(x, y, width, height, colour, title):
    yield (
        f"<rect x='{x}' y='{y}' width='{width}' height='{height}' rx='6' fill='{PAPER}' "
        f"stroke='{LINE}' stroke-width='1.5'/>"
    )
    yield f"<path d='M{x} {y + 6}a6 6 0 0 1 6-6h{width - 12}a6 6 0 0 1 6 6z' fill='{colour}'/>"
    yield text(x + width / 2, y + 25, title, 14, colour, "bold")


def arrow(x1, y1, x2, y2) -> str:
    return (
        f"<path d='M{x1} {y1}L{x2} {y2}' stroke='{FAINT}' stroke-width='1.6' fill='none' "
        "marker-end='url(#tip)'/>"
    )


def grid(x, y):
    """A systolic array of 4 x 4 cells, a register (dark line) after every two columns."""
    for row in range(4):
        for column in range(4):
            left = x + 32 * column + 6 * (column // 2)
            yield (
                f"<rect x='{left}' y='{y + 24 * row}' width='26' height='18' rx='3' "
                f"fill='#e3ebf8' stroke='{BLUE}'/>"
            )
            yield text(left + 13, y + 24 * row + 13, "×+", 11, BLUE)
    for column in (2, 4):
        left = x + 32 * column + 6 * (column // 2) - 6
        yield f"<path d='M{left} {y}v90' stroke='{BLUE}' stroke-width='3'/>"
