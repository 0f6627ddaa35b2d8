# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets sent, answered and captured."""
import contextlib
import os
import re
import select
import socket
import struct
import threading
import time

from namespaces import inside, serial

SO_RCVBUFFORCE = 33
ETH_P_ALL = 3
PACKET_OUTGOING = 4


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
        self.ident = next(serial) & 0xffff
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
