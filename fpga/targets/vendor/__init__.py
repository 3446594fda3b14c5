"""Project packages for vendor tools: all that Vivado or Quartus needs to build an engine.

A package is RTL, constraints, Tcl and a driver. It is no bitstream: that is for the vendor's tool
to make, which this project does not have.
"""

from .package import VENDORS, Target, files, target

__all__ = ["VENDORS", "Target", "files", "target"]
