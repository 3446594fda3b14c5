"""Results are whole or not there, whatever happens while they are written."""

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from matweave.hw import output
from matweave.hw.errors import OutputError

FILES = {"a.v": "module a; endmodule\n", "a.json": "{}"}


def contents(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


def refusal(function, *arguments):
    with pytest.raises(OutputError) as caught:
        function(*arguments)
    assert str(caught.value).isprintable()
    return str(caught.value)


def hidden(folder):
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


# Folders


def test_a_new_folder_and_its_parents_are_made(tmp_path):
    output.write_folder(tmp_path / "x" / "y", FILES)
    assert contents(tmp_path / "x" / "y") == FILES
    assert hidden(tmp_path / "x") == []


def test_modes_are_those_that_the_umask_leaves(tmp_path):
    before = os.umask(0o027)
    try:
        output.write_folder(tmp_path / "x", FILES)
        output.write_file(tmp_path / "y", b"")
    finally:
        os.umask(before)
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o750
    assert (tmp_path / "x" / "a.v").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "y").stat().st_mode & 0o777 == 0o640


def test_an_empty_folder_is_filled_and_an_earlier_result_replaced(tmp_path):
    target = tmp_path / "x"
    target.mkdir()
    output.write_folder(target, FILES)
    output.write_folder(target, FILES | {"a.v": "new", "b.v": "more"})
    assert contents(target) == FILES | {"a.v": "new", "b.v": "more"}
    assert hidden(tmp_path) == []


def test_what_else_is_in_the_folder_stays(tmp_path):
    target = tmp_path / "x"
    (target / "sub").mkdir(parents=True)
    (target / "notes.txt").write_text("mine")
    (target / "a.v").write_text("old")
    output.write_folder(target, FILES)
    assert (target / "sub").is_dir()
    assert (target / "notes.txt").read_text() == "mine"
    assert (target / "a.v").read_text() == FILES["a.v"]
    assert hidden(target) == hidden(tmp_path) == []


def test_a_linked_folder_stays_linked(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    for version in "12":
        output.write_folder(tmp_path / "link", FILES | {"a.v": version})
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "real" / "a.v").read_text() == version
    (tmp_path / "dangling").symlink_to("later")
    output.write_folder(tmp_path / "dangling", FILES)
    assert contents(tmp_path / "later") == FILES


