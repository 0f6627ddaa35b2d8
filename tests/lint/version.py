#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The packages have the version of CMakeLists.txt, and their changelogs begin with it."""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SOURCE = ("CMakeLists.txt", r"^project\(ipipd VERSION (\S+) ")
FOLLOW = (
    ("packaging/debian/changelog", r"\Aipipd \((\S+)\) "),
    ("packaging/rpm/ipipd.spec", r"^Version: (\S+)$"),
    ("packaging/rpm/ipipd.spec", r"^%changelog\n\* .* - (\S+)-\d+$"),
)


def version(name, pattern):
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        found = re.search(pattern, file.read(), re.M)
    return found and found.group(1)


def main():
    wanted = version(*SOURCE)
    faults = [f"{name}: version {version(name, pattern)}, not {wanted} of {SOURCE[0]}"
              for name, pattern in FOLLOW if not wanted or version(name, pattern) != wanted]
    print(*faults, sep="\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
