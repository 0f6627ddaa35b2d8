#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Which layer of src/ may include what: the picture of the layers, as a test."""
import fnmatch
import glob
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# layer: the layers that it sees, besides itself
LAYERS = {
    "base": [],
    "model": ["base"],
    "plan": ["base", "model"],
    "codec": ["base", "model"],
    "store": ["base", "model"],
    "kernel": ["base", "model"],
    "daemon": ["base", "model", "plan", "codec", "store", "kernel"],
    "cli": ["base", "model", "codec"],
}

# header of a library: the files of src/ where it may appear
LIBRARIES = {
    "jansson*.h": ["codec/*", "cli/*", "daemon/api*"],
    "sqlite3*.h": ["store/*"],
    "netlink/*": ["kernel/*"],
    "libnftnl/*": ["kernel/*"],
    "libmnl/*": ["kernel/*"],
    "microhttpd.h": ["daemon/http*"],
    "gnutls/*": ["daemon/http*", "daemon/digest.c", "cli/token.c",
                 "cli/trust.c"],
    "ini.h": ["daemon/conf.c"],
    "curl/*": ["cli/*"],
    "cmocka.h": [],
}


def faults(path, text):
    """What is wrong with the #include lines of one file, its path relative to src/."""
    layer = path.split("/")[0]
    if layer not in LAYERS:
        yield 1, f"{layer}/ is no layer"
        return
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*#\s*include\s+(["<])([^">]+)[">]', line)
        if not match:
            continue
        quoted, name = match.group(1) == '"', match.group(2)
        if quoted:
            target = name.split("/")[0]
            if "/" not in name:
                yield number, f'"{name}": say the layer, "{layer}/{name}"'
            elif target != layer and target not in LAYERS[layer]:
                yield number, f"{layer} must not see {target} ({name})"
        for pattern, places in LIBRARIES.items():
            if fnmatch.fnmatch(name, pattern) and not any(
                    fnmatch.fnmatch(path, place) for place in places):
                yield number, f"<{name}> may be included by {', '.join(places) or 'tests'} only"


def self_test():
    assert list(faults("plan/x.c", '#include "codec/json.h"'))
    assert list(faults("daemon/api.c", "#include <microhttpd.h>"))
    assert not list(faults("daemon/http.c", '#include <microhttpd.h>\n#include "model/op.h"'))


def main():
    self_test()
    count = seen = 0
    for path in sorted(glob.glob(os.path.join(ROOT, "src/**/*.[ch]"), recursive=True)):
        seen += 1
        with open(path, encoding="utf-8") as file:
            for number, text in faults(os.path.relpath(path, ROOT + "/src"), file.read()):
                print(f"{os.path.relpath(path, ROOT)}:{number}: {text}")
                count += 1
    print(f"{seen} files, {count} faults")
    return 1 if count or not seen else 0


if __name__ == "__main__":
    sys.exit(main())
