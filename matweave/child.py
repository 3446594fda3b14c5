"""Reads foreign files in a process of its own, with limits on time and memory.

A module that reads is run as ``python -m``: it calls :func:`limit`, takes a request as JSON on
standard input, and answers on standard output. The parent takes nothing from it but those bytes.
"""

import json
import resource
import subprocess
import sys

from matweave.hw.errors import UserError, plain

TIMEOUT = 900
"""Seconds that reading a file may take in all."""
SECONDS = 600
"""Of processor time that it may take."""
MEMORY = 16 << 30
"""Bytes of address space."""


def limit() -> None:
    """Limits of this process, from now on and for good."""
    for what, most in (
        (resource.RLIMIT_CPU, SECONDS),
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_FSIZE, 1 << 24),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))


def ask(module: str, request: dict) -> bytes:
    """What ``module`` answers to ``request``, whose ``path`` is the file that it reads.

    Raises :class:`UserError` where it does not answer.
    """
    # -P: nothing is imported from the working directory, which may be a download's.
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", module], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    from matweave.sim import toolchain

    try:
        out, err = process.communicate(json.dumps(request).encode(), timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        raise UserError(f"{plain(request['path'])}: was not read in {TIMEOUT} s") from None
    finally:
        toolchain.kill(process)
    if process.returncode:
        last = (err.decode(errors="replace").strip().splitlines() or ["no message"])[-1]
        raise UserError(
            f"{plain(request['path'])}: reading it ended with status {process.returncode}: "
            f"{plain(last)[:300]}"
        )
    return out
