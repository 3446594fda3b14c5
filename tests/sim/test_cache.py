"""The folder of built simulators: whole entries or none, once each."""

import os
import threading
import time

import pytest

from matweave.sim import cache


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
