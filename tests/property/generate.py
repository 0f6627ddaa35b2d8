# SPDX-License-Identifier: GPL-2.0-or-later
"""
Random actions, as plain lists that JSON can hold: a run is a list of them, so that a failing
one can be repeated and made shorter. What does not apply when its turn comes is passed over.
"""

import json

from oracle import device_of

HOST = [
    "link eth0", "addr eth0 172.16.16.22/24", "route default dev eth0 via 172.16.16.1",
    "link eth1", "addr eth1 10.1.0.1/16",
]
KINDS = {"tunnels": "tunnels", "exit-routes": "exit_routes", "nat-rules": "nat_rules"}
TUNNELS = [f"t{i}" for i in range(6)]
EXITS = [f"e{i}" for i in range(5)]
RULES = [f"n{i}" for i in range(5)]
SPARE = ["x0", "x1", "x2"]
REMOTES = [f"172.16.1.{i}" for i in range(1, 9)] + ["10.1.7.1", "10.1.7.2", "172.16.16.50"]
LOCALS = ["172.16.16.22", "172.16.16.22", "172.16.16.23", "10.1.0.1"]
DESTINATIONS = ["0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "8.0.0.0/8", "8.8.0.0/16",
                "8.8.8.0/24", "8.8.8.8/32", "180.163.26.39/32", "9.0.0.0/8"]
FROM = ["10.1.0.0/16", "10.1.2.0/24", "10.1.2.3/32", "192.168.7.0/24", "0.0.0.0/0"]
SOURCES = ["192.168.0.0/16", "192.168.0.0/24", "192.168.1.0/24", "192.168.1.7/32", "10.1.0.0/16",
           "0.0.0.0/0", "240.0.0.0/4", "255.255.255.255/32", "128.0.0.0/1", "10.2.3.4/32"]
ERRORS = ["EPERM", "ENOMEM", "EBUSY", "EINVAL", "ENODEV", "EEXIST", "ENOBUFS"]

BAD = [
    ("PUT", "/v1/tunnels/t0", {"remote": "172.16.1.1", "ttl": 256}),
    ("PUT", "/v1/tunnels/t1", {"remote": "172.16.1.1", "tos": 3}),
    ("PUT", "/v1/tunnels/t1", {"remote": "none"}),
    ("PUT", "/v1/tunnels/t2", {"local": "172.16.16.22"}),
    ("PUT", "/v1/tunnels/t2", {"remote": "172.16.1.2", "path_mtu_discovery": False}),
    ("PUT", "/v1/tunnels/t3", {"remote": "172.16.1.2", "device": "tunl0"}),
    ("PUT", "/v1/tunnels/t3", {"remote": "172.16.1.2", "colour": "red"}),
    ("PUT", "/v1/tunnels/t3", {"remote": "172.16.1.2", "generation": 99999}),
    ("POST", "/v1/tunnels", {"remote": "172.16.1.2"}),
    ("PUT", "/v1/exit-routes/e0", {"tunnel": "none", "destinations": ["8.0.0.0/8"]}),
    ("PUT", "/v1/exit-routes/e1", {"tunnel": "t0", "destinations": []}),
    ("PUT", "/v1/exit-routes/e1", {"tunnel": "t0", "destinations": ["8.8.8.8/8"]}),
    ("PUT", "/v1/nat-rules/n0", {"sources": ["10.0.0.0/8"]}),
    ("PUT", "/v1/nat-rules/n1", {"sources": ["10.0.0.0/8"], "out_interface": "eth0",
                                 "action": "snat"}),
    ("PUT", "/v1/nat-rules/n2", {"sources": ["10.0.0.0/8"], "out_interface": "eth0",
                                 "priority": 65536}),
    ("PUT", "/v1/config", {"tunnels": [{"name": "t0", "remote": "172.16.1.1"},
                                       {"name": "t0", "remote": "172.16.1.2"}]}),
    ("PUT", "/v1/config", {"tunnels": [{"name": "t0", "remote": "172.16.1.1"},
                                       {"name": "t1", "remote": "172.16.1.1"}]}),
    ("PUT", "/v1/config", {"exit_routes": [{"name": "e0", "tunnel": "t0",
                                            "destinations": ["8.0.0.0/8"]}]}),
    ("PUT", "/v1/config", {"nat_rules": [{"name": "n0"}]}),
    ("PUT", "/v1/config", "{"),
    ("DELETE", "/v1/tunnels/none", None),
    ("PATCH", "/v1/nat-rules/none", {"priority": 1}),
]


