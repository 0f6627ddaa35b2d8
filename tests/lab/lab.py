# SPDX-License-Identifier: GPL-2.0-or-later
"""What the lab's tests share: namespaces, the topologies, agents, captures.

Everything that can be done inside this process is (entering a namespace,
sysctls, pings, captures): on the emulated CPU a process costs 50 to 150 ms.
"""
import collections
import contextlib
import ctypes
import fcntl
import glob
import http.client
import itertools
import json
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import unittest

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
IPIPD = os.environ.get("IPIPD_BIN", os.path.join(REPO, "build/dev/ipipd"))
IPIPCTL = os.environ.get("IPIPCTL_BIN", os.path.join(os.path.dirname(IPIPD), "ipipctl"))
OUT = os.environ.get("LAB_OUT") or tempfile.mkdtemp(prefix="ipipd-lab-out.")

A_ADDR, B_ADDR, B_OFF_LINK = "172.16.16.22", "172.16.1.62", "172.17.0.2"
ROUTER, INET = "172.16.0.1", "180.163.26.39"
INET_OTHERS = ("203.0.113.9", "198.51.100.7")
LAN, LAN_HOST = "10.8.0.1", "10.8.0.2"          # behind A
THIRD, THIRD_HOST = "10.9.0.1", "10.9.0.2"      # behind B

# "Within a second" of real time; emulation stretches it, and two guests share two cores.
SECOND = 6.0

CLONE_NEWNET = 0x40000000
MS_BIND = 0x1000
MNT_DETACH = 2
SO_RCVBUFFORCE = 33
ETH_P_ALL = 3
PACKET_OUTGOING = 4
SIOCSIFFLAGS = 0x8914
IFF_UP = 1

_libc = ctypes.CDLL(None, use_errno=True)
_serial = itertools.count(1)


# ---------------------------------------------------------------- namespaces

def _check(rc, what):
    if rc != 0:
        errno = ctypes.get_errno()
        raise OSError(errno, f"{what}: {os.strerror(errno)}")


def _setns(fd):
    _check(_libc.setns(fd, CLONE_NEWNET), "setns")


@contextlib.contextmanager
def inside(ns):
    """This thread is in the namespace; None means where it is already."""
    if ns is None:
        yield
        return
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    there = os.open(f"/run/netns/{ns}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _setns(there)
        yield
    finally:
        _setns(home)
        os.close(there)
        os.close(home)


def netns_name(name):
    """Gives this thread's namespace a name."""
    path = f"/run/netns/{name}"
    os.makedirs("/run/netns", exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDONLY, 0o444))
    _check(_libc.mount(b"/proc/thread-self/ns/net", path.encode(), b"none", MS_BIND, None),
           "mount")


def _lo_up(ns):
    with inside(ns), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))


def netns_add(name):
    failure = []

    def make():
        try:
            _check(_libc.unshare(CLONE_NEWNET), "unshare")
            netns_name(name)
        except OSError as error:
            failure.append(error)

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    _lo_up(name)


def netns_del(name):
    path = f"/run/netns/{name}"
    if os.path.exists(path):
        _libc.umount2(path.encode(), MNT_DETACH)
        os.unlink(path)


class CommandFailed(AssertionError):
    pass


def run(ns, *argv, stdin=None, check=True, timeout=120, env=None):
    """Runs a program in a namespace; its standard output as text."""
    with inside(ns):
        process = subprocess.Popen(argv, stdin=subprocess.PIPE if stdin is not None
                                   else subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, env=env)
    try:
        out, err = process.communicate(stdin, timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    if check and process.returncode != 0:
        raise CommandFailed(f"{ns}: {' '.join(argv)}: {process.returncode}: {out}{err}")
    return out if check else Result(process.returncode, out, err)


Result = collections.namedtuple("Result", "status out err")


def ip(ns, *commands, check=True):
    """Each an `ip` command line without `ip`; several run as one batch."""
    if len(commands) == 1:
        return run(ns, "ip", *commands[0].split(), check=check)
    return run(ns, "ip", "-batch", "-", stdin="\n".join(commands) + "\n", check=check)


def ip_json(ns, command):
    return json.loads(run(ns, "ip", "-j", "-d", *command.split()) or "[]")


def nft(ns, text, check=True):
    return run(ns, "nft", "-f", "-", stdin=text, check=check)


def sysctl(ns, path, value=None):
    """`net/ipv4/ip_forward`, or with a value: writes it."""
    with inside(ns):
        with open(f"/proc/sys/{path}", "r" if value is None else "w") as file:
            if value is None:
                return file.read().strip()
            file.write(str(value))
            return None


def eventually(predicate, timeout=10.0, what=None):
    """Polls until the predicate gives something true, and returns that."""
    end = time.monotonic() + timeout
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout} s: {what or predicate}")
        time.sleep(0.02)


