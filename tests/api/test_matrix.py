#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may do what: every kind of caller at every route, no cell left out."""

import contextlib
import grp
import http.client
import os
import pathlib
import re
import socket
import tempfile
import unittest
import network
import api
from api import EXIT, NAT, TUNNEL
from network import ADMIN, READ

GROUP, STRANGER = "users", 61234
ROUTES_C = pathlib.Path(__file__).resolve().parents[2] / "src" / "daemon" / "api_routes.c"

# How a caller comes, and as what he is taken: "admin", "read", or the status of his refusal.
# None: he cannot even connect.
CALLERS = {
    "root": ({"uid": 0}, "admin"),
    "member of the group": ({"uid": STRANGER, "groups": [GROUP]}, "admin"),
    "user whose own group it is": ({"uid": STRANGER, "gid": GROUP}, "admin"),
    "another user": ({"uid": STRANGER}, None),
    "another user, let in by the mode": ({"uid": STRANGER, "mode": 0o666}, 403),
    "user with an admin's token on the socket": (
        {"uid": STRANGER, "mode": 0o666, "headers": ADMIN}, 403),
    "nobody": ({}, 401),
    "wrong token": ({"headers": {"Authorization": "Bearer wrong"}}, 401),
    "no token, but a password": ({"headers": {"Authorization": "Basic YTpi"}}, 401),
    "read token": ({"headers": READ}, "read"),
    "admin token": ({"headers": ADMIN}, "admin"),
    "read certificate": ({"client": "reader"}, "read"),
    "admin certificate": ({"client": "boss"}, "admin"),
    "certificate without a role": ({"client": "stranger"}, 401),
    "expired certificate": ({"client": "expired"}, 401),
    "certificate of tomorrow": ({"client": "tomorrow"}, 401),
    "foreign certificate": ({"client": "foreign"}, 401),
    "certificate of a server": ({"client": "server"}, 401),
    "read token and admin certificate": ({"headers": READ, "client": "boss"}, "read"),
    "admin token and expired certificate": ({"headers": ADMIN, "client": "expired"}, "admin"),
    "wrong token and admin certificate": (
        {"headers": {"Authorization": "Bearer wrong"}, "client": "boss"}, 401),
    "web page with a token": ({"headers": {**ADMIN, "Origin": "http://x"}}, "barred"),
    "other host with a token": ({"headers": {**ADMIN, "Host": "evil.example"}}, "barred"),
}

# method, path, body, who may ("all", "read", "admin"), what he gets. In this order each caller
# leaves all as it was.
ROUTES = [
    ("GET", "/livez", None, "all", 200),
    ("GET", "/readyz", None, "all", 200),
    ("GET", "/metrics", None, "read", 200),
    ("GET", "/v1/status", None, "read", 200),
    ("GET", "/v1/openapi.json", None, "read", 200),
    ("GET", "/v1/host", None, "read", 200),
    ("GET", "/v1/host/route?to=172.16.1.62", None, "read", 200),
    ("GET", "/v1/hazards", None, "read", 200),
    ("GET", "/v1/why?to=180.163.26.39", None, "read", 200),
    ("GET", "/v1/why?to=180.163.26.39&probe=true&port=80", None, "admin", 400),
    ("GET", "/v1/why?to=180.163.26.39&from=10.7.0.1&peer=172.16.1.62&id=1&sent=true", None,
     "admin", 204),
    ("GET", "/v1/events?follow=false", None, "read", 200),
    ("GET", "/v1/config", None, "read", 200),
    ("PUT", "/v1/config?prune=false", {}, "admin", 200),
    ("POST", "/v1/plan", None, "read", 200),
    ("POST", "/v1/reconcile", None, "admin", 200),
    ("POST", "/v1/tunnels/tun_a/ping", {"target": "nonsense"}, "admin", 422),
    ("GET", "/v1/nothing", None, "read", 404),
    ("GET", "/", None, "read", 404),
    ("DELETE", "/v1/status", None, "read", 405),
    ("OPTIONS", "/v1/status", None, "read", 405),
]
for kind, there, new, body, counted in (
    ("tunnels", "tun_a", "m", {**TUNNEL, "remote": "172.16.1.63"}, 200),
    ("exit-routes", "qq", "m", {**EXIT, "destinations": ["10.0.0.0/8"]}, 404),
    ("nat-rules", "exit", "m", {**NAT, "sources": ["10.0.0.0/8"]}, 200),
):
    ROUTES += [
        ("GET", f"/v1/{kind}", None, "read", 200),
        ("GET", f"/v1/{kind}/{there}", None, "read", 200),
        ("GET", f"/v1/{kind}/none", None, "read", 404),
        ("GET", f"/v1/{kind}/{there}/stats", None, "read", counted),
        ("POST", f"/v1/{kind}", {**body, "name": new}, "admin", 201),
        ("PUT", f"/v1/{kind}/{new}", {**body, "comment": "x"}, "admin", 200),
        ("PUT", f"/v1/{kind}/{new}?dry_run=true", body, "admin", 200),
        ("PATCH", f"/v1/{kind}/{new}", {"comment": None}, "admin", 200),
        ("DELETE", f"/v1/{kind}/{new}?dry_run=true", None, "admin", 200),
        ("DELETE", f"/v1/{kind}/{new}", None, "admin", 204),
        ("PUT", f"/v1/{kind}", body, "read", 405),
        ("DELETE", f"/v1/{kind}", None, "read", 405),
        ("POST", f"/v1/{kind}/{there}", body, "read", 405),
    ]
