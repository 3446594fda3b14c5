"""What there is to choose from: ``matweave list``."""

from matweave.fpga import boards, demos, engines
from matweave.hw import catalog, config, source


def catalogue() -> dict[str, dict[str, str]]:
    """Engines, arrays, PEs, presets, demos and boards: a sentence by each name."""
    return {
        "engines": {name: _sentence(model) for name, model in _configurations().items()},
        "arrays": {name: _sentence(model) for name, model in config.ARRAYS.items()},
        "pes": {name: f"{facts.title}. {facts.summary}" for name, facts in catalog.pes().items()},
        "presets": {name: _preset(path) for name, path in source.presets().items()},
        "demos": {name: demo.title for name, demo in demos.demos().items()},
        "boards": {name: board.title for name, board in boards.boards().items()},
    }


def _configurations() -> dict[str, type]:
    """Of every kind of engine; those that go to boards first."""
    on_boards = {name: kind.configuration for name, kind in engines.kinds().items()}
    return on_boards | config.ENGINES


def text(catalogue: dict[str, dict[str, str]]) -> str:
    width = max(len(name) for entries in catalogue.values() for name in entries)
    lines = []
    for title, entries in catalogue.items():
        lines += [title, *(f"  {name:{width}}  {about}" for name, about in entries.items()), ""]
    return "\n".join(lines[:-1])


def _sentence(model: type) -> str:
    return model.__doc__.strip().split("\n")[0].replace("``", "")


def _preset(path) -> str:
    """The comment at the top of a preset."""
    first = path.read_text(encoding="utf-8").split("\n", 1)[0]
    return first.lstrip("# ")
