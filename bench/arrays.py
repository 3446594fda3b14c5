"""The five arrays with ``n`` x ``n`` multipliers."""

ARRAYS = {
    "os": ("gemm_os_8x8", "array.rows={n} array.columns={n}", [""]),
    "ws": (
        "gemm_ws_8x8",
        "array.rows={n} array.columns={n}",
        ["array.tile_rows=1", "array.tile_rows=4"],
    ),
    "matrix": (
        "gemm_matrix_8x8",
        "array.rows={n} array.columns={n}",
        ["array.pipeline=0", "array.pipeline=1"],
    ),
    "cube": (
        "gemm_cube_4x4x4",
        "array.rows={h} array.columns={h} array.depth={d}",
        ["array.pipeline=0", "array.pipeline=1"],
    ),
    "tree": ("gemm_tree_8x8", "array.columns={n} array.depth={n}", ["array.pipeline=1"]),
}
"""Short name -> preset, the sizes for ``n`` x ``n`` multipliers, and where registers may be: every
PE, the plain one too, is tried with each and counts with its best."""


def sizes(pattern: str, side: int) -> list[str]:
    """Overrides for an array of ``side`` x ``side`` multipliers."""
    depth = 4  # of a cube's PE
    edge = round((side * side / depth) ** 0.5)
    while edge * edge * depth != side * side:
        depth, edge = depth * 2, round((side * side / (depth * 2)) ** 0.5)
    return pattern.format(n=side, h=edge, d=depth).split()
