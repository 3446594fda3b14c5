"""Every figure of a report, in JSON types: what the page shows, and nothing that it does not."""

from collections import Counter

from .. import engines
from . import power
from .reading import Build


def figures(build: Build) -> dict:
    """The figures of ``build``. Raises :class:`.errors.ConfigError` where its configuration is not
    one that this version knows."""
    settings = engines.from_tables(build.config, "config")
    engine = engines.of(settings)
    clock = build.engine_clock
    used = {name: resource.used for name, resource in build.resources.items()}
    return {
        "title": f"{settings.name} on {build.board.title}",
        "name": settings.name,
        "demo": build.demo,
        "kind": engine.kind,
        "summary": engine.summary(),
        "configuration": build.config,
        "configuration_sha256": settings.hash,
        "board": build.board.model_dump(),
        "met": build.met,
        "engine_clock": clock.name,
        "clocks": [each.model_dump() | {"margin_percent": _margin(each)} for each in build.clocks],
        "resources": {
            name: each.model_dump() | {"percent": _percent(each.used, each.available)}
            for name, each in build.resources.items()
        },
        "mapping": [each.model_dump() for each in build.mapping],
        "critical_path": _path(build),
        "performance": engine.performance(clock.constraint_mhz, clock.achieved_mhz, build.baud),
        "power": power.estimate(build.board.device, used, clock.constraint_mhz),
        "placement": _placement(build),
        "seed": build.seed,
        "seeds": [each.model_dump() for each in build.seeds],
        "files": dict(sorted(build.files.items())),
        "tools": build.tools,
        "commands": build.commands,
        "seconds": build.seconds,
    }


def _margin(clock) -> float:
    return round(100 * (clock.achieved_mhz / clock.constraint_mhz - 1), 2)


def _percent(used: int, available: int) -> float | None:
    """``None`` of something that the device does not have."""
    return round(100 * used / available, 2) if available else None


def _path(build: Build) -> dict | None:
    if build.critical_path is None:
        return None
    path = build.critical_path.model_dump(by_alias=True)
    until = 0.0
    for segment in path["segments"]:
        until += segment["ns"]
        segment["until_ns"] = round(until, 3)
    kinds = Counter()
    for segment in path["segments"]:
        kinds[segment["kind"]] += segment["ns"]
    return path | {"ns_by_kind": {kind: round(ns, 3) for kind, ns in kinds.items()}}


def _placement(build: Build) -> dict:
    """Cells by part, most first; the picture is drawn from the placement itself."""
    parts = Counter(cell.part for cell in build.placement)
    return {
        "cells": sum(parts.values()),
        "parts": dict(sorted(parts.items(), key=lambda each: (-each[1], each[0]))),
    }
