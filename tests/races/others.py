# SPDX-License-Identifier: GPL-2.0-or-later
"""
Other programs that change the same namespace all the time: libnftables in a thread, and
`ip -batch`. Each goes over its lines again and again, and each time leaves the
same behind; `once` does that without a race. And the programs of this folder.
"""
import contextlib
import ctypes
import fcntl
import json
import mmap
import subprocess
import threading

import lab

# Lost a race itself: some nft give up then.
INTERRUPTED = "Interrupted system call", "Resource busy"


class _Nft:
    def __init__(self):
        self.library = ctypes.CDLL("libnftables.so.1")
        self.library.nft_ctx_new.restype = ctypes.c_void_p
        self.library.nft_ctx_get_error_buffer.restype = ctypes.c_char_p
        self.context = ctypes.c_void_p(self.library.nft_ctx_new(0))
        self.library.nft_ctx_buffer_error(self.context)

    def run(self, text):
        """"", or what went wrong."""
        if self.library.nft_run_cmd_from_buffer(self.context, text.encode()) == 0:
            return ""
        return self.library.nft_ctx_get_error_buffer(self.context).decode() or "failed"


class NftWriter:
    """Each of the texts is one transaction, with a pause after it that is new each time."""

    def __init__(self, ns, *texts, pauses=lambda: 0):
        self.ns, self.texts, self.pauses = ns, texts, pauses
        self.rounds, self.lost, self.failure = 0, 0, None
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._loop, daemon=True)

    def _all(self, nft):
        for text in self.texts:
            failure = nft.run(text)
            while any(words in failure for words in INTERRUPTED):
                self.lost += 1
                failure = nft.run(text)
            if failure:
                raise AssertionError(f"nft: {text}\n{failure}")
            self._ending.wait(self.pauses())
        self.rounds += 1

    def _loop(self):
        try:
            with lab.inside(self.ns):
                nft = _Nft()
                while not self._ending.is_set():
                    self._all(nft)
        except AssertionError as error:
            self.failure = error

    def once(self):
        with lab.inside(self.ns):
            self._all(_Nft())
        return self

    def start(self):
        self._thread.start()
        return self

    def stop(self):
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(30)
        if self.failure:
            raise self.failure
        return self.rounds


# `ip -batch` keeps what each line needed: hundreds of megabytes in ten thousand rounds.
IP_ROUNDS = 500


class IpWriter:
    """Lines of `ip`, many rounds by one process."""

    def __init__(self, ns, *lines):
        self.ns, self.lines = ns, lines
        self.rounds, self.failure = 0, None
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._loop, daemon=True)

    def _some(self):
        text = "".join(line + "\n" for line in self.lines)
        with lab.inside(self.ns):
            process = subprocess.Popen(["ip", "-batch", "-"], stdin=subprocess.PIPE,
                                       stderr=subprocess.PIPE, text=True)
        # rounds that wait there are rounds that still come when it is to stop
        fcntl.fcntl(process.stdin, fcntl.F_SETPIPE_SZ, mmap.PAGESIZE)
        with contextlib.suppress(BrokenPipeError), process.stdin as stdin:
            for _ in range(IP_ROUNDS):
                if self._ending.is_set():
                    break
                stdin.write(text)
                stdin.flush()
                self.rounds += 1
        error = process.stderr.read()
        status = process.wait(60)
        if status:
            raise AssertionError(f"ip: ended with {status} after {self.rounds} rounds: {error}")

    def _loop(self):
        try:
            while not self._ending.is_set():
                self._some()
        except AssertionError as error:
            self.failure = error

    def once(self):
        lab.ip(self.ns, *self.lines)
        return self

    def start(self):
        self._thread.start()
        return self

    def stop(self):
        self._ending.set()
        self._thread.join(60)
        if self.failure:
            raise self.failure
        return self.rounds


class Program:
    """One of this folder, that runs until it is stopped, and then says in JSON what it saw."""

    def __init__(self, ns, *argv):
        with lab.inside(ns):
            self._process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout.readline() == "ready\n", f"{argv} does not start"

    def stop(self, end=True):
        """Or, without `end`, waits until it ends by itself."""
        if end:
            self._process.terminate()
        # not communicate(), which misses what came together with "ready"
        with self._process.stdout as stdout:
            text = stdout.read()
        assert self._process.wait(60) == 0, f"{self._process.args} failed"
        return json.loads(text)
