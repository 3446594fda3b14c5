"""The same files in every environment."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from matweave.hw import source

from .registry import Context, Measured, gate

# Turkish has an i of its own, and writes 0,5; German is there on more machines.
LOCALES = {"tr_TR.UTF-8": "tr_TR", "de_DE.UTF-8": "de_DE"}


@gate("reproducible", "reproducible Verilog", "one SHA-256 per engine, whatever the environment")
def reproducible(context: Context) -> Measured:
    """Over hash seeds, folders, users, encodings, locales (as there are) and time zones."""
    names = [preset for preset in source.presets() if preset.startswith("tiny")]
    names = names[: context.of(len(names), 1)]
    if not context.quick:
        names += ["gemm_os_8x8_booth", "gemm_tree1d_16", "gemm_mixed_4x12"]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "höme of someone"
        home.mkdir()
        ascii_only = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
        changes = [
            {},
            {"PYTHONHASHSEED": "0", "LC_ALL": "C"} | ascii_only,
            {"PYTHONHASHSEED": "1", "LC_ALL": "C", "PYTHONUTF8": "1"},
            {"PYTHONHASHSEED": "4294967295", "LC_ALL": "C.UTF-8", "TZ": "Pacific/Kiritimati"},
            {"HOME": str(home), "USER": "nobody", "LOGNAME": "nobody", "cwd": "/"},
            {"LC_ALL": "POSIX", "TMPDIR": str(home), "cwd": folder} | ascii_only,
        ]
        found = {name: locale_environment(name, Path(folder)) for name in LOCALES}
        changes += [change | {"cwd": str(home)} for change in found.values() if change]
        changes = changes[: context.of(len(changes), 2)]
        seen = {name: set() for name in names}
        for number, change in enumerate(changes):
            context.say("environments", number, len(changes))
            cwd = change.pop("cwd", None)
            done = subprocess.run(
                [sys.executable, "-c", HASHES, *names],
                env={**os.environ, **change},
                cwd=cwd,
                capture_output=True,
                text=True,
            )
            lines = done.stdout.split()
            if done.returncode or len(lines) != len(names):
                return Measured("failed", False, done.stderr.strip()[-300:])
            for name, digest in zip(names, lines, strict=True):
                seen[name].add(digest)
    different = tuple(name for name, digests in seen.items() if len(digests) != 1)
    figure = f"{len(names)} engines × {len(changes)} environments, {len(different)} differ"
    used = sorted({change["LC_ALL"] for change in changes if "LC_ALL" in change})
    detail = f"all files hashed; locales {', '.join(used)}"
    if absent := [name for name in LOCALES if name not in used]:
        detail += f"; not tried: {', '.join(absent)}"
    return Measured(figure, not different, detail, different)


def locale_environment(name: str, folder: Path) -> dict[str, str] | None:
    """Variables that put ``name`` into effect: installed, or made in ``folder``; else ``None``.

    Where a locale is not installed, setting the variables alone would quietly leave C.
    """
    change = {"LC_ALL": name, "LANG": name}
    if _in_effect(change):
        return change
    arguments = ["-i", LOCALES.get(name, name), "-f", "UTF-8", folder / name]
    try:
        subprocess.run(["localedef", *arguments], capture_output=True)
    except OSError:
        return None
    change["LOCPATH"] = str(folder)
    return change if _in_effect(change) else None


def _in_effect(change: dict[str, str]) -> bool:
    test = [sys.executable, "-c", "import locale; locale.setlocale(locale.LC_ALL, '')"]
    return not subprocess.run(test, env={**os.environ, **change}, capture_output=True).returncode


# An environment whose locale does not exist is an error, not C.
HASHES = """
import hashlib, locale, sys
locale.setlocale(locale.LC_ALL, "")
from matweave.hw import config, emit
for name in sys.argv[1:]:
    files = emit.generate(config.load(name)).files
    print(hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest())
"""
