"""cocotb test benches: this folder's modules are imported inside the simulator.

``protocol`` checks handshakes, ``bench`` connects bus models to an engine, ``gemm`` and the others
hold the tests. :mod:`matweave.sim.regression` runs them.
"""
