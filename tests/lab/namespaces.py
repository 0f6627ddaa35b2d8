# SPDX-License-Identifier: GPL-2.0-or-later
"""Network namespaces: made and gone, entered by a thread, programs run in them.

Everything that can be done inside this process is (entering a namespace,
sysctls, pings, captures): on the emulated CPU a process costs 50 to 150 ms.
"""
import collections
import contextlib
import ctypes
import fcntl
import itertools
import json
import os
import socket
import struct
import subprocess
import threading
import time

CLONE_NEWNET = 0x40000000
MS_BIND = 0x1000
MNT_DETACH = 2
SIOCSIFFLAGS = 0x8914
IFF_UP = 1

_libc = ctypes.CDLL(None, use_errno=True)
serial = itertools.count(1)


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


Result = collections.namedtuple("Result", "status out err")


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


def has_link(ns, name):
    with inside(ns):
        try:
            socket.if_nametoindex(name)
            return True
        except OSError:
            return False


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
