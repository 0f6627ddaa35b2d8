#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The rule for udev names the group that our links get: udev knows it as a number only."""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HEADER, RULES = "src/model/object.h", "packaging/10-ipipd.rules"


def numbers(name, pattern):
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return [int(number, 0) for number in re.findall(pattern, file.read(), re.M)]


def main():
    declared = numbers(HEADER, r"\bOUR_GROUP = (\w+),")
    named = numbers(RULES, r'^[^#\n]*\bATTR\{netdev_group\}=="(\d+)"')
    if len(declared) == 1 and named == declared:
        return 0
    print(f"{RULES}: group {named}, not OUR_GROUP of {HEADER}, {declared}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