# ---------------------------------------------------------------- topologies

class Topology:
    """A, B, the router, a host on the Internet, one LAN behind A, one behind B.

    on-link:   a, b and the router on one bridge; off_link: b behind the router.
    own_a: A is the namespace that this process is in.
    The router knows no way to the inner network 192.168.1.0/24.
    """

    def __init__(self, off_link=False, rp_filter=0, own_a=False):
        self.prefix = f"l{os.getpid()}x{next(_serial)}"
        self.off_link, self.rp_filter, self.own_a = off_link, rp_filter, own_a
        for role in ("a", "b", "router", "inet", "switch", "third", "lan"):
            setattr(self, role, f"{self.prefix}-{role}")
        self.a_addr, self.b_addr = A_ADDR, B_OFF_LINK if off_link else B_ADDR
        self.b_gateway = "172.17.0.1" if off_link else ROUTER
        self._build()

    def _names(self):
        return (self.a, self.b, self.router, self.inet, self.switch, self.third, self.lan)

    def _make_namespace(self, ns):
        if self.own_a and ns == self.a:
            netns_name(ns)
        else:
            netns_add(ns)
        sysctl(ns, "net/ipv6/conf/default/accept_dad", 0)
        host = ns in (self.a, self.b)
        for device in ("all", "default", "lo"):
            sysctl(ns, f"net/ipv4/conf/{device}/rp_filter", self.rp_filter if host else 0)

    def _build(self):
        for ns in self._names():
            self._make_namespace(ns)
        ip(self.switch, "link add name br0 type bridge", "link set br0 up",
           f"link add name to_router type veth peer name eth0 netns {self.router}",
           "link set to_router master br0 up")
        ip(self.inet, f"link add name eth0 type veth peer name eth1 netns {self.router}",
           "link set eth0 up", f"address add {INET}/24 dev eth0",
           *[f"address add {other}/32 dev lo" for other in INET_OTHERS],
           "route add default via 180.163.26.1")
        ip(self.router, "link set eth0 up", "link set eth1 up",
           f"address add {ROUTER}/16 dev eth0", "address add 180.163.26.1/24 dev eth1",
           *[f"route add {other}/32 via {INET}" for other in INET_OTHERS])
        self._wire("a")
        self._wire("b")
        self.give_address("a")
        self.give_address("b")
        ip(self.router, f"route add 10.8.0.0/24 via {self.a_addr}",
           f"route add 10.9.0.0/24 via {self.b_addr}")
        sysctl(self.router, "net/ipv4/ip_forward", 1)

    def _wire(self, role):
        """The host's eth0 (down on the wire until give_address) and its eth1 with a LAN."""
        ns = getattr(self, role)
        if role == "b" and self.off_link:
            ip(self.router, f"link add name eth2 type veth peer name eth0 netns {ns}",
               "link set eth2 up", "address add 172.17.0.1/24 dev eth2")
        else:
            ip(self.switch, f"link add name to_{role} type veth peer name eth0 netns {ns}",
               f"link set to_{role} master br0 up")
        behind, own, other = ((self.lan, LAN, LAN_HOST) if role == "a"
                              else (self.third, THIRD, THIRD_HOST))
        ip(ns, "link set eth0 up", f"link add name eth1 type veth peer name eth0 netns {behind}",
           "link set eth1 up", f"address add {own}/24 dev eth1")
        ip(behind, "link set eth0 up", f"address add {other}/24 dev eth0",
           f"route add default via {own}")

    def give_address(self, role):
        if role == "a":
            ip(self.a, f"address add {A_ADDR}/16 dev eth0", f"route add default via {ROUTER}")
        else:
            length = 24 if self.off_link else 16
            ip(self.b, f"address add {self.b_addr}/{length} dev eth0",
               f"route add default via {self.b_gateway}")

    def reboot(self, role):
        """The host's namespace goes and comes again, its eth0 without an address."""
        ns = getattr(self, role)
        side, device = ((self.router, "eth2") if role == "b" and self.off_link
                        else (self.switch, f"to_{role}"))
        behind = self.lan if role == "a" else self.third
        netns_del(ns)
        for other, name in ((side, device), (behind, "eth0")):
            eventually(lambda: not has_link(other, name), 30, f"{name} to go")
        self._make_namespace(ns)
        self._wire(role)
        if role == "b" and not self.off_link:
            ip(self.router, "neigh flush all", check=False)

    def close(self):
        if self.own_a:
            ip(self.a, "link delete eth0", "link delete eth1", check=False)
        for ns in self._names():
            netns_del(ns)


