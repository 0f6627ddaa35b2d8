#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The scenario as a person would play it, with what each hop sees. Run by tests/demo."""
import json
import re
import subprocess
import sys
import time

import lab
from lab import A_ADDR, B_ADDR, INET, Agent, Topology

SHOWN = 6
SOCKETS = {"A": "/run/a.sock", "B": "/run/b.sock"}


def title(text):
    print(f"\n=== {text}", flush=True)


def show(prompt, command, text):
    print(f"{prompt}$ {command}")
    for line in text.rstrip().splitlines():
        print(f"  {line}")
    sys.stdout.flush()


def on(host, ns, command, quiet=False):
    """Runs a shell command on a host and shows it as it was typed there."""
    done = lab.run(ns, "bash", "-c", command, check=False)
    if not quiet:
        show(host, command, done.out + done.err)
    return done


def curl(host, method, path, body=None):
    """A request by curl, as a person would type it; the answer's document."""
    data = f" -H 'Content-Type: application/json' \\\n    -d '{json.dumps(body)}'" if body else ""
    command = (f"curl -sS -i --unix-socket {SOCKETS[host]} -X {method}{data}"
               f" \\\n    'http://ipipd/v1/{path}'")
    done = lab.run(None, "bash", "-c", command, check=False)
    head, _, text = done.out.replace("\r", "").partition("\n\n")
    status = head.splitlines()[0] if head else f"no answer: {done.err}"
    document = json.loads(text) if text.strip() else None
    show(host, command, f"{status}\n{json.dumps(document) if document else ''}")
    if not re.search(r" 20[014]", status):
        raise SystemExit(f"demo: {method} {path} was refused")
    state = (document or {}).get("status", {}).get("state", "ready")
    if state != "ready":
        raise SystemExit(f"demo: {path} is {state}, not ready")
    return document


class Hop:
    """tcpdump on one device while something happens."""

    def __init__(self, name, ns, device, only):
        self.name = f"{name}, {device}"
        with lab.inside(ns):
            self.process = subprocess.Popen(
                ["tcpdump", "-l", "-n", "-t", "-q", "--immediate-mode", "-i", device, only],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                text=True)
        line = ""
        while "listening on" not in line:
            line = self.process.stderr.readline()
            if not line:
                raise SystemExit(f"demo: tcpdump on {self.name} did not start")

    def stop(self):
        self.process.terminate()
        # it ends with an empty one
        lines = [line for line in self.process.communicate()[0].splitlines() if line]
        print(f"  seen on {self.name}:")
        for line in lines[:SHOWN]:
            print("     ", line)
        if not lines:
            print("      nothing")
        elif len(lines) > SHOWN:
            print(f"      ({len(lines) - SHOWN} more)")
        sys.stdout.flush()
        return "\n".join(lines)


def watched(t, command, only="icmp or proto 4 or tcp"):
    """Runs a command on A and shows what passed each hop."""
    hops = [Hop("A", t.a, "tun_a", only), Hop("B", t.b, "eth0", only),
            Hop("the Internet host", t.inet, "eth0", only)]
    done = on("A", t.a, command)
    time.sleep(0.5)
    return done, [hop.stop() for hop in hops]


