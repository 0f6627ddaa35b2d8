#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The life of a tunnel, as a controller of a few lines drives it: client.py URL TOKEN"""

import sys
import requests

URL, TOKEN = sys.argv[1:]
TUNNELS = URL + "/v1/tunnels"
HERE = TUNNELS + "/tun_a"


def want(condition, answer):
    if not condition:
        sys.exit(f"{answer.request.method} {answer.url}: {answer.status_code} {answer.text}")
    return answer


def main():
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {TOKEN}"
    answer = session.get(TUNNELS, headers={"Authorization": "Bearer none"})
    want(answer.status_code == 401, answer)

    tunnel = {"name": "tun_a", "remote": "172.16.1.62", "local": "172.16.16.22",
              "addresses": ["192.168.1.1/24"]}
    answer = session.post(TUNNELS, json=tunnel, params={"wait": 10})
    want(answer.status_code == 201 and URL + answer.headers["Location"] == HERE, answer)
    answer = session.get(HERE)
    want(answer.json()["status"]["state"] == "ready", answer)
    etag = answer.headers["ETag"]
    answer = session.get(TUNNELS, params={"limit": 10, "state": "ready"})
    want([item["name"] for item in answer.json()["items"]] == ["tun_a"], answer)

    patch = {"json": {"ttl": 9}, "params": {"wait": 10}, "headers": {
        "If-Match": etag, "Content-Type": "application/merge-patch+json"}}
    answer = session.patch(HERE, **patch)
    want(answer.ok and answer.json()["generation"] == 2, answer)
    answer = session.patch(HERE, **patch)
    want(answer.status_code == 412 and answer.json()["code"] == "precondition-failed", answer)

    answer = session.get(HERE + "/stats")
    want(answer.json()["rx"]["packets"] >= 0, answer)
    answer = session.get(URL + "/v1/config")
    want(answer.json()["tunnels"] == [{**tunnel, "ttl": 9}], answer)
    answer = session.delete(HERE)
    want(answer.status_code == 204, answer)
    answer = session.get(HERE)
    want(answer.status_code == 404, answer)


main()