def has_link(ns, name):
    with inside(ns):
        try:
            socket.if_nametoindex(name)
            return True
        except OSError:
            return False


# ---------------------------------------------------------------- snapshots

_NOISE = (
    (re.compile(r"^\d+: "), ""),
    (re.compile(r"@if\d+"), "@peer"),
    (re.compile(r" (link-netnsid|iif|link-netns) \S+(?= |$)"), ""),
    (re.compile(r"\\? +valid_lft \S+ preferred_lft \S+"), ""),
    (re.compile(r" expires \d+sec"), ""),
    (re.compile(r"packets \d+ bytes \d+"), "packets N bytes N"),
    (re.compile(r"(hop_timer|gc_timer|tcn_timer|topology_change_timer|hello_timer) +\S+"), r"\1"),
)
_VOLATILE = re.compile(r"/(stable_secret|flush|mc_forwarding)$|/conf/tunl0/|/neigh/|/route/"
                       r"|/tcp_fastopen_key$|/conf/\*/mtu$|ip6tnl0|sit0")


def _lines(text, keep_order=False):
    lines = []
    for line in text.splitlines():
        if re.search(r"\btunl0\b", line):
            continue
        for pattern, replacement in _NOISE:
            line = pattern.sub(replacement, line)
        lines.append(line.rstrip())
    return lines if keep_order else sorted(lines)


def _sysctls():
    found = {}
    for folder in ("/proc/sys/net/ipv4", "/proc/sys/net/ipv6"):
        for path in (glob.glob(f"{folder}/*") + glob.glob(f"{folder}/conf/*/*")):
            if os.path.isdir(path) or _VOLATILE.search(path):
                continue
            try:
                with open(path, "rb") as file:
                    found[path] = file.read().decode(errors="replace").strip()
            except OSError:
                continue
    return [f"{path} = {value}" for path, value in sorted(found.items())]


def snapshot(ns, sysctls=True):
    """Links, addresses, routes, rules, nftables and sysctls as text to be compared."""
    eventually(lambda: not run(ns, "ip", "-6", "-o", "address", "show", "tentative"), 20,
               "IPv6 addresses to settle")
    parts = []
    with inside(ns):
        four = run(None, "ip", "-d", "-o", "-batch", "-", stdin="link show\naddress show\n"
                   "route show table all\n")
        rules = run(None, "ip", "rule", "show")
        six = run(None, "ip", "-6", "-o", "-batch", "-",
                  stdin="route show table all\nrule show\n")
        ruleset = run(None, "nft", "list", "ruleset")
        values = _sysctls() if sysctls else []
    for title, lines in (("ip", _lines(four)), ("rules", _lines(rules, True)),
                         ("ip -6", _lines(six)), ("nft", _lines(ruleset, True)),
                         ("sysctl", values)):
        parts.append(f"## {title}")
        parts.extend(lines)
    return "\n".join(parts) + "\n"


def rule_lines(ns):
    return [line.strip() for line in run(ns, "ip", "rule", "show").splitlines()]


def our_routes(ns):
    """The routes of protocol 105, with their tables."""
    return run(ns, "ip", "-N", "route", "show", "table", "all", "proto", "105").splitlines()


def route_get(ns, to, *more):
    return run(ns, "ip", "route", "get", to, *more, check=False).out.split("\n")[0]


