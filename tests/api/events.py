# SPDX-License-Identifier: GPL-2.0-or-later
"""A reader of /v1/events, line by line, as it comes."""

import http.client
import json
import select
import time
import api

SSE, NDJSON = "text/event-stream", "application/x-ndjson"


class Follower:
    """One request for events. Each read waits for its event until the time is over."""

    def __init__(self, agent, query="", accept=None, last=None, seconds=10):
        headers = {}
        if accept:
            headers["Accept"] = accept
        if last is not None:
            headers["Last-Event-ID"] = str(last)
        self.connection = api.Connection(agent.socket)
        self.connection.timeout = seconds
        self.connection.request("GET", "/v1/events" + query, headers=headers)
        self.response = self.connection.getresponse()
        self.status, self.headers = self.response.status, self.response.headers
        self.sse = self.headers["Content-Type"] == SSE

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.response.close()
        self.connection.close()

    def is_cut_off(self, seconds):
        """Has the agent closed its end, when that time is over?"""
        ends = select.poll()
        ends.register(self.connection.sock, 0)
        return bool(ends.poll(seconds * 1000))

    def line(self):
        """Without its end; None at the end of all."""
        line = self.response.readline()
        return line.decode().removesuffix("\n") if line else None

    def block(self):
        """The lines of one event, or keepalive, of text/event-stream; None at the end."""
        lines = []
        while line := self.line():
            lines.append(line)
        return lines if lines or line == "" else None

    def document(self):
        """The next line of NDJSON that is not empty; None at the end."""
        end = time.monotonic() + self.connection.timeout
        while (line := self.line()) == "":
            if time.monotonic() > end:
                raise TimeoutError("nothing but empty lines")
        return json.loads(line) if line else None

    def event(self):
        """The next one; None at the end. Keepalives are passed over."""
        if not self.sse:
            while (found := self.document()) and found["type"] == "keepalive":
                continue
            return found
        while (lines := self.block()) is not None:
            if lines and not lines[0].startswith(":"):
                break
        if lines is None:
            return None
        fields = dict(line.split(": ", 1) for line in lines)
        document = json.loads(fields["data"])
        if (int(fields["id"]), fields["event"]) != (document["id"], document["type"]):
            raise AssertionError(lines)
        return document

    def rest(self):
        """All that come until the end."""
        events = []
        try:
            while event := self.event():
                events.append(event)
        except (http.client.HTTPException, ConnectionError, json.JSONDecodeError):
            pass  # cut off, perhaps within an event
        return events


def kept(agent, query="", accept=None):
    """All that is there now, or what a query makes of it."""
    with Follower(agent, "?since=0&follow=false" + query, accept) as follower:
        return follower.rest()
