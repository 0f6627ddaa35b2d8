# SPDX-License-Identifier: GPL-2.0-or-later
"""The names of all failpoints, as they stand in the sources."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
CALL = re.compile(r'\bfailpoint(?:_error)?\("([^"]+)"\)')
TABLE = re.compile(r"\bfailpoints\[\].*?};", re.S)


def of(text):
    """In calls, and in tables that are called failpoints."""
    yield from CALL.findall(text)
    for table in TABLE.findall(text):
        yield from re.findall(r'"([^"]+)"', table)


# Passed with an older database only: they are tests/api/test_upgrade.py's.
UPGRADE = "backup."


def names(*folders):
    """Sorted, without those of an upgrade; each must stand at one place."""
    found = []
    for folder in folders:
        path = ROOT / folder
        files = sorted(path.rglob("*.c")) if path.is_dir() else [path]
        for file in files:
            found += of(file.read_text())
    twice = {name for name in found if found.count(name) > 1}
    if twice:
        raise AssertionError(f"failpoints that stand at two places: {sorted(twice)}")
    return sorted(name for name in found if not name.startswith(UPGRADE))


# what the agent on the fake kernel can pass, and what only the one on the real kernel can
FAKE = ("src/store", "src/daemon", "tests/fake_apply.c", "tests/fake_kernel.c",
        "tests/vfs_shim.c")
REAL = ("src/store", "src/daemon", "src/kernel", "tests/vfs_shim.c")
