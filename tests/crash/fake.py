# SPDX-License-Identifier: GPL-2.0-or-later
"""The agent on the fake kernel, as the crash and torture tests use it."""

import contextlib
import http.client
import os
import pathlib
import re
import shutil
import signal
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "api"))
import api  # noqa: E402
import events  # noqa: E402
import model  # noqa: E402

LOCAL = "172.16.16.22"
FOREIGN = ("foreign-link theirs ipip 172.16.16.22 172.16.9.9",
           "addr theirs 10.77.0.1/24",
           "route 10.78.0.0/16 dev theirs table 7000 protocol 4")


class Died(OSError):
    """The agent is gone: what was asked of it has no answer."""


class Agent(api.Agent):
    def __init__(self):
        super().__init__(*FOREIGN)
        self.more = {}

    def environment(self, **more):
        return super().environment(**more, **self.more)

    def start(self, **environment):
        """False: it died on its way."""
        self.more = environment
        with contextlib.suppress(FileNotFoundError):
            (self.directory / "hits").unlink()
        try:
            super().start()
        except RuntimeError:
            if self.process.poll() is None:
                raise
            return False
        return True

    def arm(self, failpoint, **environment):
        return self.start(IPIPD_FAILPOINT=failpoint,
                          IPIPD_FAILPOINT_LOG=str(self.directory / "hits"), **environment)

    def hits(self):
        path = self.directory / "hits"
        return path.read_text().split() if path.exists() else []

    def request(self, method, path, body):
        try:
            answer = self.ask(method, path, body)
        except (OSError, http.client.HTTPException) as error:
            raise Died(str(error)) from error
        return answer.status, answer.body

    def check_events(self):
        faults = list(model.event_faults(events.kept(self), self.request))
        if faults:
            raise AssertionError("\n".join(faults))

    def was_killed(self):
        """After its death: by the failpoint, and nothing else."""
        code = self.process.wait(10)
        self.process = None
        return code == -signal.SIGKILL

    def new_database(self):
        shutil.rmtree(self.db.parent, ignore_errors=True)

    def tail(self):
        return "\n".join(self.log.splitlines()[-25:])


def write_together(client, agent, writes):
    """Writers that share a turn. True: somebody got no answer."""
    died = []

    def one(write):
        try:
            client.send(agent.request, write)
        except OSError:
            died.append(write)

    threads = [threading.Thread(target=one, args=(write,)) for write in writes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return bool(died)


def write_burst(client, agent, n):
    """Of different names, so that no write depends on which came first."""
    writes = {}
    for _ in range(n):
        write = client.write_one()
        for key in write.effect:
            writes.setdefault(key, write)
    return write_together(client, agent, list(writes.values()))


def normal(lines):
    """Without what may differ between two agents: database ids, and numbers of tables."""
    text = "\n".join(lines)
    tables = dict(re.findall(r"^rule \d+ (\S+) \d+ \d+ lookup (7\d\d\d) ", text, re.M))
    for prefix, table in tables.items():
        if table != "7000":
            text = re.sub(rf"\b{table}\b", f"table-of-{prefix}", text)
    text = re.sub(r"ipipd:[0-9a-f]{8}:", "ipipd:ID:", text)
    return sorted(text.splitlines())


def converged(agent):
    """Waits for a full pass after which nothing is left to do; the kernel's objects then."""
    document = plan = None
    for _ in range(50):
        status, document = agent.request("POST", "/v1/reconcile?wait=10", None)
        if status != 200:
            continue
        plan = agent.request("POST", "/v1/plan", None)[1]
        if plan.get("ops") == []:
            return normal(agent.objects())
    raise AssertionError(f"no convergence: {document}\n{plan}\n{agent.tail()}")


def fresh_objects(config):
    """What a new agent on a new host makes of that declaration."""
    agent = Agent()
    try:
        agent.start()
        status, document = agent.request("PUT", "/v1/config", config)
        if status != 200:
            raise AssertionError(f"a fresh agent refuses: {document}")
        return converged(agent)
    finally:
        agent.clean()


def clean(agent):
    if os.environ.get("CRASH_KEEP"):
        print("kept:", agent.directory, file=sys.stderr)
        if agent.process:
            agent.process.kill()
            agent.process.wait()
    else:
        agent.clean()
