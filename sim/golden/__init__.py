"""Golden models: plain NumPy integers, exact, and never Amaranth."""
