# SPDX-License-Identifier: GPL-2.0-or-later
"""
The host without the agent: what its admin has and does, in pure Python. It mirrors the
manners of tests/fake_kernel.h for foreign objects: what goes with a device or an address.
"""

import copy
import ipaddress

MAIN, STATIC, KERNEL = 254, 4, 2
GROUP, PROTOCOL = 0x69706970, 105
LINK_FIELDS = ("driver", "local", "remote", "underlay", "ttl", "tos", "pmtudisc", "proto",
               "fwmark", "encap", "external", "mtu", "up", "group", "alias")
ANY = "0.0.0.0"
WILD = "*"  # a field that the documents leave open in this state


def number(address):
    return int(ipaddress.IPv4Address(address))


def network(prefix):
    return ipaddress.ip_network(prefix, strict=False)


def covers(prefix, address):
    return ipaddress.IPv4Address(address) in network(prefix)


def parse(lines):
    """The fake's `state`: (noun, key) -> fields, all text."""
    objects = {}
    for line in lines:
        words = line.split(" ")
        at = next((i for i, word in enumerate(words) if "=" in word), len(words))
        fields, name = {}, None
        for word in words[at:]:
            if "=" in word:
                name, word = word.split("=", 1)
                fields[name] = word
            else:
                fields[name] += " " + word
        objects[words[0], " ".join(words[1:at])] = fields
    return objects


