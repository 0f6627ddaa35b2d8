# SPDX-License-Identifier: GPL-2.0-or-later
"""A client that writes at random, and keeps in mind what was acknowledged and what only sent."""

import json
import random

KINDS = {"tunnels": "tunnels", "exit-routes": "exit_routes", "nat-rules": "nat_rules"}
TUNNELS = [f"t{i}" for i in range(6)]
FROM = [f"10.200.{i}.0/24" for i in range(4)]


class Write:
    """A request, and what it makes of the declaration: key -> document, or None for gone."""

    def __init__(self, method, path, body, effect):
        self.method, self.path, self.body, self.effect = method, path, body, effect

    def __repr__(self):
        return f"{self.method} {self.path} {json.dumps(self.body)}"


class Documents:
    """Random documents. Those of different names do not stand in each other's way."""

    def __init__(self, rng, local, out_interface):
        self.rng, self.local, self.out_interface = rng, local, out_interface
        self.count = 0

    def common(self):
        self.count += 1
        document = {"comment": f"write {self.count}"}
        if self.rng.random() < 0.08:
            document["enabled"] = False
        if self.rng.random() < 0.2:
            document["labels"] = {"k": str(self.rng.randrange(9))}
        return document

    def tunnels(self, name):
        rng, i = self.rng, int(name[1:])
        document = {"remote": f"172.16.1.{rng.choice((10, 30, 50)) + i}",
                    "addresses": [f"10.{i}.{n}.1/24" for n in
                                  sorted(rng.sample(range(4), rng.randint(1, 3)))],
                    **self.common()}
        if rng.random() < 0.5:
            document["local"] = self.local
        if rng.random() < 0.3:
            document["ttl"] = rng.randint(1, 255)
        if rng.random() < 0.3:
            document["mtu"] = rng.randint(1200, 1480)
        if rng.random() < 0.3:
            document["rp_filter"] = rng.choice(("keep", "off", "strict", "loose"))
        if rng.random() < 0.3:
            document["allowed_sources"] = [f"10.{100 + i}.0.0/16"]
        if rng.random() < 0.2:
            document["mss_clamp"] = False
        return document

    def exit_routes(self, name):
        rng, i = self.rng, int(name[1:])
        document = {"tunnel": rng.choice(TUNNELS), **self.common(),
                    "destinations": [f"20.{i}.{n}.0/{24 if n % 2 else 25}" for n in
                                     sorted(rng.sample(range(30), rng.randint(1, 6)))]}
        if rng.random() < 0.5:
            document["from"] = sorted(rng.sample(FROM, rng.randint(1, 3)))
        if rng.random() < 0.3:
            document["metric"] = rng.randrange(3)
        return document

    def nat_rules(self, name):
        rng, i = self.rng, int(name[1:])
        document = {"sources": [f"10.{i}.{n}.0/{24 if n % 2 else 25}" for n in
                                sorted(rng.sample(range(30), rng.randint(1, 6)))],
                    "out_interface": self.out_interface, "priority": 100 + i, **self.common()}
        action = rng.choice(("masquerade", "snat", "none", None))
        if action:
            document["action"] = action
        if action == "snat":
            document["to_address"] = self.local
        if rng.random() < 0.3:
            document["in_interface"] = rng.choice(TUNNELS)
        return document

    def random(self, kind, name):
        return getattr(self, KINDS[kind])(name)

    def name(self, kind):
        return f"{kind[0]}{self.rng.randrange(6)}"


