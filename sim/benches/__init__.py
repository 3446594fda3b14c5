"""cocotb test benches, importable inside the simulator."""