def scenario(t):
    title("The hosts, before anything")
    on("A", t.a, "ip -br -4 address; ip route")
    on("B", t.b, "ip -br -4 address; ip route; sysctl -n net.ipv4.ip_forward")

    title("1. A tunnel between A and B")
    curl("A", "PUT", "tunnels/tun_a?wait=20",
         {"local": A_ADDR, "remote": B_ADDR, "addresses": ["192.168.1.1/24"]})
    curl("B", "PUT", "tunnels/tun_b?wait=20",
         {"local": B_ADDR, "remote": A_ADDR, "addresses": ["192.168.1.2/24"]})
    on("A", t.a, "ip -d link show tun_a")
    flowed = [on("A", t.a, "ping -n -c 2 -i 0.2 -W 3 192.168.1.2").status == 0]

    title(f"2. A sends {INET} into the tunnel; B does not let it through yet")
    curl("A", "PUT", "exit-routes/qq?wait=20",
         {"tunnel": "tun_a", "destinations": [f"{INET}/32"]})
    on("A", t.a, f"ip route get {INET}; ip rule; ip route show table 7000")
    refused, _ = watched(t, f"ping -n -c 1 -W 1 {INET}")
    flowed.append(refused.status != 0)

    title("3. B translates and forwards: the traffic of A leaves through B")
    curl("B", "PUT", "nat-rules/exit?wait=20",
         {"sources": ["192.168.1.0/24"], "out_interface": "eth0", "action": "snat",
          "to_address": B_ADDR})
    on("B", t.b, "nft list table ip ipipd")
    on("B", t.b, "sysctl net.ipv4.ip_forward net.ipv4.conf.eth0.forwarding"
       " net.ipv4.conf.tun_b.forwarding")
    done, (tunnel, wire, outside) = watched(t, f"ping -n -c 2 -i 0.2 -W 3 {INET}")
    flowed += [
        done.status == 0,
        f"192.168.1.1 > {INET}" in tunnel,
        bool(re.search(rf"{A_ADDR} > {B_ADDR}: IP 192.168.1.1 > {INET}", wire)),
        f"IP {B_ADDR} > {INET}: ICMP echo request" in wire,
        f"{B_ADDR} > {INET}" in outside and "192.168.1" not in outside,
    ]
    server = lab.TcpServer(t.inet, 80)
    done, _ = watched(t, f"echo hello | timeout 5 nc -N {INET} 80", "tcp or proto 4")
    flowed += [done.out.strip() == "hello", server.peers == [B_ADDR]]

    title("4. Everything leaves through B, and A stays reachable")
    curl("A", "PUT", "exit-routes/all?wait=20", {"tunnel": "tun_a", "destinations": ["0.0.0.0/0"]})
    on("A", t.a, "ip rule")
    other = lab.INET_OTHERS[0]
    done, _ = watched(t, f"ping -n -c 1 -W 3 {other}")
    flowed.append(done.status == 0)
    flowed.append(on("the Internet host", t.inet,
                     f"ping -n -c 1 -W 3 {A_ADDR}").status == 0)
    return flowed


def listing(t):
    title("What the agents have")
    for host, ns in (("A", t.a), ("B", t.b)):
        for words in ("status", "tunnel list", "exit list" if host == "A" else "nat list"):
            command = f"ipipctl -H unix://{SOCKETS[host]} {words}"
            done = lab.run(ns, "bash", "-c", command.replace("ipipctl", lab.IPIPCTL, 1),
                           check=False)
            show(host, command, done.out + done.err)


def main():
    t = Topology()
    agents = []
    for host, ns in (("A", t.a), ("B", t.b)):
        agent = Agent(ns, host, start=False)
        agent.socket = SOCKETS[host]
        agents.append(agent)
    before = {ns: lab.snapshot(ns) for ns in (t.a, t.b)}
    try:
        for agent in agents:
            agent.start()
        flowed = scenario(t)
        listing(t)
        title("5. Empty lists: both hosts are as they were found")
        for host in "AB":
            curl(host, "PUT", "config?wait=20", {"tunnels": [], "exit_routes": [], "nat_rules": []})
        clean = all(lab.snapshot(ns) == old for ns, old in before.items())
        print("byte for byte the same" if clean else "NOT the same")
        flowed.append(clean)
    except BaseException:
        for agent in agents:
            print(f"--- log of {agent.name}\n" + "\n".join(agent.log().splitlines()[-30:]))
        raise
    finally:
        for agent in agents:
            agent.kill9()
    print(f"\n{flowed.count(True)} of {len(flowed)} observations as they should be", flush=True)
    return 0 if all(flowed) else 1


if __name__ == "__main__":
    sys.exit(main())