ROUTES += [("HEAD", *row[1:]) for row in ROUTES if row[0] == "GET"]


def cell(taken, allowed, answer):
    """What a caller that is taken so gets where some may: status, code of a problem."""
    if taken == "barred":
        return 403, "forbidden"
    if isinstance(taken, int) and allowed != "all":
        return taken, {401: "unauthenticated", 403: "forbidden"}[taken]
    if taken == "read" and allowed == "admin":
        return 403, "forbidden"
    return answer, {404: "not-found", 405: "method-not-allowed",
                    422: "invalid-resource"}.get(answer)


class UserConnection(http.client.HTTPConnection):
    """Of another user: what counts is who connects, so that a child does."""

    def __init__(self, path, uid, gid, groups):
        super().__init__("ipipd", timeout=30)
        self.path, self.ids = path, (uid, gid, groups)

    def connect(self):
        uid, gid, groups = self.ids
        ours, theirs = socket.socketpair()
        child = os.fork()
        if child == 0:
            with contextlib.suppress(BaseException):
                os.setgroups(groups)
                os.setgid(gid)
                os.setuid(uid)
                with socket.socket(socket.AF_UNIX) as connection:
                    connection.connect(self.path)
                    socket.send_fds(theirs, [b"x"], [connection.fileno()])
            os._exit(0)
        theirs.close()
        with ours:
            fds = socket.recv_fds(ours, 1, 1)[1]
        os.waitpid(child, 0)
        if not fds:
            raise PermissionError("not let in")
        self.sock = socket.socket(fileno=fds[0])
        self.sock.settimeout(self.timeout)


@unittest.skipUnless(os.geteuid() == 0, "becomes other users")
class Matrix(api.ApiTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="ipipd-matrix-")
        self.addCleanup(folder.cleanup)
        ours = network.Authority(pathlib.Path(folder.name) / "ours")
        theirs = network.Authority(pathlib.Path(folder.name) / "theirs", "ca")
        self.clients = {
            "boss": ours.sign("boss"),
            "reader": ours.sign("reader"),
            "stranger": ours.sign("stranger"),
            "expired": ours.sign("expired", "/CN=boss", (-9, -1)),
            "tomorrow": ours.sign("tomorrow", "/CN=boss", (1, 9)),
            "foreign": theirs.sign("boss"),
            "server": ours.sign("kind", "/CN=boss", extensions=("extendedKeyUsage=serverAuth",)),
        }
        self.authority = ours
        self.agent = network.Agent()
        self.addCleanup(self.agent.clean)
        self.agent.with_tls(ours, client_ca=ours.certificate, admins="boss", readers="reader")
        self.agent.set("agent", group=GROUP)
        self.agent.directory.chmod(0o711)
        self.agent.start()
        self.three()

    def connection_of(self, how):
        if "uid" not in how:
            client = self.clients.get(how.get("client"))
            return self.agent.connect(network.trusting(self.authority, client))
        os.chmod(self.agent.socket, how.get("mode", 0o660))
        number = lambda name: grp.getgrnam(name).gr_gid
        return UserConnection(self.agent.socket, how["uid"],
                              number(how["gid"]) if "gid" in how else how["uid"],
                              [number(name) for name in how.get("groups", ())])

    def ask_all(self, name, how, taken):
        with contextlib.closing(self.connection_of(how)) as connection:
            for method, path, body, allowed, answer in ROUTES:
                with self.subTest(caller=name, request=f"{method} {path}"):
                    got = self.agent.ask(method, path, body, how.get("headers"), connection)
                    status, code = cell(taken, allowed, answer)
                    self.assertEqual(got.status, status, got)
                    self.cells += 1
                    if code and method != "HEAD":
                        self.problem(got, status, code)
                        self.refusals.append(got.body["request_id"])

    def test_every_caller_at_every_route(self):
        self.cells, self.refusals = 0, []
        before = self.agent.get("/v1/config").body
        for name, (how, taken) in CALLERS.items():
            if taken is None:
                with self.subTest(name), self.assertRaises(PermissionError):
                    self.connection_of(how).connect()
                continue
            revision = self.revision()
            self.ask_all(name, how, taken)
            if taken != "admin":
                self.assertEqual(self.revision(), revision, f"{name} has changed something")
            self.assertEqual(self.agent.get("/v1/config").body, before, name)
        self.assertEqual(self.cells, len(ROUTES) * sum(t is not None for _, t in CALLERS.values()))
        log = self.agent.log
        for request_id in self.refusals:
            lines = re.findall(rf"^.*request {request_id}: .*$", log, re.M)
            self.assertEqual(len(lines), 1, lines)
            self.assertRegex(lines[0], r" by .+ \((unix|127\.0\.0\.1)\) refused: \d{3} ")
        print(f"{self.cells} cells, {len(self.refusals)} refusals")

    def test_no_route_is_left_out(self):
        table = re.findall(r'\{"([A-Z]+)", "(/[^"]*)",', ROUTES_C.read_text())
        self.assertGreater(len(table), 10)
        asked = [(row[0], row[1].split("?")[0]) for row in ROUTES]
        for method, template in table:
            pattern = (template.replace("{kind}", "(tunnels|exit-routes|nat-rules)")
                       .replace("{name}", "[^/]+"))
            kinds = {match[1] if match.groups() else "" for m, path in asked
                     if m == method and (match := re.fullmatch(pattern, path))}
            self.assertEqual(len(kinds), 3 if "{kind}" in template else 1,
                             f"{method} {template} has no row in ROUTES")


if __name__ == "__main__":
    api.main()
