"""Standard cells: area, timing and power of arrays with any Liberty library."""
