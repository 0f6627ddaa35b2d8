# SPDX-License-Identifier: GPL-2.0-or-later
"""Plays actions on an agent with a fake kernel, and holds what is seen against the oracle."""

import ipaddress
import json
import re
import time

import api
import generate
import packets
from declaration import faults
from generate import KINDS
from oracle import Oracle, WILD, device_of, enabled
from world import ANY, MAIN, PROTOCOL, World, network, parse

ID = re.compile(r"^ipipd:[0-9a-f]{8}:")
HOSTS_OWN = {"lo", "eth0", "eth1", "dum0", "dum1"}


class Failure(AssertionError):
    pass


class BusyAgent(api.Agent):
    """What it does takes a while, and its client is connected already: so the next write comes
    between two rounds of a pass."""

    connection = None

    def environment(self, **more):
        return super().environment(IPIPD_FAILPOINT="fake.apply:1+=pause", **more)

    def start(self):
        if self.connection:
            self.connection.close()
        self.connection = api.Connection(self.socket)
        return super().start()

    def ask(self, method, path, body=None, headers=None, connection=None):
        return super().ask(method, path, body, headers, connection or self.connection)

    def clean(self):
        self.connection.close()
        super().clean()


class Player:
    world_class = World
    patience_s = 8
    every = 3  # such a disturbance is left to the agent, unasked

    def __init__(self):
        self.agent = self.make_agent()
        self.world, self.oracle = self.world_class(), Oracle()
        self.declaration = {member: {} for member in KINDS.values()}
        self.unsettled = 0       # writes since the last quiescence
        self.checked_nft = None  # what was compared last
        self.seen = {}           # at the last quiescence
        self.steps = self.late = 0
        for line in generate.HOST:
            self.world.run(line, self.known({}))
        self.agent.kernel(*generate.HOST)
        self.agent.start()
        self.settle()
        self.script_is_done()

    @staticmethod
    def make_agent():
        return BusyAgent()

    def close(self):
        self.agent.clean()

    # what is there

    def objects(self):
        return parse(self.agent.objects())

    def known(self, objects):
        links = {key: f for (noun, key), f in objects.items() if noun == "link"}
        return {
            "addresses": set(self.oracle.expected.addresses),
            "links": links,
            "endpoints": {(f["local"], f["remote"], f["underlay"]) for f in links.values()
                          if f["driver"] == "ipip"},
            "routes": {(int(k[0]), k[1], int(k[2])) for k, f in (
                (key.split(), f) for (noun, key), f in objects.items() if noun == "route")
                if f["protocol"] == str(PROTOCOL)}}

    # quiescence

    def settle(self, ask=True):
        """Lets the agent come to rest and compares everything."""
        expected = self.oracle.settle(self.declaration, self.world)
        self.unsettled = 0
        end = time.monotonic() + self.patience_s
        pause, looks = 0.005, 0
        while True:
            if ask:
                self.reconcile()
            objects = self.objects()
            diff = self.compare(expected, objects)
            looks += 1
            if not diff:
                self.seen = objects
                self.late += looks > 1 and ask
                return
            if time.monotonic() > end:
                raise Failure("after quiescence:\n  " + "\n  ".join(diff))
            time.sleep(pause)
            pause = min(pause * 2, 0.5)

    def reconcile(self):
        answer = self.agent.post("/v1/reconcile")
        if answer.status not in (200, 503):
            raise Failure(f"POST /v1/reconcile: {answer}")

    def compare(self, expected, objects):
        diff = []
        have = self.normal(expected, objects, diff)
        want = {key: f for key, f in expected.objects.items()
                if not self.is_left_out(key, f, expected)}
        for key in sorted(set(have) | set(want)):
            text = " ".join(key)
            if key not in have:
                if want[key] != WILD:
                    diff.append(f"- {text} {self.text(want[key])}")
            elif key not in want:
                diff.append(f"+ {text} {self.text(have[key])}")
            elif want[key] != WILD:
                wrong = [f"{n}={have[key].get(n)} not {v}" for n, v in want[key].items()
                         if v not in (WILD, have[key].get(n))]
                if wrong:
                    diff.append(f"! {text} {', '.join(wrong)}")
        if not diff:
            diff = self.compare_nft(expected, objects)
        return diff

    @staticmethod
    def text(fields):
        return " ".join(f"{n}={v}" for n, v in fields.items())

    def compare_nft(self, expected, objects):
        nft = {k: f for k, f in objects.items() if k[0].startswith("nft-")}
        key = repr((nft, self.declaration["nat_rules"], expected.usable, expected.opened,
                    self.world.ip_forward, self.world.sysctls))
        if key == self.checked_nft:
            return []
        diff = packets.compare(self.declaration, expected, self.world, nft)
        self.checked_nft = None if diff else key
        return diff

    @staticmethod
    def is_left_out(key, fields, expected):
        """Connected routes of inner addresses; what stands on a device that is blind."""
        noun, words = key[0], key[1].split()
        if noun == "rule" and words[0] == "7000" and words[8] == str(PROTOCOL):
            return expected.unknown_own
        if noun == "route" and fields != WILD:
            inner = ipaddress.ip_network("192.168.0.0/16")
            if words[0] == str(MAIN) and fields["protocol"] == "2" and (
                    network(words[1]).subnet_of(inner)
                    or fields["device"] in set(expected.usable)):
                return True
            return fields["device"] in expected.blind
        return noun in ("link", "address", "sysctl") and words[0] in expected.blind

    def normal(self, expected, objects, diff):
        """As the oracle writes it: no database id, tables of `from` by their prefix."""
        tables = {}
        for noun, key in objects:
            words = key.split()
            if noun == "rule" and words[4] == "lookup" and words[8] == str(PROTOCOL) \
                    and int(words[5]) not in (MAIN, 7000):
                if tables.setdefault(words[5], words[1]) != words[1] \
                        or not 7001 <= int(words[5]) <= 7999:
                    diff.append(f"table {words[5]} is not of one prefix")
        have = {}
        for (noun, key), fields in objects.items():
            words = key.split()
            if noun.startswith("nft-"):
                continue
            if noun == "link":
                fields = {**fields, "alias": ID.sub("ipipd:ID:", fields["alias"])}
            if noun == "rule" and words[8] == str(PROTOCOL):
                words[5] = tables.get(words[5], words[5])
            if noun == "route":
                words[0] = tables.get(words[0], words[0])
            key = (noun, " ".join(words))
            if not self.is_left_out(key, fields, expected):
                have[key] = fields
        return have

    # history would tell here: then every write is looked at before the next one

    def is_fragile(self, declaration=None):
        w, ours = self.world, self.world.ours
        if w.ip_forward or set(w.links) - HOSTS_OWN or w.remade:
            return True
        if any(d in ours for d, _ in w.addrs) or any(
                r["device"] in ours or k[0] == 7000 for k, r in w.routes.items()):
            return True
        for (device, name), now in w.sysctls.items():
            row = self.oracle.sysctl_rows.get((device, name))
            default = w.default_rp_filter if name == "rp_filter" else 0
            if device in ours and (row[1] if row and row[0] == "ours" else now) != default:
                return True
            if row and row[0] == "found" and row[1] != now:
                return True
        for name, tunnel in (declaration or self.declaration)["tunnels"].items():
            if "remote" in tunnel and enabled(tunnel) and \
                    self.oracle.link_fields(name, tunnel, w)[1]:
                return True
        return False

    # actions

    def play(self, action):
        self.steps += action[0] != "rest"
        if self.is_fragile() and self.unsettled:
            self.settle()
        getattr(self, "play_" + action[0])(*action[1:])

    def write(self, method, path, body, candidate, trouble=False):
        """One write; candidate: the declaration that it would make. None: it does not apply."""
        if candidate is not None and (
                self.is_ambiguous(candidate) or self.is_lossy(candidate)):
            return
        if candidate is not None and self.unsettled and self.is_fragile(candidate):
            if trouble:
                return
            self.settle()
        wrong = faults(candidate) if candidate is not None else {"not there"}
        wait = "wait=0" if trouble else ""
        path += ("&" if "?" in path else "?") + wait if wait else ""
        answer = self.agent.ask(method, path, body)
        if answer.status == 409 and self.deleting:
            if trouble:
                return
            self.settle()  # what was deleted holds its keys until it is gone
            answer = self.agent.ask(method, path, body)
        if (answer.status < 300) != (not wrong):
            raise Failure(f"{method} {path} {json.dumps(body)}: {answer}; faults: {wrong}")
        if answer.status >= 300:
            return
        if answer.status == 202 or (answer.body or {}).get("deleted"):
            self.deleting = True
        self.declaration = candidate
        self.unsettled += 1

    deleting = False

    def is_ambiguous(self, candidate):
        """Two tunnels that may come to the same endpoints by what is chosen for them, or by
        what stays as it was while an underlay device is not there."""
        seen = {}
        for tunnel in candidate["tunnels"].values():
            seen.setdefault(tunnel.get("remote"), []).append(tunnel)
        return any(len(ts) > 1 and (
            any(t.get("local", "auto") == "auto" for t in ts)
            or len({t["local"] for t in ts}) < len(ts)) for ts in seen.values())

    def is_lossy(self, candidate):
        """Devices exchange endpoints, which may make them anew, and with them what is foreign."""
        def ends(declaration):
            return {device_of(n, t): (t.get("local", "auto"), t.get("remote"), t.get("underlay"))
                    for n, t in declaration["tunnels"].items()}

        before, after = ends(self.declaration), ends(candidate)
        moved = {end for d, end in after.items() if before.get(d, end) != end}
        return bool(moved & set(before.values())) and self.is_fragile()

    def changed(self, member, name, doc):
        candidate = {m: dict(docs) for m, docs in self.declaration.items()}
        if doc is None:
            candidate[member].pop(name)
        else:
            candidate[member][name] = doc
        return candidate

    def play_put(self, kind, name, doc, trouble=False):
        self.write("PUT", f"/v1/{kind}/{name}", doc, self.changed(KINDS[kind], name, doc), trouble)

    def play_post(self, kind, name, doc, trouble=False):
        there = name in self.declaration[KINDS[kind]]
        self.write("POST", f"/v1/{kind}", {"name": name, **doc},
                   None if there else self.changed(KINDS[kind], name, doc), trouble)

    def play_patch(self, kind, name, patch, trouble=False):
        have = self.declaration[KINDS[kind]].get(name)
        if have is None:
            return
        doc = {m: v for m, v in {**have, **patch}.items() if v is not None}
        self.write("PATCH", f"/v1/{kind}/{name}", patch, self.changed(KINDS[kind], name, doc),
                   trouble)

    def play_delete(self, kind, name, trouble=False):
        if name in self.declaration[KINDS[kind]]:
            self.write("DELETE", f"/v1/{kind}/{name}", None,
                       self.changed(KINDS[kind], name, None), trouble)

    def play_config(self, docs, prune, trouble=False):
        body = {member: [{"name": n, **d} for n, d in docs[member].items()] for member in docs}
        candidate = {m: dict(docs[m]) if prune else {**self.declaration[m], **docs[m]}
                     for m in docs}
        self.write("PUT", "/v1/config" + ("" if prune else "?prune=false"), body, candidate,
                   trouble)

    def play_rest(self):
        if self.unsettled:
            self.settle(ask=self.steps % self.every != 0)
            if self.steps % 5 == 0:
                self.check_rest()

    def play_bad(self, which):
        method, path, body = generate.BAD[which]
        before = self.agent.get("/v1/status").body["revision"]
        answer = self.agent.ask(method, path, body)
        after = self.agent.get("/v1/status").body["revision"]
        if not 400 <= answer.status < 500 or before != after:
            raise Failure(f"{method} {path} {body}: {answer}; revision {before} to {after}")
        self.check_config()

    def check_config(self):
        body = self.agent.get("/v1/config").body
        have = {member: {d.pop("name"): d for d in body[member]} for member in body}
        if have != self.declaration:
            raise Failure(f"GET /v1/config is\n  {json.dumps(have)}\nnot\n  "
                          f"{json.dumps(self.declaration)}")

    def lines_of(self, lines):
        """Those that can be done now, done in the world too."""
        if self.unsettled:
            self.settle()
        objects = self.seen
        known, done = self.known(objects), []
        for line in lines:
            if line.startswith("@"):
                line = self.element(line, objects, done)
            words = line.split() if line else []
            if not words:
                continue
            alone = words[0] == "link" and words[2:3] in (["group"], ["alias"])
            # of a blind device nobody knows what would be left to its new owner
            if alone and (len(lines) > 1 or words[1] not in self.world.ours
                          or words[1] in self.oracle.expected.blind):
                continue
            if words[0] == "link" and words[2:4] == ["remote", ANY] and self.is_fragile():
                continue
            if self.world.run(line, known):
                done.append(line)
                self.update(known, words)
        return done

    @staticmethod
    def update(known, words):
        if words[:2] == ["delete", "link"]:
            known["addresses"] = {a for a in known["addresses"] if a[0] != words[2]}
        if words[:2] == ["delete", "addr"]:
            known["addresses"].discard((words[2], words[3]))
        if words[0] == "foreign-link":
            known["endpoints"].add((words[3], words[4], ""))

    @staticmethod
    def element(line, objects, done):
        """@element N, @delete element N: by what is there."""
        n = int(line.split()[-1])
        sets = sorted(k for (noun, k), f in objects.items()
                      if noun == "nft-set" and f["type"] == "ipv4_addr")
        if not sets or done:
            return None
        if line.startswith("@element"):
            name = sets[n % len(sets)]
            hosts = objects["nft-set", name]["interval"] == "false"
            prefix = ipaddress.ip_network("203.0.113.5/32" if hosts else "203.0.113.0/24")
            for noun, key in objects:
                if noun == "nft-element" and key.split()[0] == name and \
                        network(key.split()[-1]).overlaps(prefix):
                    return None
            return f"element {name} {prefix}"
        elements = sorted(k for noun, k in objects
                          if noun == "nft-element" and k.split()[0] in sets)
        return "delete element " + elements[n % len(elements)] if elements else None

    def play_script(self, lines):
        lines = self.lines_of(lines)
        if not lines:
            return
        self.agent.kernel(*lines)
        self.settle(ask=self.steps % self.every != 0)
        self.script_is_done()

    def script_is_done(self):
        """An agent that starts would do it again. It is read before the kernel is asked."""
        self.reconcile()
        (self.agent.directory / "kernel" / "script").unlink()

    def play_trouble(self, lines, inner):
        if self.unsettled:
            self.settle()
        quiet = self.is_fragile()
        self.agent.kernel(*lines)
        self.reconcile()
        self.deleting = False
        for action in inner:
            if action[0] in ("stop", "kill"):
                self.play_restart(action[0])
            elif not quiet:
                getattr(self, "play_" + action[0])(*action[1:], trouble=True)
        if not self.deleting:
            self.check_config()
        self.agent.kernel("# over")
        self.settle(ask=self.steps % 2 != 0)
        self.script_is_done()
        self.check_config()

    def play_stop(self):
        self.play_restart("stop")

    def play_kill(self):
        self.play_restart("kill")

    def play_restart(self, how):
        code = getattr(self.agent, how)()
        if how == "stop" and code:
            raise Failure(f"SIGTERM: exit code {code}")
        self.agent.start()
        self.check_config()

    def play_down(self, how, lines):
        if self.unsettled:
            self.settle(ask=self.steps % self.every != 0)
        lines = self.lines_of(lines)
        getattr(self.agent, how)()
        if lines:
            self.agent.kernel(*lines)
        self.agent.start()
        self.settle()
        if lines:
            self.script_is_done()

    def check_rest(self):
        """What the API says when nothing is left to be done."""
        self.check_config()
        end = time.monotonic() + self.patience_s
        # a rule that opens nothing looks the same before a pass has seen it
        while odd := self.odd_ops():
            if time.monotonic() > end:
                raise Failure(f"at rest, yet the plan is {json.dumps(odd)}")
            time.sleep(0.05)

    def odd_ops(self):
        answer = self.agent.post("/v1/plan")
        if answer.status != 200:
            raise Failure(f"POST /v1/plan: {answer}")
        return [op for op in answer.body["ops"]
                if op["verb"] != "conflict" and not self.is_hopeless(op)]

    def is_hopeless(self, op):
        """Tried at each pass, and refused: a route whose source is not there, a taken endpoint."""
        device = (op["want"] or op["have"]).get("device")
        return device in self.oracle.expected.blind or (
            op["kind"] == "route" and op["verb"] in ("add", "change"))

    def finish(self):
        """Everything is taken back: what stays is as it was found."""
        if self.unsettled:
            self.settle()
        self.check_rest()
        answer = self.agent.put("/v1/config", {m: [] for m in self.declaration})
        if answer.status != 200:
            raise Failure(f"PUT /v1/config {{}}: {answer}")
        self.declaration = {m: {} for m in self.declaration}
        self.settle()
        left = [key for key in self.objects() if key[0].startswith("nft-")]
        if left:
            raise Failure(f"left: {left}")
        if self.agent.stop() not in (0, None):
            raise Failure("the agent ended badly:\n" + self.agent.log[-2000:])
