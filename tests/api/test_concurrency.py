#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writers against each other, and against the end of the process."""

import concurrent.futures
import http.client
import json
import pathlib
import resource
import tempfile
import time
import api
from api import TUNNEL


class Concurrency(api.ApiTest):
    def passes(self):
        return self.agent.get("/v1/status").body["last_pass"]["number"]

    def race(self, writers, one):
        with concurrent.futures.ThreadPoolExecutor(writers) as pool:
            return list(pool.map(one, range(writers)))

    def test_of_writers_with_one_if_match_exactly_one_wins(self):
        tag = self.agent.put("/v1/tunnels/tun_a", TUNNEL).etag

        def write(i):
            body = {**TUNNEL, "comment": f"writer {i}"}
            return self.agent.put("/v1/tunnels/tun_a", body, {"If-Match": tag})

        answers = self.race(16, write)
        self.assertEqual(sorted(a.status for a in answers), [200] + [412] * 15)
        winner = next(a for a in answers if a.status == 200)
        self.assertEqual(self.agent.get("/v1/tunnels/tun_a").body["comment"],
                         winner.body["comment"])
        self.assertEqual(winner.body["generation"], 2)

    def test_of_creators_exactly_one_wins(self):
        answers = self.race(16, lambda i: self.agent.put(
            "/v1/tunnels/tun_a", {**TUNNEL, "comment": str(i)}, {"If-None-Match": "*"}))
        self.assertEqual(sorted(a.status for a in answers), [201] + [412] * 15)
        answers = self.race(8, lambda i: self.agent.post(
            "/v1/tunnels", {"name": "t", "remote": "10.9.9.9", "comment": str(i)}))
        self.assertEqual(sorted(a.status for a in answers), [201] + [409] * 7)

    def test_if_match_ignores_state_but_not_generation(self):
        tag = self.agent.put("/v1/tunnels/tun_a", TUNNEL).etag
        settled = self.agent.until("/v1/tunnels/tun_a", lambda a: a.state == "ready")
        self.assertNotEqual(settled.etag, tag)
        body = {**TUNNEL, "ttl": 9}
        self.problem(self.agent.put("/v1/tunnels/tun_a", body, {"If-Match": "W/" + tag}), 412,
                     "precondition-failed")
        self.ok(self.agent.put("/v1/tunnels/tun_a", body, {"If-Match": tag}))
        self.problem(self.agent.put("/v1/tunnels/tun_a", TUNNEL, {"If-Match": tag}), 412,
                     "precondition-failed")
        self.problem(self.agent.patch("/v1/tunnels/tun_a", {"ttl": 8}, {"If-Match": tag}), 412,
                     "precondition-failed")
        self.problem(self.agent.delete("/v1/tunnels/tun_a", {"If-Match": tag}), 412,
                     "precondition-failed")
        self.problem(self.agent.ask("POST", "/v1/tunnels", {**TUNNEL, "name": "new"},
                                    headers={"If-Match": tag}), 412, "precondition-failed")
        self.problem(self.agent.put("/v1/tunnels/none", TUNNEL, {"If-Match": "*"}), 412,
                     "precondition-failed")

    def test_a_stale_generation_in_the_body_is_refused(self):
        first = self.agent.put("/v1/tunnels/tun_a", TUNNEL).body
        self.agent.put("/v1/tunnels/tun_a", {**TUNNEL, "ttl": 9})
        self.problem(self.agent.put("/v1/tunnels/tun_a", first), 409, "generation-mismatch",
                     "/generation")
        self.ok(self.agent.put("/v1/tunnels/tun_a", {**first, "generation": 2}))

    def test_many_writers_lose_nothing(self):
        def write(i):
            return self.agent.put(f"/v1/tunnels/t{i}?wait=20",
                                  {"remote": f"10.0.{i // 200}.{i % 200 + 1}"})

        answers = self.race(40, write)
        self.assertEqual([a.status for a in answers], [201] * 40)
        self.assertEqual(self.revision(), 40)

    def test_passes_survive_writes_between_their_rounds(self):
        self.three()

        def write(i):
            for ttl in range(1, 200):
                path = f"/v1/tunnels/t{i}"
                body = {"remote": f"10.9.0.{i + 1}", "ttl": ttl}
                self.assertIn(self.agent.put(path, body).status, (200, 201))
                if ttl % 7 == 0:
                    self.assertIn(self.agent.delete(path + "?wait=5").status, (202, 204))

        self.race(4, write)
        answer = self.agent.put("/v1/config?wait=10&prune=false", {})
        self.assertEqual(self.ok(answer).body["not_ready"], [])

    def test_what_was_answered_survives_kill_9(self):
        before = []
        for i in range(20):
            before.append(self.agent.put(f"/v1/tunnels/t{i}", {"remote": f"10.0.0.{i + 1}"}).body)
        self.agent.kill()
        self.agent.start()
        for was in before:
            now = self.agent.get("/v1/tunnels/" + was["name"]).body
            for member in ("uid", "generation", "created_at", "updated_at", "remote"):
                self.assertEqual(now[member], was[member])
        self.assertEqual(self.revision(), 20)

    def test_kill_9_under_load_keeps_every_answered_write(self):
        answered = []

        def write(i):
            try:
                answer = self.agent.put(f"/v1/tunnels/t{i}", {"remote": f"10.0.0.{i + 1}"})
                if answer.status == 201:
                    answered.append(i)
                if i == 60:
                    self.agent.process.kill()
            except (OSError, http.client.HTTPException):
                pass  # not answered, so nothing was promised

        self.race(120, write)
        self.agent.kill()
        self.agent.start()
        names = {item["name"] for item in self.agent.get("/v1/tunnels?limit=1000").body["items"]}
        self.assertTrue(answered)
        self.assertEqual({f"t{i}" for i in answered} - names, set())

    def test_without_room_every_writer_gets_503_and_nothing_changes(self):
        self.ok(self.agent.put("/v1/tunnels/tun_a?wait=10", TUNNEL), 201)
        before = self.agent.get("/v1/config").text
        pid, old = self.agent.process.pid, resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, old[1]))
        answers = self.race(8, lambda i: self.agent.put(f"/v1/tunnels/t{i}",
                                                        {"remote": f"10.0.0.{i + 1}"}))
        for answer in answers:
            self.problem(answer, 503, "database-unavailable")
        self.problem(self.agent.delete("/v1/tunnels/tun_a"), 503, "database-unavailable")
        self.assertEqual(self.agent.get("/v1/config").text, before)
        self.assertTrue(self.agent.objects("link tun_a"))
        resource.prlimit(pid, resource.RLIMIT_FSIZE, old)
        self.ok(self.agent.put("/v1/tunnels/t1?wait=10", {"remote": "10.0.0.2"}), 201)
        self.assertEqual(self.revision(), 2)

    def test_the_host_keeps_its_id_over_restarts(self):
        first = self.agent.get("/v1/host").body["id"]
        self.assertEqual(self.agent.stop(), 0)
        self.agent.start()
        self.assertEqual(self.agent.get("/v1/host").body["id"], first)

    def test_waiting_requests_are_bounded(self):
        body = {**TUNNEL, "local": "172.16.99.1"}  # not an address here: pending for ever
        self.agent.put("/v1/tunnels/tun_a", body)
        answers = self.race(80, lambda i: self.agent.put("/v1/tunnels/tun_a?wait=3", body))
        refused = [a for a in answers if a.status == 429]
        self.assertEqual(len(refused), 16, [a.status for a in answers])
        self.assertEqual({a.headers["Retry-After"] for a in refused}, {"1"})
        self.problem(refused[0], 429, "too-many-requests")

    def test_passes_leave_most_of_the_time_to_a_stream_of_writes(self):
        folder = tempfile.TemporaryDirectory(dir="/dev/shm")  # where a sync takes no time
        self.addCleanup(folder.cleanup)
        self.agent.db = pathlib.Path(folder.name) / "ipipd.db"
        self.with_failpoint("events.commit*:1+=pause")  # twice 2 ms, for each pass
        before, begin = self.passes(), time.monotonic()
        for i in range(400):
            self.ok(self.agent.put(f"/v1/tunnels/t{i}", {"remote": f"10.0.{i // 250}.{i % 250}",
                                                         "enabled": False}), 201)
        fifths = (time.monotonic() - begin) / (5 * 0.004)
        self.assertLessEqual(self.passes() - before, fifths + 2)

    def test_who_waits_holds_no_body(self):
        body = {**TUNNEL, "local": "172.16.99.1"}  # not an address here: pending for ever
        large = json.dumps(body) + " " * 8_000_000
        waiting = [api.Connection(self.agent.socket) for _ in range(12)]
        for connection in waiting:
            self.addCleanup(connection.close)
            connection.request("PUT", "/v1/tunnels/tun_a?wait=5", large,
                               {"Content-Type": "application/json"})
        answers = [api.Answer(connection.getresponse()) for connection in waiting]
        self.assertEqual([a.status for a in answers], [201] + [200] * 11)


if __name__ == "__main__":
    api.main()
