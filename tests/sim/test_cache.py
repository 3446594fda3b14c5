"""The folder of built simulators: whole entries or none, once each."""

import fcntl
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from matweave.sim import cache, exhaustive, regression, toolchain, verilate
from matweave.sim.native import Engine
from matweave.sim.registers import Register

from .engines import engine


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MATWEAVE_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def write(text):
    return lambda folder: (folder / "file").write_text(text)


def visible(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def test_built_once_then_found():
    first = cache.build("kind", "key", write("one"))
    assert cache.build("kind", "key", write("two")) == first
    assert (first / "file").read_text() == "one"


def test_an_interrupted_build_leaves_nothing(folder):
    def interrupted(work):
        (work / "half").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.build("kind", "key", interrupted)
    assert not [path for path in (folder / "kind").iterdir() if path.is_dir()]
    assert (cache.build("kind", "key", write("whole")) / "file").read_text() == "whole"


def truncate(path):
    path.write_bytes(path.read_bytes()[:-1])


def zero(path):
    """What some file systems make of a file that was not yet on the disk at a power failure."""
    path.write_bytes(bytes(path.stat().st_size))


def empty(path):
    for each in path.parent.iterdir():
        each.unlink()


def forget(path):
    (path.parent / cache.CONTENTS).unlink()


def garble(path):
    (path.parent / cache.CONTENTS).write_text("[")


@pytest.mark.parametrize("damage", [truncate, zero, Path.unlink, empty, forget, garble])
def test_a_damaged_entry_is_built_anew(folder, damage):
    entry = cache.build("kind", "key", write("a library"))
    damage(entry / "file")
    assert cache.build("kind", "key", write("another")) == entry
    assert (entry / "file").read_text() == "another"
    assert cache.build("kind", "key", write("a third")) == entry
    assert (entry / "file").read_text() == "another"
    assert not [path for path in (folder / "kind").glob(".*") if path.is_dir()]


def test_an_entry_that_is_no_folder_is_replaced(folder):
    (folder / "kind").mkdir(parents=True)
    (folder / "kind" / "key").write_text("")
    assert (cache.build("kind", "key", write("good")) / "file").read_text() == "good"


def test_files_in_subfolders_count_and_further_files_do_not():
    def make(work):
        (work / "sub").mkdir()
        (work / "sub" / "file").write_text("one")

    entry = cache.build("kind", "key", make)
    (entry / "__pycache__").mkdir()
    (entry / "__pycache__" / "more").write_text("")
    assert (cache.build("kind", "key", write("two")) / "sub" / "file").read_text() == "one"
    (entry / "sub" / "file").write_text("")
    assert (cache.build("kind", "key", write("two")) / "file").read_text() == "two"


@pytest.mark.requires_tool("verilator", "g++")
def test_a_damaged_library_is_compiled_again():
    """Loading it would be the end of this process, not an exception."""
    config = engine("tiny_os")
    Engine(config).close()
    (library,) = cache.root().glob("native/*/engine.so")
    whole = library.read_bytes()
    library.unlink()  # it may still be mapped into this process
    library.write_bytes(whole[: len(whole) // 2])
    with Engine(config) as tested:
        assert tested.read(Register.MAX_M) == 16
    assert library.stat().st_size == len(whole)


CACHED = {
    "native": lambda: verilate.library("module x; endmodule", "x", {}, {}),
    "run time": verilate._runtime,
    "exhaustive": lambda: exhaustive._program("module x; endmodule", "int main() {}"),
    "cocotb": lambda: regression._build("module x; endmodule", "x", "verilator", False),
    "cocotb run time": lambda: regression._runtime(False),
}


@pytest.mark.requires_tool("verilator", "g++", "make")
@pytest.mark.parametrize("cached", CACHED.values(), ids=CACHED)
def test_each_compiler_has_its_own_entries(monkeypatch, cached):
    keys = []
    monkeypatch.setattr(cache, "build", lambda kind, key, make: keys.append(key) or Path("/none"))
    found = toolchain.compiler()
    others = [
        found,
        replace(found, path=Path("/opt/bin/g++")),
        replace(found, version="99.0"),
        replace(found, target="riscv64-linux-gnu"),
    ]
    for compiler in others:
        monkeypatch.setattr(toolchain, "compiler", lambda compiler=compiler: compiler)
        cached()
    assert len(set(keys)) == len(keys) == len(others)


def test_two_at_once_build_once():
    built = []

    def slow(work):
        built.append(1)
        time.sleep(0.3)

    threads = [threading.Thread(target=cache.build, args=("kind", "key", slow)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(built) == 1


def test_whoever_waits_for_another_build_can_be_told_to_stop(folder):
    cache.build("kind", "key", write("damaged later"))
    (folder / "kind" / "key" / "file").write_text("damage")
    asked = []

    def waiting():
        asked.append(1)
        if len(asked) == 3:
            raise InterruptedError

    with open(folder / "kind" / ".key.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(InterruptedError):
            cache.build("kind", "key", write("never"), waiting)
    assert len(asked) == 3
    assert (cache.build("kind", "key", write("at last")) / "file").read_text() == "at last"


def test_what_a_killed_build_left_is_swept(folder):
    cache.build("kind", "one", write("1"))
    left = folder / "kind" / ".two-abc"
    left.mkdir()
    cache.build("kind", "three", write("3"))
    assert left.exists()  # it may be a build that is under way
    old = time.time() - 2 * cache.MAX_AGE
    os.utime(left, (old, old))
    cache.build("kind", "four", write("4"))
    assert not left.exists()


def test_the_entries_unused_for_longest_go(folder, monkeypatch):
    monkeypatch.setattr(cache, "MAX_ENTRIES", 2)
    for age, key in ((300, "a"), (200, "b"), (100, "c")):
        path = cache.build("kind", key, write(key))
        os.utime(path, (time.time() - age, time.time() - age))
    cache.build("kind", "a", write("a"))  # used now
    cache.build("kind", "d", write("d"))
    assert visible(folder / "kind") == ["a", "c", "d"]


def test_entries_that_take_too_much_go_the_oldest_first(folder, monkeypatch):
    for age, key in ((300, "a"), (200, "b"), (100, "c")):
        path = cache.build("kind", key, write("1" * 10_000))
        os.utime(path, (time.time() - age, time.time() - age))
    monkeypatch.setattr(cache, "MAX_BYTES", 25_000)
    cache.build("kind", "d", write("d"))
    assert visible(folder / "kind") == ["b", "c", "d"]


def test_the_root(monkeypatch, tmp_path):
    monkeypatch.delenv("MATWEAVE_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.root() == tmp_path / "matweave"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # the standard says: ignore it
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.root() == tmp_path / ".cache" / "matweave"


def test_digests_tell_boundaries():
    assert cache.digest("ab", "c") != cache.digest("a", "bc")
    assert cache.digest("a") == cache.digest(b"a")
