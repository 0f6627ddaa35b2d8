#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What systemd itself has to say of its units: no word, and an exposure of at most 2.0."""
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
UNITS = os.path.join(ROOT, "packaging/systemd")
THRESHOLD = 20  # tenths


def install(folder):
    """As the build does: where the program is stands in the unit."""
    shutil.copy(os.path.join(UNITS, "ipipd.socket"), folder)
    shutil.copy("/bin/true", os.path.join(folder, "ipipd"))
    with open(os.path.join(UNITS, "ipipd.service.in"), encoding="utf-8") as file:
        text = file.read()
    with open(os.path.join(folder, "ipipd.service"), "w", encoding="utf-8") as file:
        file.write(text.replace("@CMAKE_INSTALL_FULL_SBINDIR@", folder))


def analyze(*arguments):
    return subprocess.run(["systemd-analyze", "--no-pager", *arguments], text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def main():
    with tempfile.TemporaryDirectory() as folder:
        install(folder)
        units = [os.path.join(folder, name) for name in ("ipipd.service", "ipipd.socket")]
        verified = analyze("verify", "--man=no", *units)
        secure = analyze("security", "--offline=yes", f"--threshold={THRESHOLD}", units[0])
    print(verified.stdout, end="")
    if secure.returncode:
        print(secure.stdout, end="")
    else:
        print(secure.stdout.splitlines()[-1])
    return 1 if verified.stdout or verified.returncode or secure.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