def test_the_current_folder_can_be_written_to(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other").write_text("")
    output.write_folder(".", FILES)
    assert contents(tmp_path) == FILES | {"other": ""}


@pytest.mark.parametrize("earlier", [{}, FILES])
def test_the_current_folder_stays_the_current_folder(tmp_path, monkeypatch, earlier):
    """Were another put in its place, the user's shell would see an empty one."""
    for name, text in earlier.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    output.write_folder(tmp_path, FILES | {"a.v": "new"})
    assert contents(Path(".")) == FILES | {"a.v": "new"}
    assert hidden(tmp_path) == []


def test_what_is_no_folder_is_refused(tmp_path):
    file = tmp_path / "file"
    file.write_text("old")
    assert refusal(output.write_folder, file, FILES).endswith("file: is not a folder")
    assert "is not a folder" in refusal(output.write_folder, file / "below", FILES)
    assert refusal(output.write_folder, "x\0y", FILES).endswith("is not a path")
    assert "cannot be written" in refusal(output.write_folder, tmp_path / ("x" * 300), FILES)
    assert file.read_text() == "old"


def test_a_folder_in_the_place_of_a_file_is_refused_and_all_stays(tmp_path):
    (tmp_path / "a.v").mkdir()
    (tmp_path / "a.json").write_text("old")
    assert "is not a regular file" in refusal(output.write_folder, tmp_path, FILES)
    assert (tmp_path / "a.json").read_text() == "old"


def test_a_loop_of_links_is_refused(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert refusal(output.write_folder, tmp_path / "a", FILES)


def test_what_a_killed_run_left_is_removed_when_it_is_old(tmp_path):
    old, new = tmp_path / ".x.abc.partial", tmp_path / ".x.def.partial"
    for each in (old, new):
        each.mkdir()
    os.utime(old, (0, 0))
    output.write_folder(tmp_path / "x", FILES)
    assert not old.exists()
    assert new.exists()  # may be another run's, now


def test_a_failure_while_writing_leaves_the_earlier_result(tmp_path):
    output.write_folder(tmp_path / "x", FILES)
    with pytest.raises(UnicodeEncodeError):
        output.write_folder(tmp_path / "x", {"a.json": "new", "a.v": "\ud800"})
    assert contents(tmp_path / "x") == FILES
    assert hidden(tmp_path) == []


def test_a_system_without_exchange_replaces_file_by_file(tmp_path, monkeypatch):
    monkeypatch.setattr(output, "_exchange", lambda one, other: False)
    for version in "12":
        output.write_folder(tmp_path / "x", FILES | {"a.v": version})
        assert contents(tmp_path / "x") == FILES | {"a.v": version}


def test_two_at_once_leave_one_of_the_two(tmp_path):
    def write(text):
        for _ in range(50):
            output.write_folder(tmp_path / "x", dict.fromkeys(FILES, text))

    threads = [threading.Thread(target=write, args=(text * 1000,)) for text in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(contents(tmp_path / "x").values())) == 1
    assert set(contents(tmp_path / "x")) == set(FILES)
    assert hidden(tmp_path) == []


# Files


def test_a_file_is_made_and_replaced(tmp_path):
    for data in (b"1", b"2"):
        output.write_file(tmp_path / "c.npy", data)
        assert (tmp_path / "c.npy").read_bytes() == data
    assert [path.name for path in tmp_path.iterdir()] == ["c.npy"]


def test_a_linked_file_stays_linked(tmp_path):
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    output.write_file(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


@pytest.mark.parametrize("check", [output.check_file, lambda path: output.write_file(path, b"")])
def test_what_is_no_file_is_refused(tmp_path, check):
    assert refusal(check, tmp_path).endswith("is not a regular file")
    assert refusal(check, "/dev/null").endswith("is not a regular file")
    assert refusal(check, tmp_path / "none" / "c.npy")
    os.mkfifo(tmp_path / "fifo")
    assert refusal(check, tmp_path / "fifo").endswith("is not a regular file")


# What only a process of its own can show

WRITE = """
import os, sys
from matweave.hw import output
from matweave.hw.errors import OutputError
if os.geteuid() == 0:
    os.setuid(int(sys.argv[3]))  # now: another user may not be able to start this Python
try:
    for version in range(int(sys.argv[2])):
        text = str(version) * 20_000
        output.write_folder(sys.argv[1], {"a.v": text, "a.json": text, "a.h": text})
        print(version, flush=True)
except OutputError as error:
    sys.exit(str(error))
"""


def writer(target, versions=1, user=0, **options):
    return subprocess.Popen(
        [sys.executable, "-c", WRITE, target, str(versions), str(user)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def test_a_full_disk_leaves_the_earlier_result(tmp_path):
    """The limit on a file's size stands for it: it ends a write in the middle, too."""
    output.write_folder(tmp_path / "x", FILES)

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))

    _, errors = (process := writer(tmp_path / "x", preexec_fn=limit)).communicate()
    assert process.returncode == 1
    assert errors == f"{tmp_path}/x: cannot be written: File too large\n"
    assert contents(tmp_path / "x") == FILES
    assert hidden(tmp_path) == []


@pytest.fixture
def full_disk(monkeypatch):
    """Whatever is staged as ``a.v`` goes to a device without space: no small disk to be mounted."""
    make = tempfile.mkdtemp

    def staging(*arguments):
        folder = make(*arguments)
        Path(folder, "a.v").symlink_to("/dev/full")
        return folder

    monkeypatch.setattr(output.tempfile, "mkdtemp", staging)


@pytest.mark.parametrize("size", [1, 200_000])  # noticed when flushed, and while writing
def test_a_device_without_space_leaves_the_earlier_result(tmp_path, full_disk, size):
    target = tmp_path / "x"
    target.mkdir()
    for name, text in FILES.items():
        (target / name).write_text(text)
    message = refusal(output.write_folder, target, {"a.json": "", "a.v": "x" * size})
    assert message == f"{target}: cannot be written: No space left on device"
    assert contents(target) == FILES
    assert hidden(tmp_path) == []


def test_a_mount_point_cannot_be_exchanged_but_written_to(tmp_path, monkeypatch):
    """Its parent is another file system, to which nothing may be moved."""
    target = tmp_path / "disk"
    output.write_folder(target, FILES)
    inode = target.stat().st_ino
    monkeypatch.setattr(output.os.path, "ismount", lambda path: Path(path) == target)
    parent_before = tmp_path.stat().st_mtime_ns
    output.write_folder(target, FILES | {"a.v": "new"})
    assert contents(target) == FILES | {"a.v": "new"}
    assert target.stat().st_ino == inode
    assert tmp_path.stat().st_mtime_ns == parent_before
    assert hidden(target) == []


def test_a_folder_without_permission_is_refused_and_left():
    parent = Path(tempfile.mkdtemp())  # tmp_path is not reachable for another user
    target = parent / "x"
    output.write_folder(target, FILES)
    target.chmod(0o555)
    parent.chmod(0o555)
    try:
        _, errors = (process := writer(target, user=65534)).communicate()
        assert process.returncode == 1
        assert errors == f"{target}: cannot be written: Permission denied\n"
        assert contents(target) == FILES
    finally:
        parent.chmod(0o755)
        target.chmod(0o755)
        shutil.rmtree(parent)


@pytest.mark.parametrize(
    "by", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=lambda s: s.name
)
def test_a_kill_at_a_random_time_leaves_one_whole_version(tmp_path, by, seed):
    chance = random.Random(seed)
    output.write_folder(tmp_path / "x", dict.fromkeys(["a.v", "a.json", "a.h"], "old"))
    for _ in range(8):
        process = writer(tmp_path / "x", 1_000_000)
        process.stdout.readline()
        time.sleep(chance.uniform(0, 0.05))
        process.send_signal(by)
        process.communicate()
        found = contents(tmp_path / "x")
        assert set(found) == {"a.v", "a.json", "a.h"}
        assert len(set(found.values())) == 1
        assert len(found["a.v"]) >= 20_000


UNDISTURBED = """
import signal, sys, threading, time
from matweave.hw import output
threading.Thread(target=time.sleep, args=(2,), daemon=True).start()
try:
    with output.undisturbed():
        print("ready", flush=True)
        for _ in range(20):  # signals may come to the other thread
            time.sleep(0.05)
        print("whole", flush=True)
    print("not disturbed afterwards", flush=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
"""


def test_a_signal_waits_until_what_must_be_whole_is():
    process = subprocess.Popen(
        [sys.executable, "-c", UNDISTURBED], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        time.sleep(0.05)
    assert process.communicate(timeout=30)[0].split() == ["whole", "interrupted", "True"]


@pytest.mark.parametrize("others", [False, True])
def test_nobody_ever_sees_a_folder_without_its_files(tmp_path, others):
    target = tmp_path / "x"
    output.write_folder(target, dict.fromkeys(["a.v", "a.json", "a.h"], "0"))
    if others:
        (target / "mine").write_text("")
    process = writer(target, 100)
    while process.poll() is None:
        assert all((target / name).is_file() for name in ("a.v", "a.json", "a.h"))
    assert process.returncode == 0, process.communicate()