class Client:
    """ask(method, path, body) returns (status, document), or raises OSError when nobody is
    there to answer."""

    def __init__(self, seed, local, out_interface="eth0"):
        self.rng = random.Random(seed)
        self.documents = Documents(self.rng, local, out_interface)
        self.acknowledged = {}
        self.sent = []  # without an answer
        self.marks = {}  # key -> uid and generation, where an answer told them

    def forget(self):
        """The database is another one now."""
        self.acknowledged, self.sent, self.marks = {}, [], {}

    def patch(self, key, document):
        have = self.acknowledged.get(key)
        patch = {"comment": document["comment"], "labels": None}
        if have is None:
            return Write("PATCH", f"/v1/{key[0]}/{key[1]}", patch, {})
        after = {**have, "comment": document["comment"]}
        after.pop("labels", None)
        return Write("PATCH", f"/v1/{key[0]}/{key[1]}", patch, {key: after})

    def write_one(self, kind=None):
        kind = kind or self.rng.choice(list(KINDS))
        name = self.documents.name(kind)
        key, document = (kind, name), self.documents.random(kind, name)
        method = self.rng.choice(("PUT", "PUT", "PUT", "POST", "PATCH", "DELETE"))
        wait = "?wait=1" if self.rng.random() < 0.1 else ""
        if method == "POST":
            return Write("POST", f"/v1/{kind}{wait}", {"name": name, **document},
                         {key: document})
        if method == "PATCH":
            return self.patch(key, document)
        if method == "DELETE":
            return Write("DELETE", f"/v1/{kind}/{name}", None, {key: None})
        return Write("PUT", f"/v1/{kind}/{name}{wait}", document, {key: document})

    def write_config(self, empty):
        """The whole declaration: exit routes go with tunnels that are in it."""
        config = {} if empty else {
            (kind, name): self.documents.random(kind, name)
            for kind in KINDS for name in {self.documents.name(kind) for _ in range(4)}}
        for name in TUNNELS:
            if any(document.get("tunnel") == name for document in config.values()):
                config.setdefault(("tunnels", name), self.documents.tunnels(name))
        effect = {key: None for key in self.acknowledged}
        effect.update(config)
        return Write("PUT", "/v1/config", document_of(config), effect)

    def write(self):
        dice = self.rng.random()
        if dice < 0.14:
            return self.write_config(dice < 0.06)
        return self.write_one()

    def answered(self, write, status, document):
        """What an answer says of the declaration."""
        if 200 <= status < 300:
            for key, after in write.effect.items():
                self.marks.pop(key, None)
                if after is None:
                    self.acknowledged.pop(key, None)
                else:
                    self.acknowledged[key] = after
            if document and "uid" in document and write.method != "DELETE":
                self.marks[next(iter(write.effect))] = (document["uid"], document["generation"])
        elif status >= 500:
            self.sent.append(write)
        elif status not in (404, 409, 422):
            raise AssertionError(f"{write}: {status} {document}")

    def send(self, ask, write):
        try:
            status, document = ask(write.method, write.path, write.body)
        except OSError:
            self.sent.append(write)
            raise
        self.answered(write, status, document)
        return status

    def faults(self, stored):
        """How what is stored differs from what it may be: whole writes, or nothing of them."""
        touched = {key for write in self.sent for key in write.effect}
        for key in sorted(set(stored) | set(self.acknowledged)):
            if key not in touched and stored.get(key) != self.acknowledged.get(key):
                yield f"{key}: {stored.get(key)}, acknowledged {self.acknowledged.get(key)}"
        for write in self.sent:
            done = all(stored.get(key) == after for key, after in write.effect.items())
            undone = all(stored.get(key) == self.acknowledged.get(key) for key in write.effect)
            if not done and not undone:
                yield f"in part: {write}"

    def check(self, ask):
        """The store against the model; from then on the model is what is stored."""
        stored = read_config(ask)
        faults = list(self.faults(stored))
        if faults:
            raise AssertionError("\n".join(faults))
        touched = {key for write in self.sent for key in write.effect}
        for key, mark in list(self.marks.items()):
            document = ask("GET", f"/v1/{key[0]}/{key[1]}", None)[1]
            now = (document.get("uid"), document.get("generation"))
            if key not in touched and now != mark:
                raise AssertionError(f"{key}: uid and generation are {now}, were {mark}")
        self.acknowledged, self.sent, self.marks = stored, [], {}


NOUNS = {"tunnels": "tunnel", "exit-routes": "exit-route", "nat-rules": "nat-rule"}
RING = 10000  # events that are kept at least


def event_faults(events, ask):
    """How what events tell of resources differs from what is stored: of each the last one must
    be of its present generation."""
    told = {}
    for event in events:
        if event["type"] in ("created", "updated", "deleted"):
            for name in event.get("names") or [event["name"]]:
                told[event["kind"], name] = event["type"], event.get("generation")
    for kind, noun in NOUNS.items():
        for item in ask("GET", f"/v1/{kind}?limit=1000", None)[1]["items"]:
            what, generation = told.pop((noun, item["name"]), (None, None))
            is_told = (what == "deleted") == (item["status"]["state"] == "deleting")
            if what is None and len(events) >= RING:
                continue
            if not what or not is_told or generation not in (None, item["generation"]):
                yield (f"{noun} {item['name']}, generation {item['generation']}: "
                       f"{what}, {generation}")
    for (noun, name), (what, generation) in told.items():
        if what != "deleted":
            yield f"{noun} {name} is not there: {what}, {generation}"
    if [event["id"] for event in events] != list(range(events[0]["id"],
                                                       events[0]["id"] + len(events))):
        yield "ids with gaps"


def read_config(ask):
    status, document = ask("GET", "/v1/config", None)
    if status != 200:
        raise AssertionError(f"GET /v1/config: {status} {document}")
    return {(kind, item["name"]): {k: v for k, v in item.items() if k != "name"}
            for kind, member in KINDS.items() for item in document[member]}


def document_of(config):
    """As PUT /v1/config takes it."""
    document = {member: [] for member in KINDS.values()}
    for (kind, name), item in sorted(config.items()):
        document[KINDS[kind]].append({"name": name, **item})
    return document
