"""Which step is next: load, input, all steps of all layers, output."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .sizes import Kind, Sizes

__all__ = ["Sequencer"]

KINDS = list(Kind)


class Sequencer(wiring.Component):
    """``start`` (with ``load``) -> the phases of a job, one after another.

    ``clear``: a load begins; ``loading`` until ``loaded``; ``input`` and ``output``, each begun
    with a pulse, until ``ended``; between them for each step a pulse ``fetch``, and when ``lead``
    of its parameters are ``fetched`` a pulse ``run`` to its part, which is ``running`` until that
    has ``finished``. Of a step: ``kind`` (its place in :class:`.Kind`), ``words_in``,
    ``words_out``, and of a product ``source``, ``target`` (memories), ``offset_in``,
    ``offset_out``, ``table``; of a norm ``lone``. With rotary positions ``rotate``: they turn the
    product. Of a decoder: ``cached``: the product's target is in the cache; ``place``: where the
    layer is in it.
    """

    def __init__(self, *, sizes: Sizes):
        self.sizes = sizes
        words, depth = range(sizes.most_words + 1), range(sizes.most_depth)
        super().__init__(
            {
                **{name: In(1) for name in ("start", "load", "loaded", "ended", "fetched")},
                "finished": In(1),
                **{
                    name: Out(1)
                    for name in ("clear", "loading", "input", "output", "fetch", "run", "running")
                },
                "kind": Out(2),
                "words_in": Out(words),
                "words_out": Out(words),
                "lead": Out(range(sizes.most_parameters + 1)),
                "source": Out(1),
                "target": Out(1),
                "offset_in": Out(depth),
                "offset_out": Out(depth),
                "table": Out(1),
                "lone": Out(1),
                **({"rotate": Out(1)} if sizes.rotary else {}),
                **self._cache_ports,
            }
        )

    @property
    def _cache_ports(self) -> dict:
        sizes = self.sizes
        if not sizes.causal:
            return {}
        return {"cached": Out(1), "place": Out(range(max(sizes.layers * sizes.layer_words, 2)))}

    def elaborate(self, platform):
        m = Module()
        sizes = self.sizes
        steps = (*sizes.prologue, *sizes.body)
        step = Signal(range(max(len(steps), 2)), reset_less=True)
        layer = Signal(range(max(sizes.layers, 2)), reset_less=True)
        last_step, last_layer = Signal(), Signal()
        m.d.comb += [
            last_step.eq(step == len(steps) - 1),
            last_layer.eq(layer == sizes.layers - 1),
        ]
        with m.FSM():
            with m.State("idle"):
                m.d.sync += [step.eq(0), layer.eq(0)]
                with m.If(self.start & self.load):
                    m.d.comb += self.clear.eq(1)
                    m.next = "load"
                with m.Elif(self.start):
                    m.d.comb += self.input.eq(1)
                    m.next = "input"
            with m.State("load"):
                m.d.comb += self.loading.eq(1)
                with m.If(self.loaded):
                    m.d.comb += self.input.eq(1)
                    m.next = "input"
            with m.State("input"), m.If(self.ended):
                m.next = "begin"
            with m.State("begin"):
                m.d.comb += self.fetch.eq(1)
                m.next = "fetch"
            with m.State("fetch"), m.If(self.fetched):
                m.next = "start"
            with m.State("start"):
                m.d.comb += [self.run.eq(1), self.running.eq(1)]
                m.next = "run"
            with m.State("run"):
                m.d.comb += self.running.eq(1)
                with m.If(self.finished & last_step & last_layer):
                    m.next = "settle"
                with m.Elif(self.finished):
                    m.d.sync += step.eq(Mux(last_step, len(sizes.prologue), step + 1))
                    m.d.sync += layer.eq(layer + last_step)
                    m.next = "begin"
            with m.State("settle"):
                m.d.comb += self.output.eq(1)
                m.next = "output"
            with m.State("output"), m.If(self.ended):
                m.next = "idle"
        self._facts(m, step, steps)
        if sizes.causal:
            with m.If(self.input):
                m.d.sync += self.place.eq(0)
            with m.Elif(self.running & self.finished & last_step):
                m.d.sync += self.place.eq(self.place + sizes.layer_words)
        return m

    def _facts(self, m, step, steps):
        """The list of steps, as it is in :class:`.Sizes`."""
        sizes = self.sizes
        with m.Switch(step):
            for number, each in enumerate(steps):
                with m.Case(number):
                    source, target = (
                        sizes.region(name) if name else (0, 0)
                        for name in (each.source, each.target)
                    )
                    m.d.comb += [
                        self.kind.eq(KINDS.index(each.kind)),
                        self.words_in.eq(each.inputs // sizes.columns),
                        self.words_out.eq(each.outputs // sizes.columns),
                        self.lead.eq(sizes.lead(each)),
                        self.source.eq(source[0]),
                        self.target.eq(target[0]),
                        self.offset_in.eq(source[1]),
                        self.offset_out.eq(target[1]),
                        self.table.eq(each.table),
                        self.lone.eq(each.lone),
                    ]
                    if sizes.rotary:
                        m.d.comb += self.rotate.eq(each.rotary)
                    if sizes.causal:
                        m.d.comb += self.cached.eq(each.target in ("k", "v"))
