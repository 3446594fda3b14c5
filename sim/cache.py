"""A folder of built simulators, named by the hash of everything that went into them.

A build happens in a temporary folder that is renamed into place when it is whole, under a lock of
its own key: an interrupted build leaves nothing that a later one could take for a result, and two
builds of the same thing at once do the work once. Every entry holds the hashes of its files: one
that was damaged later, by a full disk or a crash of the machine, is built anew.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

MAX_AGE = 24 * 3600
"""Seconds after which the temporary folder of a killed build is removed."""

CONTENTS = ".contents.json"
"""The file of an entry that tells the hash of each of the others."""

POLL = 0.1
"""Seconds between two looks at whether somebody else's build is done."""

MAX_ENTRIES, MAX_BYTES = 256, 4 << 30
"""Entries of one kind that are kept, and what they may take on the disk; beyond either, those
unused for longest go."""


def root() -> Path:
    """``MATWEAVE_CACHE_DIR``, or ``matweave`` in ``XDG_CACHE_HOME`` or ``~/.cache``."""
    if given := os.environ.get("MATWEAVE_CACHE_DIR"):
        return Path(given).absolute()
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "matweave"


def digest(*parts: object) -> str:
    """One hash of ``parts`` (text or bytes; anything else by its ``repr``), boundaries included."""
    total = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode()
        total.update(b"%d:" % len(data))
        total.update(data)
    return total.hexdigest()[:32]


def build(
    kind: str,
    key: str,
    make: Callable[[Path], None],
    waiting: Callable[[], None] = lambda: None,
) -> Path:
    """The folder ``kind``/``key``; where it is not there whole yet, ``make(folder)`` fills it.

    ``make`` must write nothing but relocatable files: the folder is moved afterwards. They must
    not be changed later. While somebody else builds the same, ``waiting`` is called several times a
    second; what it raises ends the waiting.
    """
    base = root() / kind
    final = base / key
    if _used(final):
        return final
    base.mkdir(parents=True, exist_ok=True)
    with _lock(base / f".{key}.lock", waiting):
        if _used(final):  # somebody else built it while we waited
            return final
        _sweep(base)
        work = Path(tempfile.mkdtemp(prefix=f".{key[:8]}-", dir=base))
        try:
            make(work)
            (work / CONTENTS).write_text(json.dumps(_hashes(work)), encoding="utf-8")
            work.chmod(0o755)  # mkdtemp's is private
            _remove(final)  # damaged, or it would have been used
            work.rename(final)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return final


def _hashes(folder: Path) -> dict[str, str]:
    """Relative path -> SHA-256 of every file below ``folder``."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != CONTENTS:
            with path.open("rb") as file:
                name = path.relative_to(folder).as_posix()
                found[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _whole(folder: Path) -> bool:
    """Whether ``folder`` holds what its build left there. Further files do not matter."""
    try:
        expected = json.loads((folder / CONTENTS).read_bytes())
        return expected.items() <= _hashes(folder).items()
    except (OSError, ValueError, AttributeError):
        return False


def _remove(path: Path) -> None:
    """Take ``path`` away at once: nobody finds a part of it."""
    grave = Path(tempfile.mkdtemp(prefix=".removed-", dir=path.parent))
    with contextlib.suppress(FileNotFoundError):
        path.rename(grave / path.name)
    shutil.rmtree(grave, ignore_errors=True)


def _used(folder: Path) -> bool:
    """Whether ``folder`` is there and whole; marks it as used now."""
    if not _whole(folder):
        return False
    with contextlib.suppress(OSError):  # a cache that cannot be written is still good to read
        os.utime(folder)
    return True


@contextlib.contextmanager
def _lock(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """An exclusive lock that ends with this process, however that ends."""
    with open(path, "w") as file:
        while not _locked(file):
            waiting()
            time.sleep(POLL)
        yield


def _locked(file) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sweep(base: Path) -> None:
    """Remove what killed builds left, and the entries unused for longest."""
    now = time.time()
    entries = []
    for path in base.iterdir():
        with contextlib.suppress(OSError):
            age = now - path.stat().st_mtime
            if not path.name.startswith("."):
                entries.append((age, path))
            elif path.is_dir() and age > MAX_AGE:
                shutil.rmtree(path, ignore_errors=True)
    size = 0
    for place, (_, path) in enumerate(sorted(entries)):
        size += _size(path)
        if place >= MAX_ENTRIES or size > MAX_BYTES:
            _remove(path)


def _size(folder: Path) -> int:
    """Bytes of the files below ``folder``."""
    size = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # removed by somebody else meanwhile
            size += path.stat().st_size
    return size