# ---------------------------------------------------------------- traffic

def _checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xffff) + (total >> 16)
    total += total >> 16
    return ~total & 0xffff


def _bound_socket(ns, kind, proto, source, device):
    with inside(ns):
        sock = socket.socket(socket.AF_INET, kind | socket.SOCK_CLOEXEC, proto)
    try:
        if device:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode() + b"\0")
        if source:
            sock.bind((source, 0))
    except OSError:
        sock.close()
        raise
    return sock


class Pinger:
    """Sends ICMP echo requests from a namespace and counts what is answered."""

    def __init__(self, ns, dst, source=None, device=None, size=56):
        self.sock = _bound_socket(ns, socket.SOCK_RAW, socket.IPPROTO_ICMP, source, device)
        self.sock.setblocking(False)
        self.dst, self.size = dst, size
        self.ident = next(_serial) & 0xffff
        self.sent, self.answered, self.send_errors = 0, set(), 0
        self._thread, self._stop = None, threading.Event()

    def send(self):
        self.sent += 1
        payload = bytes(self.size)
        head = struct.pack("!BBHHH", 8, 0, 0, self.ident, self.sent)
        head = struct.pack("!BBHHH", 8, 0, _checksum(head + payload), self.ident, self.sent)
        try:
            self.sock.sendto(head + payload, (self.dst, 0))
        except OSError:
            self.send_errors += 1

    def receive(self, timeout):
        end = time.monotonic() + timeout
        while len(self.answered) < self.sent:
            left = max(0, end - time.monotonic())
            if not select.select([self.sock], [], [], left)[0]:
                break
            with contextlib.suppress(OSError):
                packet = self.sock.recv(65536)
                offset = (packet[0] & 15) * 4
                kind, _, _, ident, seq = struct.unpack("!BBHHH", packet[offset:offset + 8])
                if kind == 0 and ident == self.ident:
                    self.answered.add(seq)

    def start(self, interval=0.05):
        def loop():
            while not self._stop.is_set():
                self.send()
                self.receive(0)
                self._stop.wait(interval)
        self._thread = threading.Thread(target=loop, daemon=True)
        self._thread.start()
        return self

    def stop(self, timeout=1.0):
        self._stop.set()
        if self._thread:
            self._thread.join()
        if self.sock.fileno() >= 0:
            self.receive(timeout)
            self.sock.close()
        return self.sent, len(self.answered)


def ping(ns, dst, count=3, source=None, device=None, timeout=3.0, interval=0.02, size=56):
    """The number of answers to `count` echo requests."""
    try:
        pinger = Pinger(ns, dst, source, device, size)
    except OSError:
        return 0
    for _ in range(count):
        pinger.send()
        pinger.receive(0)
        time.sleep(interval)
    return pinger.stop(timeout)[1]


def ping_none(ns, dst, **more):
    """True when nothing answers; short, since it waits for nothing."""
    return ping(ns, dst, count=3, timeout=0.7, **more) == 0


class TcpServer:
    """Echoes what it gets. One per (namespace, port); lives in a thread here."""

    def __init__(self, ns, port=7777):
        with inside(ns):
            self.sock = socket.create_server(("", port))
        self.peers = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                conn, peer = self.sock.accept()
                self.peers.append(peer[0])
                threading.Thread(target=self._echo, args=(conn,), daemon=True).start()

    @staticmethod
    def _echo(conn):
        with conn, contextlib.suppress(OSError):
            while data := conn.recv(65536):
                conn.sendall(data)

    def close(self):
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()


def tcp_ok(ns, dst, port=7777, source=None, device=None, timeout=5.0, size=20000):
    """A connection is made and `size` bytes come back through it."""
    try:
        with _bound_socket(ns, socket.SOCK_STREAM, 0, source, device) as sock:
            sock.settimeout(timeout)
            sock.connect((dst, port))
            want = os.urandom(size)
            sock.sendall(want)
            got = b""
            while len(got) < size:
                part = sock.recv(65536)
                if not part:
                    return False
                got += part
            return got == want
    except OSError:
        return False


# ---------------------------------------------------------------- captures

