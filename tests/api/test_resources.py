#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every method on every kind, as long as nobody makes a mistake."""

import api
from api import EXIT, NAT, TUNNEL

KINDS = (
    ("tunnels", "tun_a", TUNNEL, {"ttl": 32}),
    ("exit-routes", "qq", EXIT, {"metric": 7}),
    ("nat-rules", "exit", NAT, {"priority": 50}),
)


class Resources(api.ApiTest):
    def each(self):
        """Runs over the kinds, with what each one needs in place."""
        for kind, name, body, change in KINDS:
            if kind != "tunnels":
                self.agent.put("/v1/tunnels/tun_a", TUNNEL)
            yield f"/v1/{kind}/{name}", name, body, change

    def test_put_creates_with_location_and_etag(self):
        for path, name, body, _ in self.each():
            answer = self.ok(self.agent.put(path, body), 201)
            self.assertEqual(answer.headers["Location"], path)
            self.assertRegex(answer.etag, r'^"[0-9a-f]{16}-[0-9a-f]{16}"$')
            self.assertEqual(answer.body["name"], name)
            self.assertEqual(answer.body["generation"], 1)
            self.assertEqual(answer.body["created_at"], answer.body["updated_at"])
            self.assertRegex(answer.body["created_at"], r"^\d{4}-\d\d-\d\dT[\d:.]+Z$")
            for member, value in body.items():
                self.assertEqual(answer.body[member], value)

    def test_put_with_wait_answers_ready(self):
        self.three()
        self.assertTrue(self.agent.objects("link tun_a"))

    def test_get_shows_only_what_was_declared(self):
        for path, _, body, _ in self.each():
            self.agent.put(path, body)
            seen = set(self.ok(self.agent.get(path)).body)
            self.assertEqual(seen - {"name", "uid", "generation", "created_at", "updated_at",
                                     "status"}, set(body))

    def test_effective_shows_what_the_agent_chose(self):
        self.three()
        effective = self.agent.get("/v1/tunnels/tun_a").body["status"]["effective"]
        self.assertEqual((effective["device"], effective["ttl"], effective["mtu"]),
                         ("tun_a", 64, 1480))
        effective = self.agent.get("/v1/exit-routes/qq").body["status"]["effective"]
        self.assertEqual(effective["source"], "192.168.1.1")

    def test_post_creates(self):
        for path, name, body, _ in self.each():
            answer = self.ok(self.agent.post(path.rsplit("/", 1)[0], {"name": name, **body}), 201)
            self.assertEqual(answer.headers["Location"], path)

    def test_post_of_an_existing_name_is_refused(self):
        for path, name, body, _ in self.each():
            self.agent.put(path, body)
            answer = self.agent.post(path.rsplit("/", 1)[0], {"name": name, **body})
            self.problem(answer, 409, "already-exists", "/name")

    def test_same_document_again_changes_nothing(self):
        for path, _, body, _ in self.each():
            self.agent.put(path + "?wait=10", body)
            before, revision = self.agent.get(path), self.revision()
            after = self.ok(self.agent.put(path, body))
            self.assertEqual(after.body["generation"], 1)
            self.assertEqual(after.text, before.text)
            self.assertEqual(self.revision(), revision)

    def test_what_get_gave_can_be_put_back(self):
        for path, _, body, _ in self.each():
            self.agent.put(path, body)
            document = self.agent.get(path).body
            self.assertEqual(self.ok(self.agent.put(path, document)).body["generation"], 1)

    def test_put_replaces_and_counts_the_generation(self):
        for path, _, body, change in self.each():
            first = self.agent.put(path, body)
            second = self.ok(self.agent.put(path, {**body, **change}))
            self.assertEqual(second.body["generation"], 2)
            self.assertEqual(second.body["uid"], first.body["uid"])
            self.assertNotEqual(second.etag, first.etag)
            third = self.ok(self.agent.put(path, body))
            self.assertNotIn(next(iter(change)), third.body)

    def test_patch_changes_and_null_removes(self):
        for path, _, body, change in self.each():
            self.agent.put(path, body)
            answer = self.ok(self.agent.patch(path, change))
            for member, value in {**body, **change}.items():
                self.assertEqual(answer.body[member], value)
            answer = self.ok(self.agent.patch(path, dict.fromkeys(change)))
            self.assertEqual(answer.body["generation"], 3)
            self.assertNotIn(next(iter(change)), answer.body)

    def test_patch_that_changes_nothing_keeps_the_generation(self):
        for path, _, body, _ in self.each():
            self.agent.put(path, body)
            self.assertEqual(self.ok(self.agent.patch(path, {})).body["generation"], 1)

    def test_labels_and_comment_are_kept(self):
        for path, _, body, _ in self.each():
            more = {"labels": {"b": "2", "a": "1"}, "comment": "für Ä"}
            answer = self.ok(self.agent.put(path, {**body, **more}), 201)
            self.assertEqual((answer.body["labels"], answer.body["comment"]),
                             (more["labels"], more["comment"]))

    def test_delete_answers_when_it_is_gone(self):
        self.three()
        for path in ("nat-rules/exit", "exit-routes/qq", "tunnels/tun_a"):
            answer = self.ok(self.agent.delete("/v1/" + path), 204)
            self.assertEqual(answer.text, "")
            self.problem(self.agent.get("/v1/" + path), 404, "not-found")
        self.assertEqual(self.agent.objects("link tun_a"), [])
        self.assertEqual(self.agent.objects("nft"), [])

    def test_a_deleted_name_can_be_declared_again(self):
        first = self.agent.put("/v1/tunnels/tun_a?wait=10", TUNNEL)
        self.ok(self.agent.delete("/v1/tunnels/tun_a"), 204)
        second = self.ok(self.agent.put("/v1/tunnels/tun_a?wait=10", TUNNEL), 201)
        self.assertNotEqual(first.body["uid"], second.body["uid"])
        self.assertEqual(second.body["generation"], 1)

    def test_head_is_get_without_the_body(self):
        self.three()
        for path in ("/v1/tunnels", "/v1/tunnels/tun_a", "/v1/config", "/v1/status", "/livez"):
            with self.subTest(path):
                get, head = self.agent.get(path), self.agent.ask("HEAD", path)
                self.assertEqual((head.status, head.text), (200, ""))
                self.assertEqual(head.headers["Content-Length"], str(len(get.text)))
                self.assertEqual(head.etag, get.etag)

    def test_get_of_what_is_known_is_304(self):
        self.three()
        answer = self.agent.get("/v1/tunnels/tun_a")
        again = self.agent.get("/v1/tunnels/tun_a", **{"If-None-Match": answer.etag})
        self.assertEqual((again.status, again.text, again.etag), (304, "", answer.etag))
        self.ok(self.agent.get("/v1/tunnels/tun_a", **{"If-None-Match": '"other"'}))

    def test_disabled_is_absent_from_the_kernel(self):
        self.three()
        answer = self.ok(self.agent.patch("/v1/nat-rules/exit?wait=10", {"enabled": False}))
        self.assertEqual(answer.state, "disabled")
        self.assertEqual([line for line in self.agent.objects("nft-chain") if "nat" in line], [])
        answer = self.ok(self.agent.patch("/v1/nat-rules/exit?wait=10", {"enabled": None}))
        self.assertEqual(answer.state, "ready")

    def test_names_may_be_percent_encoded(self):
        self.agent.put("/v1/tunnels/tun_a", TUNNEL)
        self.ok(self.agent.get("/v1/tunnels/tun%5Fa"))


if __name__ == "__main__":
    api.main()
