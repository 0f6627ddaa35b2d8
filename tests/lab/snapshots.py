# SPDX-License-Identifier: GPL-2.0-or-later
"""What a namespace has of the kernel, as text."""
import glob
import os
import re

from namespaces import eventually, inside, run

_NOISE = (
    (re.compile(r"^\d+: "), ""),
    (re.compile(r"@if\d+"), "@peer"),
    (re.compile(r" (link-netnsid|iif|link-netns) \S+(?= |$)"), ""),
    (re.compile(r"\\? +valid_lft \S+ preferred_lft \S+"), ""),
    (re.compile(r" expires \d+sec"), ""),
    (re.compile(r"packets \d+ bytes \d+"), "packets N bytes N"),
    (re.compile(r"(hop_timer|gc_timer|tcn_timer|topology_change_timer|hello_timer) +\S+"), r"\1"),
)
_VOLATILE = re.compile(r"/(stable_secret|flush|mc_forwarding)$|/conf/tunl0/|/neigh/|/route/"
                       r"|/tcp_fastopen_key$|/conf/\*/mtu$|ip6tnl0|sit0")


def _lines(text, keep_order=False):
    lines = []
    for line in text.splitlines():
        if re.search(r"\btunl0\b", line):
            continue
        for pattern, replacement in _NOISE:
            line = pattern.sub(replacement, line)
        lines.append(line.rstrip())
    return lines if keep_order else sorted(lines)


def _sysctls():
    found = {}
    for folder in ("/proc/sys/net/ipv4", "/proc/sys/net/ipv6"):
        for path in (glob.glob(f"{folder}/*") + glob.glob(f"{folder}/conf/*/*")):
            if os.path.isdir(path) or _VOLATILE.search(path):
                continue
            try:
                with open(path, "rb") as file:
                    found[path] = file.read().decode(errors="replace").strip()
            except OSError:
                continue
    return [f"{path} = {value}" for path, value in sorted(found.items())]


def snapshot(ns, sysctls=True):
    """Links, addresses, routes, rules, nftables and sysctls as text to be compared."""
    eventually(lambda: not run(ns, "ip", "-6", "-o", "address", "show", "tentative"), 20,
               "IPv6 addresses to settle")
    parts = []
    with inside(ns):
        four = run(None, "ip", "-d", "-o", "-batch", "-", stdin="link show\naddress show\n"
                   "route show table all\n")
        rules = run(None, "ip", "rule", "show")
        six = run(None, "ip", "-6", "-o", "-batch", "-",
                  stdin="route show table all\nrule show\n")
        ruleset = run(None, "nft", "list", "ruleset")
        values = _sysctls() if sysctls else []
    for title, lines in (("ip", _lines(four)), ("rules", _lines(rules, True)),
                         ("ip -6", _lines(six)), ("nft", _lines(ruleset, True)),
                         ("sysctl", values)):
        parts.append(f"## {title}")
        parts.extend(lines)
    return "\n".join(parts) + "\n"


def rule_lines(ns):
    return [line.strip() for line in run(ns, "ip", "rule", "show").splitlines()]


def our_routes(ns):
    """The routes of protocol 105, with their tables."""
    return run(ns, "ip", "-N", "route", "show", "table", "all", "proto", "105").splitlines()


def route_get(ns, to, *more):
    return run(ns, "ip", "route", "get", to, *more, check=False).out.split("\n")[0]
