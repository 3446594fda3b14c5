"""The same digits through the same network: see :mod:`matweave.fpga.demos.digits.host`."""

from ..digits.host import rows as rows
from ..digits.host import run as run
