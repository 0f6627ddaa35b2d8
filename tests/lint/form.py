#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The form of the sources: lengths, licence line, no conditional code, no leftovers."""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FILE_LINES, FUNCTION_LINES, COLUMNS, TAB = 600, 80, 100, 8
LEFTOVER = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")


def files():
    """What git knows or would add, so that no build folder is read."""
    out = subprocess.run(["git", "-C", ROOT, "-c", f"safe.directory={ROOT}", "ls-files",
                          "--cached", "--others", "--exclude-standard"],
                         capture_output=True, text=True, check=True).stdout
    return [name for name in out.splitlines() if os.path.isfile(os.path.join(ROOT, name))]


def strip(text):
    """C without comments, strings and character constants; the lines stay."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group(0))
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text,
                  flags=re.S)


def functions(text):
    """(first line, lines) of each function: kernel style, its braces in column one."""
    begin = None
    for number, line in enumerate(strip(text).splitlines(), 1):
        if line.startswith("{"):
            begin = number
        elif line.startswith("}") and begin:
            if line.strip() == "}":
                yield begin, number - begin + 1
            begin = None


def width(line):
    column = 0
    for char in line:
        column += TAB - column % TAB if char == "\t" else 1
    return column


def c_faults(name, text):
    if name.endswith(".c"):
        for number, line in enumerate(strip(text).splitlines(), 1):
            if re.match(r"\s*#\s*(if|ifdef|ifndef)\b", line):
                yield number, "conditional code in a .c file: probe at run time"
    elif "#pragma once" not in text:
        yield 1, "no #pragma once"
    for number, count in functions(text):
        if count > FUNCTION_LINES:
            yield number, f"a function of {count} lines, more than {FUNCTION_LINES}"
    for number, line in enumerate(strip(text).splitlines(), 1):
        if re.search(r"\btypedef\s+(struct|union|enum)\b", line):
            yield number, "a typedef hides a struct"
        if re.search(r"\b(alloca|system|popen)\s*\(", line):
            yield number, "alloca, system and popen are not used"


def faults(name, text):
    lines = text.splitlines()
    program = name.endswith((".c", ".h", ".py", ".sql", ".cmake", "CMakeLists.txt")) or (
        text.startswith("#!"))
    if not program:
        return
    if not any("SPDX-License-Identifier: GPL-2.0-or-later" in line for line in lines[:3]):
        yield 1, "no SPDX line on top"
    if len(lines) > FILE_LINES:
        yield len(lines), f"{len(lines)} lines, more than {FILE_LINES}"
    for number, line in enumerate(lines, 1):
        if width(line) > COLUMNS:
            yield number, f"{width(line)} columns, more than {COLUMNS}"
        if line != line.rstrip():
            yield number, "blanks at the end of the line"
        if LEFTOVER.search(line):
            yield number, "a leftover: file an issue instead"
    if name.endswith((".c", ".h")):
        yield from c_faults(name, text)


def main():
    count = seen = 0
    for name in files():
        try:
            with open(os.path.join(ROOT, name), encoding="utf-8") as file:
                text = file.read()
        except UnicodeDecodeError:
            continue
        seen += 1
        for number, what in faults(name, text):
            print(f"{name}:{number}: {what}")
            count += 1
    print(f"{seen} files, {count} faults")
    return 1 if count or not seen else 0


if __name__ == "__main__":
    sys.exit(main())
