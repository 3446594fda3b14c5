"""How a command ends when something is wrong: one line on standard error, and an exit status."""

import os
import signal
import sys
import threading
import traceback
import warnings

from matweave.hw.errors import UserError, plain

OK = 0
CHECK_FAILED = 1
"""A simulation disagreed with the golden model, or a test failed."""
USERS_MISTAKE = 2
"""Something the user can put right: a configuration, an option, a file, a missing program."""
BUG = 3
"""A mistake of ours."""
INTERRUPTED = 130
TERMINATED = 143


class CheckFailed(Exception):
    """The result is wrong: the message tells what was compared."""


class Interrupted(Exception):
    """Ctrl-C, on its way through a library that would swallow ``KeyboardInterrupt``."""


class Terminated(BaseException):
    """The process was asked to end; raised in the main thread so that children are ended too."""


def terminate_cleanly() -> None:
    """From now on SIGTERM unwinds the program instead of killing it."""

    def stop(_signal, _frame):
        raise Terminated

    if threading.current_thread() is threading.main_thread():  # only there it is allowed
        signal.signal(signal.SIGTERM, stop)


def debugging(arguments: list[str]) -> bool:
    """Whether tracebacks are wanted: ``--debug``, or ``MATWEAVE_DEBUG`` not empty or 0."""
    return "--debug" in arguments or os.environ.get("MATWEAVE_DEBUG", "0") not in ("", "0")


def report(error: BaseException, debug: bool) -> int:
    """Tell the user about ``error``; the exit status it stands for."""
    if debug:
        traceback.print_exception(error)
    else:  # Amaranth's, about a design that was left half-made
        warnings.simplefilter("ignore")
    status, line = _explain(error)
    print(f"matweave: {line}", file=sys.stderr, flush=True)
    return status


def _explain(error: BaseException) -> tuple[int, str]:
    if isinstance(error, Interrupted | KeyboardInterrupt):
        return INTERRUPTED, "interrupted"
    if isinstance(error, Terminated):
        return TERMINATED, "terminated"
    if isinstance(error, CheckFailed):
        return CHECK_FAILED, f"check failed: {plain(error)}"
    if isinstance(error, UserError):
        return USERS_MISTAKE, f"error: {error}"
    if callable(getattr(error, "format_message", None)):  # the command line's own, of any version
        return USERS_MISTAKE, f"error: {plain(error.format_message())} (see --help)"
    # By their names: simulators need not be loaded to report an error.
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if "ToolError" in kinds:
        return USERS_MISTAKE, f"error: {plain(error)}"
    if "EngineError" in kinds:
        return CHECK_FAILED, f"check failed: {plain(error)}"
    if isinstance(error, OSError):
        where = f"{plain(os.fsdecode(error.filename))}: " if error.filename else ""
        return USERS_MISTAKE, f"error: {where}{plain(error.strerror or error)}"
    if isinstance(error, MemoryError):
        return USERS_MISTAKE, "error: out of memory"
    text = plain(error).replace("\\n", " ")
    return BUG, f"internal error: {type(error).__name__}: {text} (MATWEAVE_DEBUG=1 shows where)"
