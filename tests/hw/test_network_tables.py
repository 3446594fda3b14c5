"""Tables of functions that are as near as they may be: the option ``tables="exact"``."""

import numpy as np
import pytest

from matweave.hw.errors import ConfigError
from matweave.hw.fixed import Fixed, FixedRounding
from matweave.hw.network.layers import Input, Lookup, Network
from matweave.hw.network.reading import nearest
from matweave.sim.golden import network as golden
from matweave.sim.pipelines import unfolded

TRUE = {
    "sigmoid": lambda x: 0.5 * (1 + np.tanh(x / 2)),
    "tanh": np.tanh,
    "softplus": lambda x: np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0),
    "softsign": lambda x: x / (1 + np.abs(x)),
}
STEEPEST = {"sigmoid": 0.25, "tanh": 1, "softplus": 1, "softsign": 1}


def every(name, source, to):
    """A network of one table, every value of its input, the results, and what they should be."""
    x = Input("x", None, (1,), source)
    network = Network("n", (x, Lookup("y", "x", (1,), to, **nearest.table(name, source, to))), "y")
    raw = np.arange(source.min, source.max + 1)[:, None]
    y = golden.predict(network, raw) * 2.0**-to.fraction
    least, most = to.min * 2.0**-to.fraction, to.max * 2.0**-to.fraction
    return network, raw, y, np.clip(TRUE[name](raw * 2.0**-source.fraction), least, most)


@pytest.mark.parametrize("name", TRUE)
@pytest.mark.parametrize(
    "source",
    [Fixed(12, 4), Fixed(12, 4, False), Fixed(8, 8), Fixed(6, 0), Fixed(5, 7, False), Fixed(1, 1)],
    ids=str,
)
@pytest.mark.parametrize("to", [Fixed(10, 2), Fixed(8, 6, True, FixedRounding.TRN)], ids=str)
def test_an_entry_for_each_value_is_right_to_half_a_last_place(name, source, to):
    network, raw, y, true = every(name, source, to)
    assert np.abs(y - true).max() <= 0.5 * 2.0**-to.fraction + 1e-12
    _, graph = unfolded(network)
    assert (graph.evaluate(raw).ravel() * 2.0**-to.fraction == y.ravel()).all()


@pytest.mark.parametrize("name", TRUE)
@pytest.mark.parametrize("source", [Fixed(16, 6), Fixed(18, 3, False), Fixed(14, 14)], ids=str)
def test_of_a_wide_input_it_is_off_by_a_steps_slope(name, source):
    to = Fixed(18, 8)
    _, _, y, true = every(name, source, to)
    table = nearest.table(name, source, to)
    assert len(table["contents"]) <= nearest.MAX_ENTRIES
    step = table["denominator"] / table["numerator"]
    last = 2.0**-to.fraction
    assert np.abs(y - true).max() <= STEEPEST[name] * step + last
    if name in nearest.SLOPES:  # where it is flat no entries are lost: those left are dense
        assert step <= 2.0**-6 or source.fraction < 6


def test_another_name_is_refused():
    with pytest.raises(ConfigError, match=r"^tables: 'exakt' is none; allowed are hls4ml, exact"):
        nearest.wanted_tables("exakt")
