"""The host link: an engine's AXI4-Lite and AXI4-Stream ports over two wires.

The protocol is that of ``docs/reference/host-link.md``; :mod:`.link` has all of it as one
component, :mod:`.linked` an engine with it.
"""