class World:
    """Foreign objects, and every device's sysctls as they should be now."""

    def __init__(self):
        self.links = {}      # device -> fields
        self.addrs = set()   # (device, "a.b.c.d/n"), foreign ones, on any device
        self.routes = {}     # (table, dst, metric) -> fields
        self.rules = set()   # key texts
        self.sysctls = {}    # (device, name) -> value
        self.ip_forward = 0
        self.default_rp_filter = 0
        self.ours = set()    # devices that the agent made and that stand
        self.remade = set()  # of those, what was made such that it must be made anew
        self.new_link("lo", mtu="65536")
        self.add_addr("lo", "127.0.0.1/8")

    def copy(self):
        return copy.deepcopy(self)

    def devices(self):
        return set(self.links) | self.ours

    def birth(self, device):
        self.sysctls[device, "forwarding"] = self.ip_forward
        self.sysctls[device, "rp_filter"] = self.default_rp_filter

    def new_link(self, device, **fields):
        base = dict.fromkeys(LINK_FIELDS, "0")
        base.update(driver="", local=ANY, remote=ANY, underlay="", pmtudisc="false",
                    external="false", mtu="1500", up="true", alias="")
        base.update(fields)
        self.links[device] = base
        self.birth(device)

    def drop_device(self, device, ours=frozenset()):
        """Everything that goes with it. Routes elsewhere lose the source that it had, too."""
        for owner, prefix in sorted(self.addrs):
            if owner == device:
                self.delete_addr(device, prefix, ours)
        self.links.pop(device, None)
        self.ours.discard(device)
        self.remade.discard(device)
        self.addrs = {a for a in self.addrs if a[0] != device}
        self.drop_routes(device)
        for name in ("forwarding", "rp_filter"):
            self.sysctls.pop((device, name), None)

    def drop_routes(self, device):
        self.routes = {k: r for k, r in self.routes.items() if r["device"] != device}

    def add_addr(self, device, prefix):
        self.addrs.add((device, prefix))
        if device in self.links and self.links[device]["up"] == "true":
            self.connect(device, prefix)

    def connect(self, device, prefix):
        if prefix.endswith("/32"):
            return
        self.routes[MAIN, str(network(prefix)), 0] = {
            "type": "unicast", "device": device, "gateway": ANY,
            "prefsrc": prefix.split("/")[0], "scope": "253", "protocol": str(KERNEL)}

    def set_up(self, device, up):
        link = self.links[device]
        if link["up"] == ("true" if up else "false"):
            return
        link["up"] = "true" if up else "false"
        if not up:
            self.drop_routes(device)
        for owner, prefix in sorted(self.addrs):
            if up and owner == device:
                self.connect(device, prefix)

    def own(self, address, ours=()):
        """Is it an address of this host? ours: those of the agent, (device, prefix)."""
        return any(p.split("/")[0] == address for _, p in set(ours) | self.addrs)

    def delete_addr(self, device, prefix, ours):
        """ours: the agent's addresses that stand meanwhile."""
        self.addrs.discard((device, prefix))
        left = self.addrs | set(ours)
        address = prefix.split("/")[0]
        if not any(p.split("/")[0] == address for _, p in left):
            self.routes = {k: r for k, r in self.routes.items() if r["prefsrc"] != address}
        if not any(d == device for d, _ in left):
            self.drop_routes(device)

    def lookup(self, to, oif=""):
        """Of main, as the agent's own question is answered: (device, source, mtu) or None.
        A source may be WILD, or ANY where there is none."""
        best = None
        for (table, dst, metric), route in self.routes.items():
            if table != MAIN or not covers(dst, to) or (oif and route["device"] != oif):
                continue
            rank = (network(dst).prefixlen, -metric)
            if best is None or rank > best[0]:
                best = rank, route
        if best is None or best[1]["device"] not in self.links:
            return None
        device, source = best[1]["device"], best[1]["prefsrc"]
        if source == ANY:
            mine = sorted((number(p.split("/")[0]), p) for d, p in self.addrs if d == device)
            source = mine[0][1].split("/")[0] if mine else ANY
        return device, source, int(self.links[device]["mtu"])

    # One line of a script, as tests/fake_kernel.h has it. False: it cannot be done now.

    def run(self, line, known):
        """known: of the agent, `addresses` that stand; `endpoints` of every tunnel there."""
        words = line.split()
        method = getattr(self, "do_" + words[0].replace("-", "_"))
        return method(words[1:], known) is not False

    def do_link(self, words, known):
        device, options = words[0], words[1:]
        if (device in self.devices()) == ("driver" in options or not options):
            return False  # a driver is for a new one, other options for one that is there
        if device not in self.devices():
            self.new_link(device)
        if device in self.ours and options[0] == "group" and len(options) == 4:
            if any(r["device"] == device for r in self.routes.values()):
                return False  # its addresses go, and come again when it is found equal
            self.links[device] = dict(known["links"][device])  # without our marks: not ours
            self.ours.discard(device)
        while options:
            word = options.pop(0)
            if word in ("up", "down"):
                if device in self.links:
                    self.set_up(device, word == "up")
                elif word == "down":
                    self.drop_routes(device)
                continue
            value = options.pop(0)
            if device in self.links:
                self.links[device][word] = value
            elif word == "remote" and value == ANY:
                self.remade.add(device)
        return True

    def do_foreign_link(self, words, known):
        device, driver, local, remote = words
        if device in self.devices() or (local, remote, "") in known["endpoints"]:
            return False
        self.new_link(device, driver=driver, local=local, remote=remote, mtu="1480",
                      pmtudisc="true", proto="4", ttl="64")
        return True

    def do_addr(self, words, known):
        device, prefix = words
        if device not in self.devices():
            return False
        if (device, prefix) in known["addresses"]:
            return True
        for owner, other in self.addrs | known["addresses"]:
            if owner != device and network(other) == network(prefix):
                return False  # the fake has one route of a prefix, the kernel one a device
        self.add_addr(device, prefix)
        return True

    def do_route(self, words, known):
        dst = "0.0.0.0/0" if words[0] == "default" else words[0]
        options = dict(zip(words[1::2], words[2::2]))
        device = options["dev"]
        if device not in self.devices():
            return False
        if device in self.links and self.links[device]["up"] != "true":
            return False
        key = (int(options.get("table", MAIN)), dst, int(options.get("metric", 0)))
        if key in known["routes"]:
            return False
        source = options.get("src", ANY)
        if source != ANY and not self.own(source, known["addresses"]):
            return False
        self.routes[key] = {
            "type": "unicast", "device": device, "gateway": options.get("via", ANY),
            "prefsrc": source, "scope": "0", "protocol": options.get("protocol", str(STATIC))}
        return True

    def do_rule(self, words, _):
        options = dict(zip(words[1::2], words[2::2]))
        self.rules.add(f"{words[0]} {options.get('from', '0.0.0.0/0')} 0 0 lookup "
                       f"{options['lookup']} {options.get('suppress', -1)} 0 "
                       f"{options.get('protocol', STATIC)}")

    def do_element(self, _words, _known):
        """Of somebody else, into a set of ours: it is not to stay."""
        return True

    def do_delete(self, words, known):
        noun = words[0]
        if noun == "link":
            if words[1] not in self.devices():
                return False
            self.drop_device(words[1], {a for a in known["addresses"] if a[0] != words[1]})
        elif noun == "addr":
            if (words[1], words[2]) not in known["addresses"] | self.addrs:
                return False
            ours = known["addresses"] - {(words[1], words[2])}
            self.delete_addr(words[1], words[2], ours)
        elif noun == "route":
            options = dict(zip(words[2::2], words[3::2]))
            dst = "0.0.0.0/0" if words[1] == "default" else words[1]
            self.routes.pop((int(options.get("table", MAIN)), dst,
                             int(options.get("metric", 0))), None)
        elif noun == "rule":
            self.rules = {r for r in self.rules if r.split()[0] != words[1]}
        return True

    def do_flush(self, _words, _known):
        return True

    def do_sysctl(self, words, _):
        if words[0] == "ip_forward":
            was, self.ip_forward = self.ip_forward, int(words[1])
            if was == self.ip_forward:
                return True  # the kernel rewrites every device when it changes alone
            for device, name in self.sysctls:
                if name == "forwarding":
                    self.sysctls[device, name] = self.ip_forward
        elif words[0] == "default":
            self.default_rp_filter = int(words[2])
        elif (words[0], words[1]) not in self.sysctls:
            return False
        else:
            self.sysctls[words[0], words[1]] = int(words[2])
        return True
