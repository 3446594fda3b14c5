"""Buffer trees on nets with many readers, after blocks were put together.

ABC buffers inside a block; a code that is broadcast to all blocks of a row is seen whole only here.
The same rule for every design: no driver sees more than a few times the input of the buffer that
is used, readers in groups of equal load.
"""

from .library import Library
from .netlist import Instance, Netlist
from .timing import load_of

FAN = 10
"""Input capacitances of the chosen buffer that one driver may see."""


def repair(netlist: Netlist, library: Library, *, clock: str = "clk", reset: str = "rst") -> float:
    """Insert buffers where they are needed; the area that they take."""
    buffers = library.buffers()
    if not buffers:
        return 0.0
    buffer = buffers[min(2, len(buffers) - 1)]
    (entry,), (exit_,) = buffer.inputs, buffer.outputs
    size = buffer.pins[entry].capacitance
    limit = FAN * size
    loads = load_of(netlist, library)
    # Reset is a tree like the clock's; neither is timed.
    skip = {net for port in (clock, reset) for net in netlist.inputs.get(port, ())}
    heavy = {net for net, load in loads.items() if load > 2 * limit and net >= 0} - skip
    if not heavy:
        return 0.0
    readers: dict[int, list] = {net: [] for net in heavy}
    drivers = {}
    for instance in netlist.instances:
        pins = library.cells[instance.type].pins
        for pin, net in instance.pins.items():
            if net in heavy:
                if pins[pin].direction == "input":
                    readers[net].append((instance, pin, pins[pin].capacitance))
                else:
                    drivers[net] = instance
    fresh = 1 + max(max(i.pins.values(), default=0) for i in netlist.instances)
    fresh = max(fresh, 1 + max(netlist.names, default=0))
    added = 0
    for net in sorted(heavy):
        level = readers[net]
        total = sum(load for _, _, load in level)
        while total > limit and len(level) > 1:
            groups = -(-int(total * 1000) // int(limit * 1000))
            share = total / groups
            above, group, load = [], [], 0.0
            for index, item in enumerate(level):
                group.append(item)
                load += item[2]
                if load >= share or index == len(level) - 1:
                    made = Instance(
                        f"fanout_{net}_{added}", buffer.name, {entry: net, exit_: fresh}
                    )
                    for instance, pin, _ in group:
                        instance.pins[pin] = fresh
                    netlist.instances.append(made)
                    above.append((made, entry, size))
                    netlist.names[fresh] = f"{netlist.names.get(net, net)}~{added}"
                    fresh += 1
                    added += 1
                    group, load = [], 0.0
            if len(above) >= len(level):
                break
            level, total = above, size * len(above)
    return added * buffer.area