class Packet:
    """One IPv4 packet, and the one inside when it is IPIP."""

    def __init__(self, data, outgoing=False):
        self.outgoing, self.inner = outgoing, None
        self.proto = data[9]
        self.ttl, self.tos = data[8], data[1]
        self.src, self.dst = socket.inet_ntoa(data[12:16]), socket.inet_ntoa(data[16:20])
        body = data[(data[0] & 15) * 4:]
        self.what = f"proto {self.proto}"
        self.mss = None
        if self.proto == 4 and len(body) >= 20:
            self.inner = Packet(body, outgoing)
            self.what = str(self.inner)
        elif self.proto == 1 and len(body) >= 8:
            names = {0: "echo reply", 3: "unreachable", 5: "redirect", 8: "echo request",
                     11: "time exceeded"}
            kind, code, _, _, seq = struct.unpack("!BBHHH", body[:8])
            self.icmp = kind
            self.what = f"ICMP {names.get(kind, kind)}" + (f" seq {seq}" if kind in (0, 8)
                                                           else f" code {code}")
        elif self.proto == 6 and len(body) >= 20:
            sport, dport = struct.unpack("!HH", body[:4])
            flags = "".join(c for bit, c in ((2, "S"), (16, "."), (1, "F"), (4, "R"))
                            if body[13] & bit)
            self.what = f"TCP {sport} > {dport} [{flags}]"
            self.mss = self._mss(body)

    @staticmethod
    def _mss(body):
        options = body[20:(body[12] >> 4) * 4]
        while options and options[0] != 0:
            if options[0] == 1:
                options = options[1:]
                continue
            if len(options) < 2 or options[1] < 2:
                break
            if options[0] == 2:
                return struct.unpack("!H", options[2:4])[0]
            options = options[options[1]:]
        return None

    def __str__(self):
        return f"{self.src} > {self.dst}: {self.what}"

    def addresses(self):
        """Of the outer and all inner headers."""
        return {self.src, self.dst} | (self.inner.addresses() if self.inner else set())


class Capture:
    """What passes a device, from now on. The kernel's queue holds it until it is read,
    so nothing is lost to a reader that is late, and nothing needs to be flushed."""

    def __init__(self, ns, device):
        with inside(ns):
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC,
                                      0)
            self.sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
            self.sock.bind((device, ETH_P_ALL))
        self.sock.setblocking(False)
        self.name = f"{ns} {device}"
        self.packets = []

    def read(self):
        with contextlib.suppress(OSError):
            while True:
                data, address = self.sock.recvfrom(65536)
                if address[1] == 0x0800 and len(data) >= 20:
                    self.packets.append(Packet(data, address[2] == PACKET_OUTGOING))
        return self.packets

    def stop(self):
        self.read()
        self.sock.close()
        return self.packets

    def lines(self):
        return [str(packet) for packet in self.read()]

    def has(self, pattern, outgoing=None):
        """The packets whose text matches from its beginning."""
        return [packet for packet in self.read()
                if (outgoing is None or packet.outgoing == outgoing)
                and re.match(pattern, str(packet))]


# ---------------------------------------------------------------- agents

