#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Lists: in the order of names, in pages, filtered."""

import json
import api


class Lists(api.ApiTest):
    def setUp(self):
        super().setUp()
        self.names = [f"t{i:02}" for i in range(25)]
        config = {"tunnels": [
            {"name": name, "remote": f"10.0.0.{i + 1}",
             "labels": {"site": "a" if i % 2 else "b", "n": str(i % 3)},
             "enabled": i != 7}
            for i, name in enumerate(reversed(self.names))]}
        self.ok(self.agent.put("/v1/config?wait=10", config))

    def names_of(self, query):
        return [item["name"] for item in self.ok(self.agent.get("/v1/tunnels" + query))
                .body["items"]]

    def test_everything_in_the_order_of_names(self):
        answer = self.agent.get("/v1/tunnels")
        self.assertEqual([item["name"] for item in answer.body["items"]], self.names)
        self.assertIsNone(answer.body["next"])
        self.assertEqual(answer.body["revision"], 1)

    def test_pages_are_whole_and_do_not_overlap(self):
        seen, after = [], ""
        for _ in range(10):
            body = self.agent.get("/v1/tunnels?limit=10" + after).body
            self.assertLessEqual(len(body["items"]), 10)
            seen += [item["name"] for item in body["items"]]
            if body["next"] is None:
                break
            after = "&after=" + body["next"]
        self.assertEqual(seen, self.names)

    def test_a_last_page_that_is_full_has_no_next(self):
        body = self.agent.get("/v1/tunnels?limit=25").body
        self.assertEqual((len(body["items"]), body["next"]), (25, None))

    def test_after_may_name_what_is_gone(self):
        self.assertEqual(self.names_of("?after=t10x&limit=2"), ["t11", "t12"])
        self.assertEqual(self.names_of("?after=zzz"), [])

    def test_labels_must_all_match(self):
        self.assertEqual(len(self.names_of("?label=site=a")), 12)
        both = self.names_of("?label=site=a&label=n=0")
        self.assertEqual(len(both), 4)
        self.assertEqual(self.names_of("?label=site=c"), [])
        self.agent.put("/v1/tunnels/odd", {"remote": "10.7.7.7", "enabled": False,
                                           "labels": {"a=b": "c=d"}})
        self.assertEqual(self.names_of("?label=a=b=c=d"), ["odd"])
        self.assertEqual(self.names_of("?label=a=b=c"), [])

    def test_filters_and_pages_go_together(self):
        first = self.agent.get("/v1/tunnels?label=site=a&limit=5").body
        rest = self.names_of("?label=site=a&after=" + first["next"])
        self.assertEqual(len(first["items"]) + len(rest), 12)

    def test_state(self):
        self.assertEqual(self.names_of("?state=disabled"), ["t17"])
        self.assertEqual(len(self.names_of("?state=ready")), 24)
        self.assertEqual(self.names_of("?state=failed"), [])

    def test_a_slow_reader_gets_one_revision(self):
        tunnels = [{"name": f"s{i:03}", "comment": "x" * 1000, "enabled": False,
                    "remote": f"198.18.{i // 250}.{i % 250 + 1}"} for i in range(999)]
        self.ok(self.agent.put("/v1/config?wait=10", {"tunnels": tunnels}))
        revision = self.revision()
        connection = api.Connection(self.agent.socket)
        self.addCleanup(connection.close)
        connection.request("GET", "/v1/tunnels?limit=1000")
        response = connection.getresponse()
        self.assertIsNone(response.headers["ETag"])
        self.ok(self.agent.put("/v1/tunnels/s998", {**tunnels[998], "comment": "new"}))
        self.ok(self.agent.delete("/v1/tunnels/s997"), 204)
        self.ok(self.agent.post("/v1/tunnels", {"name": "z", "remote": "198.51.100.9"}), 201)
        body = json.loads(response.read())
        self.assertEqual([t["comment"] for t in body["items"]], ["x" * 1000] * 999)
        self.assertEqual((body["revision"], body["next"]), (revision, None))
        self.assertEqual(self.names_of("?after=s995"), ["s996", "s998", "z"])

    def test_head_tells_the_length(self):
        head = self.ok(self.agent.ask("HEAD", "/v1/tunnels"))
        self.assertEqual(int(head.headers["Content-Length"]),
                         len(self.agent.get("/v1/tunnels").text))


if __name__ == "__main__":
    api.main()
