"""The bar and the lines that tell where a long run is."""

import functools
import io
import threading
import time

import pytest
from rich.console import Console
from rich.progress import Progress

from matweave.sim import progress


def test_steps_of_several_threads_do_not_disturb_each_other(monkeypatch):
    """On a terminal, with a bar that takes its time to go."""
    bars = []

    class Slow(Progress):
        def __init__(self, *columns, **options):
            super().__init__(*columns, **options)
            bars.append(self)

        def remove_task(self, task):
            time.sleep(0.002)
            super().remove_task(task)

    def terminal(file):
        return Console(file=io.StringIO(), force_terminal=True)

    monkeypatch.setattr(progress, "Progress", Slow)
    monkeypatch.setattr(progress, "Console", terminal)
    failures = []

    def work(reporter, name):
        try:
            for done in range(20):
                reporter(f"{name} {done}", done, 20)
        except Exception as error:
            failures.append(error)

    with progress.Reporter() as reporter:
        threads = [threading.Thread(target=work, args=(reporter, name)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert len(bars[0].tasks) == 1


@pytest.mark.parametrize(("done", "total", "line"), [(0, None, "step"), (2, 1000, "step 2/1,000")])
def test_lines_where_there_is_no_terminal(done, total, line, capsys):
    with progress.Reporter() as reporter:
        report = functools.partial(reporter, "step")
        report(done, total)
        report(done, total)  # too soon
    assert capsys.readouterr().err == line + "\n"
