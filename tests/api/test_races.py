#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writers that race over connections of their own, time after time: one wins, all are told."""

import concurrent.futures
import contextlib
import json
import signal
import threading
import time

import api
from api import TUNNEL
from events import kept

WRITERS = 8
ROUNDS = 25
CHANGES = ("created", "updated", "deleted")


class Races(api.ApiTest):
    def setUp(self):
        super().setUp()
        self.connections = [api.Connection(self.agent.socket) for _ in range(WRITERS)]
        for connection in self.connections:
            self.addCleanup(connection.close)
        self.pool = concurrent.futures.ThreadPoolExecutor(WRITERS)
        self.addCleanup(self.pool.shutdown)

    def race(self, write):
        """One request of each writer at one time: (method, path, body, headers) of his number."""
        start = threading.Barrier(WRITERS)

        def one(i):
            request = write(i)
            start.wait(30)
            return self.agent.ask(*request, connection=self.connections[i])

        return list(self.pool.map(one, range(WRITERS)))

    def statuses(self, answers):
        return sorted(answer.status for answer in answers)

    def changes(self):
        """(type, name, generation, revision) of every write that was told."""
        return [(e["type"], e["name"], e["generation"], e["revision"])
                for e in kept(self.agent) if e["type"] in CHANGES]

    def test_one_of_those_with_an_etag_wins(self):
        path = "/v1/tunnels/tun_a"
        tag = self.ok(self.agent.put(path, TUNNEL), 201).etag
        for turn in range(ROUNDS):
            def write(i, turn=turn, tag=tag):
                mark, headers = f"{turn} {i}", {"If-Match": tag}
                if i % 2:
                    return "PATCH", path, {"comment": mark}, headers
                return "PUT", path, {**TUNNEL, "comment": mark}, headers

            answers = self.race(write)
            self.assertEqual(self.statuses(answers), [200] + [412] * (WRITERS - 1))
            for loser in (a for a in answers if a.status == 412):
                self.problem(loser, 412, "precondition-failed")
            winner = next(a for a in answers if a.status == 200)
            now = self.agent.get(path)
            self.assertEqual(now.body["comment"], winner.body["comment"])
            self.assertEqual((now.body["generation"], self.revision()), (turn + 2, turn + 2))
            tag = winner.etag
        self.assertEqual(self.changes()[1:], [("updated", "tun_a", n, n)
                                              for n in range(2, ROUNDS + 2)])

    def test_one_of_those_with_a_generation_wins(self):
        path = "/v1/tunnels/tun_a"
        self.ok(self.agent.put(path, TUNNEL), 201)
        for turn in range(1, ROUNDS):
            answers = self.race(lambda i, turn=turn: (
                "PUT", path, {**TUNNEL, "generation": turn, "comment": f"{turn} {i}"}, None))
            self.assertEqual(self.statuses(answers), [200] + [409] * (WRITERS - 1))
            for loser in (a for a in answers if a.status == 409):
                self.problem(loser, 409, "generation-mismatch", "/generation")
            self.assertEqual(self.revision(), turn + 1)

    def test_one_creates_and_it_is_deleted_once(self):
        for turn in range(ROUNDS):
            answers = self.race(lambda i, turn=turn: (
                "PUT", "/v1/tunnels/tun_a", {**TUNNEL, "comment": f"{turn} {i}"},
                {"If-None-Match": "*"}))
            self.assertEqual(self.statuses(answers), [201] + [412] * (WRITERS - 1))
            tag = next(a for a in answers if a.status == 201).etag
            answers = self.race(lambda i, tag=tag: (
                "DELETE", "/v1/tunnels/tun_a", None, {"If-Match": tag}))
            # who comes while it goes waits for the same end; later it is not there any more
            statuses = set(self.statuses(answers))
            self.assertTrue({204} <= statuses <= {204, 404, 412}, statuses)
        self.assertEqual([what for what, *_ in self.changes()], ["created", "deleted"] * ROUNDS)
        self.assertEqual(self.revision(), 2 * ROUNDS)

    def test_of_those_who_write_and_those_who_delete_one_side_wins(self):
        path = "/v1/tunnels/tun_a"
        for turn in range(ROUNDS):
            tag = self.agent.put(path, {**TUNNEL, "comment": f"{turn}"}).etag
            before = self.revision()
            answers = self.race(lambda i, tag=tag, turn=turn: (
                ("DELETE", path, None, {"If-Match": tag}) if i % 2 else
                ("PATCH", path, {"comment": f"{turn} {i}"}, {"If-Match": tag})))
            patched = [a.status for a in answers if a.status == 200]
            deleted = [a.status for a in answers if a.status == 204]
            self.assertNotEqual(bool(patched), bool(deleted), answers)
            self.assertLessEqual(len(patched), 1)
            self.assertLessEqual({a.status for a in answers}, {200, 204, 404, 409, 412})
            self.assertEqual(self.revision(), before + 1)
        self.assertEqual(len(self.changes()), self.revision())

    def test_of_whole_configs_with_a_revision_one_wins(self):
        tag = self.agent.get("/v1/config").etag
        for turn in range(ROUNDS):
            answers = self.race(lambda i, tag=tag, turn=turn: (
                "PUT", "/v1/config",
                {"tunnels": [{"name": "tun_a", "comment": f"{turn} {i}", **TUNNEL}]},
                {"If-Match": tag}))
            self.assertEqual(self.statuses(answers), [200] + [412] * (WRITERS - 1))
            self.assertEqual(self.revision(), turn + 1)
            config = self.agent.get("/v1/config")
            self.assertEqual(len(config.body["tunnels"]), 1)
            tag = config.etag

    def test_patches_of_different_members_lose_nothing(self):
        self.ok(self.agent.put("/v1/tunnels/tun_a", TUNNEL), 201)
        for turn in range(ROUNDS):
            answers = self.race(lambda i, turn=turn: (
                "PATCH", "/v1/tunnels/tun_a", {"labels": {f"k{i}": f"v{turn}"}}, None))
            self.assertEqual(self.statuses(answers), [200] * WRITERS)
            for i, answer in enumerate(answers):  # as it is when all of the turn is durable
                self.assertEqual(answer.body["labels"][f"k{i}"], f"v{turn}")
            now = self.agent.get("/v1/tunnels/tun_a").body
            self.assertEqual(now["labels"], {f"k{i}": f"v{turn}" for i in range(WRITERS)})
        generations = [generation for _, _, generation, _ in self.changes()]
        self.assertEqual(generations, list(range(1, 2 + WRITERS * ROUNDS)))

    def test_the_same_from_all_is_written_once(self):
        for turn in range(ROUNDS):
            body = {**TUNNEL, "remote": f"10.9.{turn}.1", "local": "auto"}
            answers = self.race(lambda _, turn=turn, body=body: (
                "PUT", f"/v1/tunnels/t{turn}", body, None))
            self.assertEqual(self.statuses(answers), [200] * (WRITERS - 1) + [201])
            self.assertEqual({a.body["generation"] for a in answers}, {1})
            self.assertEqual(len({a.body["uid"] for a in answers}), 1)
        self.assertEqual(self.changes(), [("created", f"t{n}", 1, n + 1) for n in range(ROUNDS)])

    def test_a_dry_run_among_writers_changes_nothing(self):
        self.ok(self.agent.put("/v1/tunnels/tun_a", TUNNEL), 201)
        for turn in range(ROUNDS):
            def write(i, turn=turn):
                body = {"comment": f"{turn} {i}"}
                return "PATCH", "/v1/tunnels/tun_a" + ("?dry_run=true" if i % 2 else ""), body, None

            answers = self.race(write)
            self.assertEqual(self.statuses(answers), [200] * WRITERS)
            for i, answer in enumerate(answers):
                self.assertEqual("plan" in answer.body, bool(i % 2))
            comment = self.agent.get("/v1/tunnels/tun_a").body["comment"]
            self.assertFalse(int(comment.split()[1]) % 2, comment)
        written = 1 + ROUNDS * WRITERS // 2
        self.assertEqual(self.revision(), written)
        self.assertEqual(len(self.changes()), written)

    def test_who_waits_is_answered_for_his_own_generation(self):
        self.ok(self.agent.put("/v1/tunnels/tun_a", TUNNEL), 201)
        for turn in range(ROUNDS):
            answers = self.race(lambda i, turn=turn: (
                "PATCH", "/v1/tunnels/tun_a?wait=20", {"ttl": 1 + (turn * WRITERS + i) % 250},
                None))
            self.assertEqual(self.statuses(answers), [200] * WRITERS)
            for i, answer in enumerate(answers):
                self.assertEqual(answer.state, "ready", answer)
                self.assertGreaterEqual(answer.body["status"]["generation"],
                                        answer.body["generation"])
                self.assertEqual(answer.body["ttl"], 1 + (turn * WRITERS + i) % 250)

    def test_nobody_gets_the_etag_of_what_another_wrote(self):
        for turn in range(ROUNDS):
            answers = self.race(lambda i, turn=turn: (
                "PUT", "/v1/tunnels/tun_a", {**TUNNEL, "comment": f"{turn} {i}"}, None))
            for i, answer in enumerate(answers):
                self.assertEqual(answer.body["comment"], f"{turn} {i}", answer)
            self.assertEqual(len({answer.body["generation"] for answer in answers}), WRITERS)
            # with what he was given only the last of them writes on
            again = [self.agent.put("/v1/tunnels/tun_a", {**TUNNEL, "comment": f"{turn} {i} on"},
                                    {"If-Match": answer.etag}).status
                     for i, answer in enumerate(answers)]
            self.assertEqual(sorted(again), [200] + [412] * (WRITERS - 1))

    def test_nobody_is_refused_because_of_what_was_not_stored(self):
        self.with_failpoint("store.commit:2=EIO")  # the first is that the agent started
        two = self.connections[:2]
        for connection in two:
            connection.close()
            self.agent.ask("GET", "/v1/status", connection=connection)
        self.agent.process.send_signal(signal.SIGSTOP)
        for connection in two:
            connection.request("POST", "/v1/tunnels", json.dumps({"name": "tun_a", **TUNNEL}),
                               {"Content-Type": "application/json"})
        self.agent.process.send_signal(signal.SIGCONT)
        answers = [api.Answer(connection.getresponse()) for connection in two]
        self.assertEqual(self.statuses(answers), [201, 503], answers)
        self.ok(self.agent.get("/v1/tunnels/tun_a"))

    def test_who_is_deleted_is_told_so(self):
        self.agent.kernel("delete route default")  # so that it stays pending
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            body = {"remote": "10.9.9.9"}
            answer = pool.submit(self.agent.put, "/v1/tunnels/brief?wait=10", body)
            self.agent.until("/v1/tunnels/brief", lambda a: a.status == 200)
            self.ok(self.agent.delete("/v1/tunnels/brief"), 204)
            answer = self.ok(answer.result(), 201)
        self.assertEqual((answer.body["remote"], answer.state), ("10.9.9.9", "deleting"), answer)

    def test_who_writes_a_config_is_told_his_own_revision(self):
        for turn in range(ROUNDS):
            answers = self.race(lambda i, turn=turn: (
                "PUT", "/v1/config?prune=false",
                {"tunnels": [{"name": f"t{i}", "comment": f"{turn}", "enabled": False,
                              "remote": f"10.9.{i}.1"}]}, None))
            self.assertEqual(sorted(a.body["revision"] for a in answers),
                             list(range(turn * WRITERS + 1, (turn + 1) * WRITERS + 1)))

    def test_a_config_waits_for_what_it_changed(self):
        self.agent.kernel("delete route default")
        self.ok(self.agent.put("/v1/tunnels/stuck", {"remote": "10.9.9.9"}), 201)
        self.agent.until("/v1/tunnels/stuck", lambda a: a.reason == "UnderlayUnroutable")
        begin = time.monotonic()
        answer = self.ok(self.agent.put("/v1/config?prune=false&wait=20", {
            "tunnels": [{"name": "off", "remote": "10.9.9.8", "enabled": False}]}))
        self.assertLess(time.monotonic() - begin, 10)
        self.assertEqual([r["name"] for r in answer.body["not_ready"]], ["stuck"])

    def test_pages_have_each_name_once_whatever_comes_and_goes(self):
        stable = [f"s{i:03}" for i in range(0, 300, 3)]
        config = {"tunnels": [{"name": name, "remote": f"10.1.{i}.1", "enabled": False}
                              for i, name in enumerate(stable)]}
        self.ok(self.agent.put("/v1/config", config))
        over = threading.Event()

        def disturb(i):
            turn = 0
            while not over.is_set():
                name = f"s{(turn * 7 + i) % 300:03}x{i}"
                path, body = "/v1/tunnels/" + name, {"remote": f"10.2.{i}.{turn % 250 + 1}",
                                                     "enabled": False}
                self.ok(self.agent.ask("PUT", path, body, connection=self.connections[i]), 201)
                self.ok(self.agent.ask("DELETE", path, connection=self.connections[i]), 204)
                turn += 1
            return turn

        busy = [self.pool.submit(disturb, i) for i in range(4)]
        seen_others = set()
        with contextlib.ExitStack() as stack:
            stack.callback(over.set)
            for limit in (1, 7, 50) * 3:
                names, after = [], ""
                while after is not None:
                    page = self.ok(self.agent.get(f"/v1/tunnels?limit={limit}{after}")).body
                    names += [item["name"] for item in page["items"]]
                    after = f"&after={page['next']}" if page["next"] else None
                self.assertEqual(names, sorted(set(names)))
                self.assertEqual([name for name in names if "x" not in name], stable)
                seen_others |= {name for name in names if "x" in name}
        self.assertTrue(all(turns.result() > 10 for turns in busy))
        self.assertTrue(seen_others, "nothing was disturbed")


if __name__ == "__main__":
    api.main()
