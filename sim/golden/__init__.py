"""Golden models: plain NumPy integers; never imports Amaranth."""
