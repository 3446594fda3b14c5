"""Where a long run is: a bar on a terminal, plain lines otherwise; always on standard error."""

import contextlib
import sys
import threading
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


class Reporter:
    """Call it with ``(step, done, total)`` as often as you like, from any thread; ``total`` may be
    ``None``.

    A context manager: leaving it takes the bar off the terminal. Plain lines about the same step
    are ``line_every`` seconds apart.
    """

    def __init__(self, *, line_every: float = 2.0):
        self._console = Console(file=sys.stderr)
        self._bars = None
        self._task = None
        self._step = None
        self._last = 0.0
        self._line_every = line_every
        self._lock = threading.Lock()

    def __enter__(self):
        if self._console.is_terminal:
            self._bars = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                console=self._console,
                transient=True,
            )
            self._bars.start()
        return self

    def __exit__(self, *exception):
        if self._bars:
            self._bars.stop()

    def __call__(self, step: str, done: int = 0, total: int | None = None) -> None:
        with self._lock:
            if self._bars:
                self._show_bar(step, done, total)
            else:
                self._print_line(step, done, total)
            self._step = step

    def _show_bar(self, step, done, total):
        if step != self._step:
            if self._task is not None:
                self._bars.remove_task(self._task)
            self._task = self._bars.add_task(step, total=total)
        self._bars.update(self._task, completed=done, total=total)

    def _print_line(self, step, done, total):
        now = time.monotonic()
        if step == self._step and now - self._last < self._line_every and done != total:
            return
        self._last = now
        with contextlib.suppress(BrokenPipeError):  # that nobody reads it is no reason to stop
            print(step + (f" {done:,}/{total:,}" if total else ""), file=sys.stderr, flush=True)
