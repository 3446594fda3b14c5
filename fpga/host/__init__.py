"""Talking to a board: registers and streams over a serial line.

:class:`.device.Device` has the commands of ``docs/reference/host-link.md``,
:class:`.gemm.GemmDevice` whole matrices, :class:`.network.NetworkDevice` samples of a network,
:class:`.encoder.EncoderDevice` sequences of tokens.
"""

from .device import Device as Device
from .encoder import EncoderDevice as EncoderDevice
from .gemm import GemmDevice as GemmDevice
from .network import NetworkDevice as NetworkDevice