class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("ipipd", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


Answer = collections.namedtuple("Answer", "status headers body")


class Api:
    """An agent as its clients see it. Its log is shown when a test fails."""

    live = []

    def __init__(self, name, path):
        self.name, self.socket = name, path
        Api.live.append(self)

    def forget(self):
        with contextlib.suppress(ValueError):
            Api.live.remove(self)

    def request(self, method, path, body=None, headers=None, timeout=90):
        headers = dict(headers or {})
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        if body is not None:
            headers.setdefault("Content-Type", "application/merge-patch+json"
                               if method == "PATCH" else "application/json")
        connection = _UnixConnection(self.socket, timeout)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            data = response.read()
            kind = response.headers.get("Content-Type", "")
            parsed = json.loads(data) if data and "json" in kind else data.decode()
            return Answer(response.status, dict(response.headers), parsed)
        finally:
            connection.close()

    def ok(self, method, path, body=None, headers=None, status=None):
        answer = self.request(method, path, body, headers)
        good = answer.status == status if status else 200 <= answer.status < 300
        assert good, f"{self.name}: {method} {path}: {answer.status} {answer.body}"
        return answer.body

    def put(self, path, body, state="ready"):
        """PUT and wait; the resource must then be in this state."""
        wait = 2 if state == "pending" else 30
        answer = self.ok("PUT", f"/v1/{path}?wait={wait}", body)
        assert answer["status"]["state"] == state, \
            f"{self.name}: {path} is {json.dumps(answer['status'])}, not {state}"
        return answer

    def delete(self, path):
        answer = self.request("DELETE", f"/v1/{path}?wait=30")
        assert answer.status == 204, f"{self.name}: DELETE {path}: {answer.status} {answer.body}"

    def get(self, path):
        return self.ok("GET", f"/v1/{path}")

    def state(self, path):
        return self.get(path)["status"]["state"]

    def wait_state(self, path, state, timeout=30):
        eventually(lambda: self.state(path) == state, timeout, f"{path} to be {state}")
        return self.get(path)["status"]

    def plan(self):
        return self.ok("POST", "/v1/plan")["ops"]

    def clear(self):
        """The whole declaration goes."""
        return self.ok("PUT", "/v1/config?wait=30",
                       {"tunnels": [], "exit_routes": [], "nat_rules": []})


class Agent(Api):
    """An ipipd in a namespace, with its folder of socket, database and log."""

    def __init__(self, ns, name=None, start=True, arguments=()):
        name = name or ns
        self.ns, self.folder = ns, tempfile.mkdtemp(prefix=f"ipipd-{name}.")
        super().__init__(name, os.path.join(self.folder, "ipipd.sock"))
        self.database = os.path.join(self.folder, "db", "ipipd.db")
        os.mkdir(os.path.dirname(self.database), 0o700)
        self.log_path = os.path.join(self.folder, "log")
        self.arguments, self.process = list(arguments), None
        if start:
            self.start()

    def command(self, *more):
        return ["ip", "netns", "exec", self.ns, IPIPD, "--socket", self.socket, "--db",
                self.database, "--log-level", "debug", *self.arguments, *more]

    def start(self, ready=True):
        assert self.process is None
        log = open(self.log_path, "ab")
        with log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, start_new_session=True)
        eventually(lambda: self._answers("/readyz" if ready else "/livez"), 60,
                   f"{self.name} to be ready")
        return self

    def _answers(self, path):
        if self.process.poll() is not None:
            raise AssertionError(f"{self.name}: ended with {self.process.returncode} at start")
        try:
            return self.request("GET", path, timeout=5).status == 200
        except (OSError, http.client.HTTPException):
            return False

    def _end(self, number, timeout=30):
        process, self.process = self.process, None
        if process is None:
            return None
        process.send_signal(number)
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"{self.name}: still there {timeout} s after signal {number}") \
                from None

    def stop(self):
        status = self._end(signal.SIGTERM)
        assert status in (0, None), f"{self.name}: SIGTERM ended it with {status}"

    def kill9(self):
        self._end(signal.SIGKILL)

    def restart(self):
        self.stop()
        return self.start()

    def flush(self):
        """`ipipd --flush`: removes everything that it owns."""
        return subprocess.run(self.command("--flush"), capture_output=True, text=True,
                              timeout=60, stdin=subprocess.DEVNULL, check=False)

    def close(self):
        self.forget()
        try:
            self.stop()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def log(self):
        with contextlib.suppress(OSError), open(self.log_path, errors="replace") as file:
            return file.read()
        return ""


def ipipctl(*arguments, host=None, check=False, env=None):
    """Runs the client where the test is; it reaches agents by their unix sockets."""
    argv = [IPIPCTL, *(["-H", f"unix://{host.socket}"] if host else []), *arguments]
    return run(None, *argv, check=check, env=env)


# ---------------------------------------------------------------- test cases

