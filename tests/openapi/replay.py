#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Holds recorded answers against api/openapi.json: prism forwards to a server that plays them.

    replay.py PRISM FOLDER

The requests were the tests' own, malformed ones too, and went straight to the agent. Here those
that it served are asked again as they were, and are held against the document too; of the others
only method and path. What prism reads is stricter than the document: a member that it does not
know is a fault, and what answers outside of its operations (404 and 405) has an operation for
itself.
"""

import collections
import concurrent.futures
import copy
import http.client
import http.server
import json
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
ELSEWHERE = "/-/elsewhere"
METHODS = ("get", "head", "put", "post", "patch", "delete", "options")
# what HTTP itself says of an answer
UNSAID = {"content-type", "content-length", "connection", "date", "transfer-encoding"}
HOP_BY_HOP = ("connection", "transfer-encoding", "content-length", "date", "keep-alive")
AT_ONCE = 4
# Answers that a kernel in memory cannot give.
IN_THE_LAB = {("/v1/{kind}/{name}/ping", "post", "200")}
START_S = 60


def close(schema):
    """No member beside those that are named."""
    if isinstance(schema, dict):
        if "properties" in schema and schema.get("type") == "object":
            schema.setdefault("additionalProperties", False)
        for value in schema.values():
            close(value)
    elif isinstance(schema, list):
        for value in schema:
            close(value)


def strict(document):
    """A copy, as prism is to read it."""
    document = copy.deepcopy(document)
    schemas = document["components"]["schemas"]
    for name, schema in schemas.items():
        schema.pop("examples", None)
        if name != "Openapi":
            close(schema)
    responses = {name[-3:]: {"$ref": f"#/components/responses/{name}"}
                 for name in document["components"]["responses"]}
    headless = {status: {"description": "refused"} for status in responses}
    document["paths"][ELSEWHERE] = {
        method: {"operationId": "elsewhere-" + method,
                 "responses": headless if method == "head" else responses}
        for method in METHODS}
    return document


def seen(template, method, status):
    """What kinds answer alike, and HEAD as GET does, is seen by one of them."""
    return (re.sub("/(tunnels|exit-routes|nat-rules)", "/{kind}", template),
            "get" if method == "head" else method, status)


class Document:
    """Finds operations."""

    def __init__(self, document):
        self.document = document
        self.paths = {template: item for template, item in document["paths"].items()}
        self.patterns = [(re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template))), template)
                         for template in sorted(self.paths, key=lambda path: path.count("{"))]

    def template(self, method, path):
        for pattern, template in self.patterns:
            if pattern.fullmatch(path) and method.lower() in self.paths[template]:
                return template
        return None

    def good(self):
        """What is promised: (template, method, status) of each answer that is no refusal."""
        return {seen(template, method, status) for template, item in self.paths.items()
                for method, operation in item.items() for status in operation["responses"]
                if status < "400"}


    def headers(self, template, method, status):
        """Names of the headers that the answer may have, in small letters."""
        components = self.document["components"]
        answer = self.paths[template][method.lower()]["responses"].get(str(status), {})
        if "$ref" in answer:
            answer = components["responses"][answer["$ref"].split("/")[-1]]
        return {name.lower() for name in answer.get("headers", {})}


class Player(http.server.BaseHTTPRequestHandler):
    """Answers with the recorded answer of that number."""

    protocol_version = "HTTP/1.1"
    answers = []

    def play(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, headers, text = self.answers[int(self.headers["x-answer"])][1][3:]
        body = text.encode()
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() in HOP_BY_HOP or (self.command, name) == ("HEAD", "Content-Type"):
                continue # prism would read an empty body as JSON
            self.send_header(name, value)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = do_OPTIONS = play

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


class Prism:
    """One proxy on loopback in front of that port."""

    def __init__(self, program, document, upstream, log, judges_requests):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.process = subprocess.Popen(
            [program, "proxy", document, f"http://127.0.0.1:{upstream}", "--errors",
             "--validate-request", str(judges_requests).lower(), "--port", str(self.port),
             "-v", "error"],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def wait(self):
        end = time.monotonic() + START_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError("prism did not start") from None
                time.sleep(0.05)

    def stop(self):
        self.process.kill()
        self.process.wait()


class Replay:
    """ports: of the prism that judges answers, and of the one that judges requests too."""

    def __init__(self, document, recorded, ports):
        self.document, self.recorded, self.ports = Document(document), recorded, ports
        self.local = threading.local()
        self.seen = collections.Counter()

    def exchange(self, port, *request):
        connections = self.local.__dict__.setdefault("connections", {})
        connection = connections.setdefault(
            port, http.client.HTTPConnection("127.0.0.1", port, timeout=60))
        try:
            connection.request(*request)
            response = connection.getresponse()
        except ConnectionError:
            connection.close() # it was idle for too long; what comes now opens it anew
            connection.request(*request)
            response = connection.getresponse()
        return response.status, response.headers, response.read().decode()

    def ask(self, number, template):
        method, path, body, status = self.recorded[number][1][:4]
        served = bool(template) and status < 300
        headers = {"x-answer": str(number), "Authorization": "Bearer prism asks for one"}
        if served and body:
            kind = "merge-patch+json" if method == "PATCH" else "json"
            headers["Content-Type"] = "application/" + kind
        elif not served:
            body, path = None, path.split("?")[0] if template else ELSEWHERE
        return self.exchange(self.ports[served], method, path, body or None, headers)

    def fault(self, number):
        """What is wrong with that answer, None when nothing is."""
        test, (method, path, _, status, given, text) = self.recorded[number]
        template = self.document.template(method, path.split("?")[0])
        if not template and status < 400:
            return f"{test}: {method} {path} {status}: no such operation in the document"
        if not template and method.lower() not in METHODS:
            return None
        known = self.document.headers(template, method, status) if template else set()
        more = {name.lower() for name, _ in given} - known - UNSAID
        if template and more and method != "HEAD":
            return f"{test}: {method} {path} {status}: headers that the document lacks: {more}"
        self.seen[seen(template or ELSEWHERE, method.lower(), str(status))] += 1
        got, headers, body = self.ask(number, template)
        violations = headers.get("sl-violations")
        if got == status and not violations:
            return None
        return (f"{test}: {method} {path} {status}\n  answered: {text[:600]}\n"
                f"  prism: {got} {violations or body[:1500]}")


def load(folder, document):
    """[(test, line)], of the tests that there are. Of refusals one is kept for each operation,
    code and place of faults: the rest of them is free text."""
    document, kept = Document(document), {}
    tests = [path.stem for path in (ROOT / "tests" / "api").glob("test_*.py")]
    for test in sorted(tests):
        path = pathlib.Path(folder) / f"{test}.jsonl"
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
            method, path, _, status, headers, text = record = json.loads(line)
            kind = line
            if status >= 400 and text:
                problem = json.loads(text)
                kind = (method, document.template(method, path.split("?")[0]), status,
                        *(name for name, _ in headers), *problem, *map(type, problem.values()),
                        problem.get("code"), *{error["code"] for error in problem["errors"]})
            kept.setdefault(kind, (test, record))
    return list(kept.values())


def deviations():
    """Answers that the document does not allow: each must be found."""
    plain, problem = [["Content-Type", "application/json"]], [
        ["Content-Type", "application/problem+json"]]
    refusal = {"type": "urn:ipipd:problem:deleting", "title": "x", "status": 409, "detail": "x",
               "instance": "/", "code": "deleting", "request_id": "x", "errors": []}
    return [(word, [method, path, body, status, headers, json.dumps(text)])
            for word, method, path, body, status, headers, text in (
        ("a member is missing", "GET", "/v1/config", "", 200, [*plain, ["ETag", '"5"']],
         {"tunnels": [{}]}),
        ("a member too many", "GET", "/livez", "", 200, plain, {"status": "alive", "x": 1}),
        ("another type", "GET", "/v1/tunnels", "", 200, plain,
         {"items": [], "revision": "1", "next": None}),
        ("another word", "GET", "/livez", "", 200, plain, {"status": "dead"}),
        ("another status", "GET", "/livez", "", 204, [], ""),
        ("another media type", "GET", "/livez", "", 200, [["Content-Type", "text/plain"]], "x"),
        ("a status without its codes", "PUT", "/v1/tunnels/a", "", 412, problem,
         {**refusal, "status": 412}),
        ("a problem elsewhere", "GET", "/v2", "", 404, problem, {**refusal, "status": 404}),
        ("a header is missing", "GET", "/v1/config", "", 200, plain, {}),
        ("a header of another form", "GET", "/v1/config", "", 200, [*plain, ["ETag", "5"]], {}),
        ("no problem", "GET", "/v1/tunnels/a", "", 404, problem, {}),
        ("a parameter out of range", "GET", "/v1/tunnels?limit=0", "", 200, plain,
         {"items": [], "revision": 1, "next": None}),
        ("another header", "GET", "/livez", "", 200, [*plain, ["X-A", "b"]], {"status": "alive"}),
        ("a body with a member too many", "POST", "/v1/plan", '{"x":1}', 200, plain,
         {"ops": [], "revision": 1}),
    )]


def replay(program, document, recorded):
    """(faults of each, None without, and what was seen)"""
    Player.answers = recorded
    upstream = Server(("127.0.0.1", 0), Player)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory(prefix="ipipd-prism-") as folder:
        path = pathlib.Path(folder) / "openapi.json"
        path.write_text(json.dumps(strict(document)), encoding="utf-8")
        with open(pathlib.Path(folder) / "log", "w+b") as log:
            prisms = [Prism(program, str(path), upstream.server_port, log, judges_requests)
                      for judges_requests in (False, True)]
            try:
                for prism in prisms:
                    prism.wait()
                run = Replay(document, recorded, [prism.port for prism in prisms])
                with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
                    return list(pool.map(run.fault, range(len(recorded)))), run.seen
            finally:
                for prism in prisms:
                    prism.stop()


def main():
    program, folder = sys.argv[1:]
    document = json.loads((ROOT / "api" / "openapi.json").read_text(encoding="utf-8"))
    wrong, recorded = deviations(), load(folder, document)
    begin = time.monotonic()
    found, counted = replay(program, document, wrong + recorded)
    faults = [f"not seen to be wrong: {word}"
              for (word, _), fault in zip(wrong, found) if not fault]
    faults += filter(None, found[len(wrong):])
    faults += [f"{method.upper()} {template} {status}: promised, and no test has seen it"
               for template, method, status in
               sorted(Document(document).good() - set(counted) - IN_THE_LAB)]
    for fault in faults:
        print(fault)
    print(f"{len(recorded)} kinds of answers, of {len(counted)} operations and statuses, in "
          f"{time.monotonic() - begin:.1f} s")
    print(f"# cases {len(found)} {len(faults)} 0")
    sys.exit(1 if faults or not recorded else 0)


if __name__ == "__main__":
    main()
