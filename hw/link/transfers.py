"""The executor's states for PUSH and PULL: beats between a frame and a stream."""

from amaranth.hdl import Cat, Signal

from .beats import BeatSender
from .commands import Command, Status


class Pushes:
    """A sender for each of the engine's input streams; then :meth:`states`, inside the FSM.

    Each sender holds its beat until the engine accepts it, also after the command that brought it:
    an offer is never taken back, and a stream that waits stops no other.

    The states go from STREAM (with which PULL begins as well) to COUNT. Beats are taken from the
    request as long as the stream's sender is free, or becomes so before the patience is over.
    """

    def __init__(self, m, executor, x):
        self.m, self.executor, self.x = m, executor, x
        self.n_bytes = Signal(x.step.shape())
        self.full, self.shift, self.offer = (Signal(name=n) for n in ("full", "shift", "offer"))
        for number, (name, size) in enumerate(executor.sinks):
            m.submodules[f"sender_{name}"] = sender = BeatSender(n_bytes=size)
            for signal in ("tdata", "tvalid", "tlast"):
                port = getattr(executor, f"m_axis_{name}_{signal}")
                m.d.comb += port.eq(getattr(sender, f"o_{signal}"))
            m.d.comb += [
                sender.o_tready.eq(getattr(executor, f"m_axis_{name}_tready")),
                sender.i_byte.eq(executor.r_data),
                sender.last.eq(x.last & (x.following == executor.length)),
                sender.clear.eq(executor.engine_rst),
            ]
            with m.If(x.stream == number):
                m.d.comb += [
                    self.n_bytes.eq(size),
                    self.full.eq(sender.full),
                    sender.shift.eq(self.shift),
                    sender.offer.eq(self.offer),
                ]

    def states(self):
        m, executor, x = self.m, self.executor, self.x
        with m.State("STREAM"):
            m.d.comb += x.fetch()
            m.d.sync += Cat(x.stream, x.last).eq(executor.r_data)
            m.next = "KNOWN"
        with m.State("KNOWN"):
            with m.If(x.command == Command.PUSH):
                self._known(len(executor.sinks), "WHOLE")
            with m.Else():
                self._known(len(executor.sources), "MOST")
        with m.State("WHOLE"):  # number of beats?
            m.d.comb += x.step.eq(self.n_bytes)
            with m.If(x.at_end):
                m.d.comb += [x.rewind.eq(1), x.target.eq(3)]
                m.next = "PUSH"
            with m.Elif(x.at > executor.length):
                m.d.sync += x.status.eq(Status.WRONG_LENGTH)
                m.next = "ANSWER"
        with m.State("PUSH"):
            m.d.sync += [x.index.eq(0), x.waited.eq(x.waited + 1)]
            with m.If(x.at_end | x.out_of_patience):
                m.next = "COUNT"
            with m.Elif(~self.full):
                m.next = "PUSH_BEAT"
        with m.State("PUSH_BEAT"):
            m.d.comb += [x.fetch(), self.shift.eq(1)]
            m.d.sync += x.index.eq(x.index + 1)
            with m.If(x.index == self.n_bytes - 1):
                m.d.comb += self.offer.eq(1)
                m.d.sync += [x.count.eq(x.count + 1), x.waited.eq(0)]
                m.next = "PUSH"

    def _known(self, n_streams, state):
        m, x = self.m, self.x
        m.next = state
        with m.If(x.stream >= n_streams):
            m.d.sync += x.status.eq(Status.UNKNOWN_STREAM)
            m.next = "ANSWER"


class Pulls:
    """The chosen one of the engine's output streams; then :meth:`states`, inside the FSM.

    The states go from MOST to TRAILER. Beats are written to the response until one has ``tlast``,
    there are as many as asked for or as there is room for, or none came within the patience.
    """

    def __init__(self, m, executor, x):
        self.m, self.executor, self.x = m, executor, x
        self.n_bytes = Signal(x.step.shape())
        self.byte = Signal(8, name="lane")
        self.room, self.valid, self.last, self.ready = (
            Signal(name=name) for name in ("room", "valid", "last", "ready")
        )
        for number, (name, size) in enumerate(executor.sources):
            data, valid, ready, last = (
                getattr(executor, f"s_axis_{name}_t{signal}")
                for signal in ("data", "valid", "ready", "last")
            )
            with m.If(x.stream == number):
                m.d.comb += [
                    self.n_bytes.eq(size),
                    self.room.eq(x.pointer < executor.limit - size),
                    # Held until accepted, so that no copy is needed.
                    self.byte.eq(data.word_select(x.index[: (size - 1).bit_length()], 8)),
                    self.valid.eq(valid),
                    self.last.eq(last),
                    ready.eq(self.ready),
                ]

    def states(self):
        m, x = self.m, self.x
        with m.State("MOST"):
            m.d.comb += x.fetch()
            m.d.sync += [x.word.eq(x.shifted), x.index.eq(x.index + 1)]
            with m.If(x.index[0]):
                m.next = "PULL"
        with m.State("PULL"):
            m.d.sync += [x.index.eq(0), x.waited.eq(x.waited + 1)]
            with m.If((x.count == x.word[16:]) | ~self.room | x.out_of_patience):
                m.next = "TRAILER"
            with m.Elif(self.valid):
                m.next = "PULL_BEAT"
        with m.State("PULL_BEAT"):
            m.d.comb += x.emit(self.byte)
            m.d.sync += x.index.eq(x.index + 1)
            with m.If(x.index == self.n_bytes - 1):
                m.d.comb += self.ready.eq(1)
                m.d.sync += [x.count.eq(x.count + 1), x.waited.eq(0), x.trailer.eq(self.last)]
                m.next = "PULL"
                with m.If(self.last):
                    m.next = "TRAILER"
