"""matweave: from a short configuration to a verified tensor engine.

The gates are in :mod:`matweave.hw`, how we know that they are right in :mod:`matweave.sim`, boards
and synthesis in :mod:`matweave.fpga`; this folder holds the command line.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("matweave")
except PackageNotFoundError:  # a checkout on the path, never installed
    __version__ = "0+unknown"
