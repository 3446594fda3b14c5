"""Minimum cut, without recursion (E. Dinic, "Algorithm for solution of a problem of maximum flow in
networks with power estimation", 1970)."""

INFINITE = 1 << 60


class Flow:
    """A network of integer capacities; nodes are any hashable things."""

    def __init__(self):
        self._number = {}
        self._edges = []  # per node: indices into the lists below
        self._to, self._room = [], []

    def _node(self, key):
        if key not in self._number:
            self._number[key] = len(self._edges)
            self._edges.append([])
        return self._number[key]

    def edge(self, a, b, capacity: int = INFINITE) -> None:
        a, b = self._node(a), self._node(b)
        for start, end, room in ((a, b, capacity), (b, a, 0)):
            self._edges[start].append(len(self._to))
            self._to.append(end)
            self._room.append(room)

    def side(self, source, sink) -> set:
        """The nodes on the source's side of the least cut, as few as possible."""
        source, sink = self._node(source), self._node(sink)
        while (levels := self._levels(source))[sink] >= 0:
            cursor = [0] * len(self._edges)
            while self._augment(source, sink, levels, cursor):
                pass
        return {key for key, number in self._number.items() if levels[number] >= 0}

    def _levels(self, source):
        levels = [-1] * len(self._edges)
        levels[source] = 0
        queue = [source]
        for node in queue:
            for edge in self._edges[node]:
                if self._room[edge] and levels[self._to[edge]] < 0:
                    levels[self._to[edge]] = levels[node] + 1
                    queue.append(self._to[edge])
        return levels

    def _augment(self, source, sink, levels, cursor) -> bool:
        """Send flow along one shortest path; whether there was one."""
        path, node = [], source
        while node != sink:
            edges = self._edges[node]
            while cursor[node] < len(edges):
                edge = edges[cursor[node]]
                if self._room[edge] and levels[self._to[edge]] == levels[node] + 1:
                    break
                cursor[node] += 1
            else:
                if not path:
                    return False
                edge = path.pop()  # a dead end: back, and on from there
                node = self._to[edge ^ 1]
                cursor[node] += 1
                continue
            path.append(edge)
            node = self._to[edge]
        flow = min(self._room[edge] for edge in path)
        for edge in path:
            self._room[edge] -= flow
            self._room[edge ^ 1] += flow
        return True
