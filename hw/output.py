"""Results that are whole or not there: written beside their place, then moved into it.

An interrupted, killed or failed run leaves what an earlier one wrote. Symbolic links are followed,
so that a linked folder stays linked. What a killed run left behind is hidden (``.NAME.*.partial``)
and removed by a later run.
"""

import contextlib
import ctypes
import os
import shutil
import signal
import stat
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from .errors import OutputError, plain

STALE = 3600
"""Seconds after which another run's unfinished folder is taken for abandoned."""


def write_file(path: str | os.PathLike, data: bytes) -> None:
    """Give the file ``path`` the content ``data``, at once or not at all.

    Raises :class:`OutputError` if it cannot be written, or is something else than a file.
    """
    with _reported(path):
        target = Path(os.path.realpath(path))
        _check_file(target, path)
        descriptor, name = tempfile.mkstemp(f".{target.name[:64]}.partial", ".", target.parent)
        temporary = Path(name)
        try:
            with open(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.chmod(0o666 & ~_umask())
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)


def write_folder(path: str | os.PathLike, files: Mapping[str, str | bytes]) -> None:
    """Write ``files`` (name -> content) to the folder ``path``, made if need be.

    Where the folder is new, empty, or holds nothing but earlier versions of ``files``, all change
    at the same instant. Where it holds other things they stay, and the files are replaced one by
    one, once all are written; so they are in the current folder.
    Raises :class:`OutputError` if that is not possible.
    """
    with _reported(path):
        target = Path(os.path.realpath(path))
        check_folder(path)
        for name in files:
            if (target / name).exists():
                _check_file(target / name, target / name)
        target.parent.mkdir(parents=True, exist_ok=True)
        with _staging(target) as staging:
            for name, content in files.items():
                _write(staging / name, content)
            _sync_folder(staging)
            with undisturbed():
                _publish(staging, target, set(files))


def check_folder(path: str | os.PathLike) -> None:
    """Raise :class:`OutputError` if ``path`` can be seen not to be a folder one may write to.

    For the start of a long run; writing may still fail at its end.
    """
    with _reported(path):
        target = Path(os.path.realpath(path))
        if target.exists() and not target.is_dir():
            raise OutputError(f"{plain(path)}: is not a folder")
        _check_writable(target, path)


def check_file(path: str | os.PathLike) -> None:
    """As :func:`check_folder`, for a file in an existing folder."""
    with _reported(path):
        target = Path(os.path.realpath(path))
        _check_file(target, path)
        if not target.parent.is_dir():
            raise OutputError(f"{plain(path)}: its folder does not exist")
        _check_writable(target.parent, path)


def _check_file(target: Path, path: str | os.PathLike) -> None:
    if target.exists() and not stat.S_ISREG(target.stat().st_mode):
        raise OutputError(f"{plain(path)}: is not a regular file")


def _check_writable(folder: Path, path: str | os.PathLike) -> None:
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        raise OutputError(f"{plain(path)}: {plain(folder)} is not a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{plain(path)}: cannot be written: Permission denied")


@contextlib.contextmanager
def _reported(path: str | os.PathLike) -> Iterator[None]:
    if "\0" in os.fspath(path):
        raise OutputError(f"{plain(path)}: is not a path")
    try:
        yield
    except OSError as error:
        raise OutputError(f"{plain(path)}: cannot be written: {plain(error.strerror)}") from error


@contextlib.contextmanager
def _staging(target: Path) -> Iterator[Path]:
    """A new folder on the file system of ``target``: beside it, or in it where that cannot be."""
    parent = target.parent
    if target.is_dir() and (_must_stay(target) or not os.access(parent, os.W_OK | os.X_OK)):
        parent = target
    _remove_stale(parent, target)
    prefix, suffix = f".{target.name[:64]}.", ".partial"
    staging = Path(tempfile.mkdtemp(suffix, prefix, parent))
    try:
        staging.chmod(0o777 & ~_umask())
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _must_stay(folder: Path) -> bool:
    """Whether another folder cannot take its place: a mount point, and the current folder, as the
    user's shell would be left in the one that is gone."""
    return os.path.ismount(folder) or os.path.samefile(folder, os.curdir)


def _remove_stale(parent: Path, target: Path) -> None:
    for old in parent.glob(f".{_literal(target.name[:64])}.*.partial"):
        with contextlib.suppress(OSError):
            if time.time() - old.stat().st_mtime > STALE:
                shutil.rmtree(old, ignore_errors=True)


def _literal(text: str) -> str:
    return "".join(f"[{character}]" if character in "*?[" else character for character in text)


def _write(path: Path, content: str | bytes) -> None:
    with path.open("wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    with contextlib.suppress(OSError):  # not every file system can
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _publish(staging: Path, target: Path, names: set[str]) -> None:
    if staging.parent == target.parent:
        with contextlib.suppress(OSError):  # it is there and not empty
            os.rename(staging, target)
            return
        if {entry.name for entry in os.scandir(target)} <= names and _exchange(staging, target):
            return
    for entry in sorted(staging.iterdir()):
        os.replace(entry, target / entry.name)
    _sync_folder(target)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two folders in one step, where the system can (Linux); else ``False``."""
    at_fdcwd, rename_exchange = -100, 2
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return False
    arguments = (at_fdcwd, os.fsencode(one), at_fdcwd, os.fsencode(other), rename_exchange)
    return renameat2(*arguments) == 0


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Holds Ctrl-C and termination back until its end, for what takes a moment and must be whole.

    Other threads than the main one are never disturbed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came = []

    def hold(number, _frame):
        came.append(number)

    # Blocking them is not enough: where there are other threads, one of them would take the signal,
    # and Python would run its handler here all the same.
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: [signal.raise_signal(number) for number in came[:1]])
        for number in (signal.SIGINT, signal.SIGTERM):
            if (handler := signal.getsignal(number)) is not None:  # None: not Python's
                stack.callback(signal.signal, number, handler)
                signal.signal(number, hold)
        yield


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
