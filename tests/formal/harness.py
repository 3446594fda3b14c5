"""A component around the one to prove: its ports are the free inputs."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from matweave.sim.formal import Proof, prove


class Harness(wiring.Component):
    """``body(m, ports)`` adds the component, assumptions and assertions; ``inputs`` by name."""

    def __init__(self, inputs, body):
        self._body = body
        super().__init__({name: In(shape) for name, shape in inputs.items()})

    def elaborate(self, platform):
        m = Module()
        self._body(m, self)
        return m


def check(inputs, body, **options) -> Proof:
    """Prove, or fail with the counterexample."""
    proof = prove(Harness(inputs, body), **options)
    assert proof.passed, proof.counterexample
    return proof


def refute(inputs, body, **options) -> Proof:
    """The planted bug must be found."""
    proof = prove(Harness(inputs, body), **options)
    assert not proof.passed, "the property holds with the planted bug in place"
    assert "failed" in proof.counterexample
    return proof
