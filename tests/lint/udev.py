#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The rules for udev name the group that our links get, as a number, and give them the property
that the file for systemd-networkd matches."""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HEADER, RULES = "src/model/object.h", "packaging/10-ipipd.rules"
NETWORK = "packaging/network/10-ipipd.network"


def found(name, pattern):
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return re.findall(pattern, file.read(), re.M)


def main():
    declared = [int(number, 0) for number in found(HEADER, r"\bOUR_GROUP = (\w+),")]
    named = [int(number) for number in found(RULES, r'^[^#\n]*\bATTR\{netdev_group\}=="(\d+)"')]
    given = found(RULES, r'\bENV\{(\w+)\}="(\w+)"')
    matched = [tuple(line.split("=")) for line in found(NETWORK, r"^Property=(.*)$")]
    if len(declared) != 1 or named != declared:
        print(f"{RULES}: group {named}, not OUR_GROUP of {HEADER}, {declared}")
        return 1
    if len(matched) != 1 or matched[0] not in given:
        print(f"{NETWORK}: matches {matched}, {RULES} gives {given}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