class LabTest(unittest.TestCase):
    """Fresh namespaces and agents for each test, gone after it."""

    maxDiff = None

    def topology(self, **more):
        topology = Topology(**more)
        self.addCleanup(topology.close)
        return topology

    def host(self, driver="dummy"):
        """One namespace like A, its wires going nowhere: cheap. (A veth will do for them, where
        the kernel has no dummy.)"""
        ns = f"l{os.getpid()}x{next(_serial)}-host"
        netns_add(ns)
        self.addCleanup(netns_del, ns)
        sysctl(ns, "net/ipv6/conf/default/accept_dad", 0)
        ip(ns, f"link add name eth0 type {driver}", f"link add name eth1 type {driver}",
           "link set eth0 up", "link set eth1 up", f"address add {A_ADDR}/16 dev eth0",
           f"address add {LAN}/24 dev eth1", f"route add default via {ROUTER}")
        return ns

    def agent(self, ns, name=None, **more):
        agent = Agent(ns, name, start=False)
        self.addCleanup(agent.close)
        return agent.start(**more)

    def pair(self, **more):
        """A topology with an agent on each host."""
        topology = self.topology(**more)
        return topology, self.agent(topology.a, "a"), self.agent(topology.b, "b")

    def capture(self, ns, device):
        capture = Capture(ns, device)
        self.addCleanup(capture.sock.close)
        return capture

    def tcp_server(self, ns, port=7777):
        server = TcpServer(ns, port)
        self.addCleanup(server.close)
        return server

    def pinger(self, ns, dst, **more):
        pinger = Pinger(ns, dst, **more)
        self.addCleanup(pinger.stop, 0)
        return pinger

    def assert_ping(self, ns, dst, **more):
        self.assertTrue(ping(ns, dst, **more), f"{ns}: no answer from {dst}")

    def assert_no_ping(self, ns, dst, **more):
        self.assertTrue(ping_none(ns, dst, **more), f"{ns}: an answer from {dst}")

    def assert_seen(self, capture, pattern, outgoing=None):
        self.assertTrue(capture.has(pattern, outgoing),
                        f"{capture.name}: no {pattern} in:\n" + "\n".join(capture.lines()[:40]))

    def assert_not_seen(self, capture, pattern, outgoing=None):
        seen = capture.has(pattern, outgoing)
        self.assertFalse(seen, f"{capture.name}: {len(seen)} of {pattern}, first {seen[:1]}: "
                         + "\n".join(map(str, seen[:10])))

    def assert_same(self, before, after):
        self.assertMultiLineEqual(before, after)


class _Runner:
    def __init__(self, tests):
        self.tests, self.passed, self.failed, self.skipped = tests, 0, 0, 0

    def one(self, test):
        name = f"{type(test).__name__}.{test._testMethodName}"
        result = unittest.TestResult()
        begin = time.monotonic()
        method = getattr(test, test._testMethodName)

        def with_logs():
            try:
                method()
            except unittest.SkipTest:
                raise
            except BaseException:
                self.show_agents()
                raise

        setattr(test, test._testMethodName, with_logs)
        test(result)
        took = f"({time.monotonic() - begin:.1f} s)"
        faults = result.failures + result.errors
        if faults:
            self.failed += 1
            print(f"FAIL {name} {took}")
            for _, text in faults:
                print(text)
        elif result.skipped:
            self.skipped += 1
            print(f"skip {name}: {result.skipped[0][1]}")
        else:
            self.passed += 1
            print(f"ok {name} {took}")
        sys.stdout.flush()

    @staticmethod
    def show_agents():
        for agent in Api.live:
            print(f"--- log of {agent.name}, its end")
            print("\n".join(agent.log().splitlines()[-60:]))

    def run(self):
        for test in self.tests:
            try:
                self.one(test)
            except Exception:  # a test that broke the runner is a failed test
                self.failed += 1
                traceback.print_exc(file=sys.stdout)
        print(f"# cases {self.passed} {self.failed} {self.skipped}", flush=True)
        return 0 if self.passed and not self.failed else 1


def main():
    """Runs the test cases of the calling file; arguments choose by a part of the name."""
    loader = unittest.TestLoader()
    suite = loader.loadTestsFromModule(sys.modules["__main__"])
    wanted = sys.argv[1:] or os.environ.get("LAB_TESTS", "").split()
    tests = []

    def flatten(suite):
        for test in suite:
            if isinstance(test, unittest.TestSuite):
                flatten(test)
            elif not wanted or any(part in test.id() for part in wanted):
                tests.append(test)

    flatten(suite)
    status = _Runner(tests).run()
    sys.stdout.flush()
    # threads that wait in a dead namespace must not keep the guest alive
    os._exit(status)