class Generator:
    def __init__(self, random):
        self.random = random

    def some(self, pool, least, most):
        return self.random.sample(pool, self.random.randint(least, min(most, len(pool))))

    def chance(self, probability):
        return self.random.random() < probability

    # documents

    def tunnel(self, name):
        r = self.random
        doc = {"remote": r.choice(REMOTES)}
        i = TUNNELS.index(name)
        if self.chance(0.7):
            doc["local"] = r.choice(LOCALS)
        elif self.chance(0.2):
            doc["local"] = "auto"
        doc["addresses"] = self.some([f"192.168.{i}.1/24", f"192.168.{i}.2/32",
                                      f"192.168.{i + 100}.1/30", "192.168.200.1/32"], 1, 3)
        for member, probability, values in (
                ("device", 0.25, SPARE), ("underlay", 0.1, ["eth0", "eth1", "dum0"]),
                ("mtu", 0.3, ["auto", 1400, 68, 65515]), ("ttl", 0.2, [1, 64, 255]),
                ("tos", 0.2, [0, 4, 252, "inherit"]), ("mss_clamp", 0.2, [False, True]),
                ("rp_filter", 0.4, ["keep", "off", "strict", "loose"]),
                ("enabled", 0.2, [False, True]), ("adopt", 0.15, [True, False]),
                ("comment", 0.1, ["a", "b"])):
            if self.chance(probability):
                doc[member] = r.choice(values)
        if self.chance(0.05):
            doc.update(ttl=0, path_mtu_discovery=False)
        if self.chance(0.3):
            doc["allowed_sources"] = self.some(SOURCES, 0, 3)
        if self.chance(0.05):
            del doc["addresses"]
        return doc

    def exit_route(self, declaration):
        r = self.random
        doc = {"tunnel": r.choice(sorted(declaration["tunnels"]) or ["t0"]),
               "destinations": self.some(DESTINATIONS, 1, 3)}
        if self.chance(0.3):
            doc["metric"] = r.choice([0, 5, 4294967295])
        if self.chance(0.4):
            doc["from"] = self.some(FROM, 0, 3)
        if self.chance(0.15):
            i = r.randrange(len(TUNNELS))
            doc["source"] = r.choice([f"192.168.{i}.1", f"192.168.{i}.2", "192.168.200.1"])
        if self.chance(0.2):
            doc["enabled"] = r.choice([False, True])
        if self.chance(0.1):
            doc["adopt"] = True
        return doc

    def nat_rule(self):
        r = self.random
        doc = {"sources": self.some(SOURCES, 1, 3),
               "out_interface": r.choice(["eth0"] * 4 + ["eth1", "eth9", "dum0", "t1", "x0"])}
        doc["action"] = r.choice(["masquerade", "snat", "none"])
        if doc["action"] == "snat":
            doc["to_address"] = r.choice(["172.16.16.22", "172.16.16.23", "10.1.0.1"])
        if doc["action"] == "masquerade" and self.chance(0.5):
            del doc["action"]
        if self.chance(0.35):
            doc["in_interface"] = r.choice(["eth1", "t0", "t1", "x0", "dum0"])
        if self.chance(0.35):
            doc["destinations"] = self.some(DESTINATIONS, 0, 3)
        if self.chance(0.6):
            doc["priority"] = r.choice([50, 100, 200])
        if self.chance(0.2):
            doc["enabled"] = r.choice([False, True])
        return doc

    def document(self, kind, declaration):
        if kind == "tunnels":
            name = self.random.choice(TUNNELS)
            return name, self.tunnel(name)
        if kind == "exit-routes":
            return self.random.choice(EXITS), self.exit_route(declaration)
        return self.random.choice(RULES), self.nat_rule()

    # actions of a client

    def write(self, declaration):
        r = self.random
        kind = r.choice(["tunnels", "tunnels", "exit-routes", "nat-rules"])
        name, doc = self.document(kind, declaration)
        have = declaration[KINDS[kind]]
        choice = r.random()
        if have and choice < 0.25:
            name = r.choice(sorted(have))
            return ["delete", kind, name]
        if have and choice < 0.55:
            name = r.choice(sorted(have))
            return ["patch", kind, name, self.patch(kind, name, have[name], declaration)]
        return ["post" if choice > 0.9 else "put", kind, name, doc]

    def patch(self, kind, name, have, declaration):
        fresh = (self.tunnel(name) if kind == "tunnels" else
                 self.exit_route(declaration) if kind == "exit-routes" else self.nat_rule())
        if self.chance(0.3):
            return {"enabled": not have.get("enabled", True)}
        members = sorted(set(fresh) | set(have))
        return {m: fresh.get(m) for m in self.some(members, 1, 3)}

    def config(self, declaration):
        r = self.random
        doc = json.loads(json.dumps(declaration))
        tunnels = doc["tunnels"]
        if len(tunnels) > 1 and self.chance(0.5):
            self.exchange(tunnels)
        else:
            for _ in range(r.randint(1, 4)):
                kind = r.choice(sorted(KINDS))
                name, fresh = self.document(kind, doc)
                if self.chance(0.3):
                    doc[KINDS[kind]].pop(name, None)
                else:
                    doc[KINDS[kind]][name] = fresh
        return ["config", doc, self.chance(0.7)]

    def exchange(self, tunnels):
        """Endpoints or devices go round among some tunnels."""
        names = self.some(sorted(tunnels), 2, 3)
        docs = [tunnels[name] for name in names]
        if self.chance(0.6):
            values = [{m: d.get(m) for m in ("remote", "local", "underlay")} for d in docs]
        else:
            values = [{"device": device_of(n, d)} for n, d in zip(names, docs)]
        for doc, value in zip(docs, values[1:] + values[:1]):
            for member, v in value.items():
                doc.pop(member, None)
                if v is not None:
                    doc[member] = v

    # actions of the admin, and of fate

    def disturbance(self, declaration):
        r = self.random
        devices = sorted({device_of(n, t) for n, t in declaration["tunnels"].items()}) or ["t0"]
        lines = [self.line(declaration, devices) for _ in range(r.choice([1, 1, 1, 2, 3]))]
        return ["script", lines]

    def line(self, declaration, devices):
        if self.chance(0.6):
            return self.against_us(devices)
        if self.chance(0.6):
            return self.underlay()
        return self.foreign(declaration, devices)

    def against_us(self, devices):
        r = self.random
        d = r.choice(devices)
        dst, length = r.choice(DESTINATIONS), r.randint(0, 32)
        return r.choice([
            f"link {d} down", f"delete link {d}", f"delete link {d}",
            f"link {d} {r.choice(['mtu 1300', 'ttl 9', 'remote 192.0.2.1', 'local 192.0.2.2'])}",
            f"link {d} remote 0.0.0.0", f"link {d} group 7", f"link {d} alias mine",
            f"link {d} remote 192.0.2.{r.randint(3, 250)} ttl 3 mtu 999 down",
            f"delete addr {d} 192.168.{r.randrange(6)}.1/24", f"delete addr {d} 192.168.200.1/32",
            f"delete route {dst} table 7000", f"delete route {dst} table {7000 + r.randint(1, 5)}",
            f"delete route {dst} table 7000 metric 5", "delete rule 9999", "delete rule 7000",
            "delete rule 7005", f"delete rule {7010 + 66 * 32 + 2 * (32 - length)}",
            "flush nft", "delete set tunnels", "delete set opened", "delete set clamped",
            "delete chain nat", "delete chain forward", "delete chain clamp",
            "delete chain sources", f"delete set allowed_{d}",
            f"element allowed_{d} 203.0.113.0/24", f"@element {r.randrange(50)}",
            f"@delete element {r.randrange(50)}", f"link {d} group 7 alias mine",
            f"sysctl {d} forwarding {r.randint(0, 1)}",
            f"sysctl {d} rp_filter {r.randint(0, 2)}", "sysctl eth0 forwarding 0"])

    def underlay(self):
        r = self.random
        d = r.choice(["eth0", "eth0", "eth1"])
        return r.choice([
            f"link {d} mtu {r.choice([1400, 1500, 9000, 60])}", f"link {d} down", f"link {d} up",
            "addr eth0 172.16.16.23/24", "addr eth0 172.16.17.1/24", "addr eth1 10.1.0.2/16",
            "delete addr eth0 172.16.16.22/24", "addr eth0 172.16.16.22/24",
            "delete addr eth0 172.16.16.23/24", "delete addr eth0 172.16.17.1/24",
            "delete addr eth1 10.1.0.1/16", "addr eth1 10.1.0.1/16",
            "delete route default", "route default dev eth0 via 172.16.16.1",
            "route default dev eth1 via 10.1.0.9", "route default dev eth0 via 172.16.16.9 "
            "src 172.16.16.22", "route 172.16.1.0/24 dev eth1 via 10.1.0.8",
            "delete route 172.16.1.0/24", "delete link eth1", "link eth1"])

    def foreign(self, declaration, devices):
        r = self.random
        d = r.choice(devices)
        tunnels = list(declaration["tunnels"].values())
        remote = r.choice(tunnels)["remote"] if tunnels else r.choice(REMOTES)
        address = r.choice(r.choice(tunnels).get("addresses") or ["192.168.0.1/24"]
                           ) if tunnels else "192.168.0.1/24"
        dst = r.choice(DESTINATIONS)
        return r.choice([
            f"link {d} driver dummy", "link dum0 driver dummy", "link dum1 driver veth up",
            "delete link dum0", "delete link dum1", "addr dum0 10.77.0.1/24",
            f"foreign-link {d} ipip 172.16.16.22 {remote}",
            f"foreign-link {r.choice(TUNNELS + SPARE)} ipip 172.16.16.22 {remote}",
            f"foreign-link other ipip 172.16.16.22 {remote}",
            f"foreign-link other ipip 10.1.0.1 {remote}", "delete link other",
            f"addr {d} {address}", f"addr {d} 10.99.{r.randrange(3)}.1/32",
            f"delete addr {d} {address}",
            f"route {dst} dev {r.choice([d, 'eth0'])} table 7000", f"delete route {dst} table 7000",
            f"route 203.0.113.0/24 dev {r.choice([d, 'eth0'])}",
            "route 203.0.113.0/24 dev eth0 table 50", "delete route 203.0.113.0/24",
            "rule 100 from 10.9.0.0/16 lookup 50", "rule 7000 from 10.9.0.0/16 lookup 50",
            "rule 9999 from 10.9.0.0/16 lookup 51", "rule 7005 lookup 52", "delete rule 100",
            "sysctl ip_forward 1", "sysctl ip_forward 0", "sysctl ip_forward 0",
            f"sysctl {r.choice(['eth0', 'eth1', d])} forwarding {r.randint(0, 1)}",
            f"sysctl default rp_filter {r.randint(0, 2)}",
            f"sysctl {r.choice(['eth0', d])} rp_filter {r.randint(0, 2)}"])

    def trouble(self, declaration):
        """Calls fail for a while, in which the client goes on."""
        r = self.random
        if self.chance(0.2):
            lines = [f"refuse-observe {r.choice(['EINTR', 'ENOBUFS'])}"]
        else:
            nouns = ["*", "link", "address", "route", "rule", "sysctl", "nft-chain",
                     "nft-element"]
            lines = [f"fail {r.choice(nouns)} {r.choice(['*', '*', 'add', 'delete', 'change'])} "
                     f"{r.choice(['*', '*', 't?*', '*1*'])} {r.choice(ERRORS)} no"
                     for _ in range(r.randint(1, 2))]
        inner = [self.write(declaration) for _ in range(r.randint(0, 3))]
        if self.chance(0.3):
            inner.append([r.choice(["stop", "kill"])])
        return ["trouble", lines, inner]

    def action(self, declaration):
        choice = self.random.random()
        if choice < 0.40:
            return self.write(declaration)
        if choice < 0.50:
            return self.config(declaration)
        if choice < 0.56:
            return ["bad", self.random.randrange(len(BAD))]
        if choice < 0.90:
            return self.disturbance(declaration)
        if choice < 0.95:
            return self.trouble(declaration)
        if choice < 0.98:
            return [self.random.choice(["stop", "kill"])]
        # the admin does something while no agent runs
        return ["down", self.random.choice(["stop", "kill"]), self.disturbance(declaration)[1]]
