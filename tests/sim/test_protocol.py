"""The handshake checker on plain sequences of signal values."""

import pytest

from matweave.sim.benches.protocol import Channel

QUIET = {"valid": "0", "ready": "0", "data": "0000"}


def check(*edges, reset=()):
    """What is flagged when the signals change so; an edge is what differs from quiet."""
    now, found = {}, []
    channel = Channel("x", "valid", "ready", ["data"], lambda name: now[name], found.append)
    for cycle, edge in enumerate(edges):
        now.clear()
        now.update(QUIET | edge)
        channel.step(cycle, cycle in reset)
    return [(violation.what, violation.cycle) for violation in found], channel


OFFER, TAKE = {"valid": "1", "data": "0101"}, {"valid": "1", "ready": "1", "data": "0101"}


def test_legal_traffic_is_silent_and_counted():
    found, channel = check({"ready": "1"}, TAKE, TAKE, OFFER, OFFER, TAKE, {}, {"ready": "1"})
    assert found == []
    assert (channel.beats, channel.stalls, channel.idles) == (3, 2, 2)
    assert (channel.first, channel.last) == (1, 5)
    channel.restart()
    assert (channel.beats, channel.stalls, channel.first) == (0, 2, None)


@pytest.mark.parametrize(
    ("edges", "flagged"),
    [
        ([OFFER, {}], [("valid dropped", 1)]),
        ([OFFER, OFFER | {"data": "0100"}], [("data changed", 1)]),
        ([OFFER, TAKE | {"data": "0100"}], [("data changed", 1)]),
        ([{"valid": "x"}], [("valid unknown", 0)]),
        ([{"ready": "Z"}], [("ready unknown", 0)]),
        ([OFFER | {"data": "01x1"}], [("data unknown", 0)]),
        ([{"data": "xxxx"}], []),  # nothing is offered
        ([TAKE, TAKE | {"data": "1111"}], []),  # the next beat
    ],
)
def test_violations(edges, flagged):
    assert check(*edges)[0] == flagged


def test_reset_forgets_and_wants_silence():
    assert check(OFFER, OFFER, {}, reset={1, 2})[0] == []
    assert check(OFFER, OFFER, OFFER, reset={0, 1})[0] == [("valid in reset", 1)]


def test_what_may_vanish():
    now, found = dict(QUIET | OFFER), []
    channel = Channel("x", "valid", "ready", ["data"], lambda name: now[name], found.append)
    channel.step(0, False)
    channel.vanishing = True
    now.update(valid="0")
    channel.step(1, False)
    now.update(valid="1")
    channel.step(2, False)
    channel.vanishing = False
    now.update(valid="0")
    channel.step(3, False)
    assert found == []
