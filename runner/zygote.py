"""The zygote: imports the AWS SDK, and what the app vouches for, once; then forks each worker.

Nothing else is imported before the fork, and a worker sees what is only when it imports it itself:
see `runner.preloaded`. It serves one daemon over a Unix stream socket, a JSON document a line. From
the daemon, in this order:

``{"preload": [NAMES]}``   first, once, with ``"debugger": FOLDER`` where workers are to be open to
                           debuggers; answered by ``{"ready": {"failed": {NAME: WHY}, "site":
                           BOOL}}``, where ``site`` tells that Python's own start has imported what
                           may have read the environment, or, when an import left a thread running,
                           ``{"unsafe": NAME}`` and the end: a process with threads cannot be
                           forked safely, so try again without it
``{"fork": N, "root": DIR, "environment": {...}}``, with the output's descriptor (SCM_RIGHTS);
                           answered by ``{"forked": N, "pid": PID}``, or with ``"error": WHY``
``{"signal": PID, "number": S}``   to the group of that worker, if any of it is left
``{"retire": true}``       end as soon as no worker is left

and on its own ``{"exited": PID, "status": WAIT_STATUS}``. When the socket closes, the daemon is
gone: everything that was forked is killed, and the zygote ends.

A moment after a fork the next one is made in advance, a spare, which waits to be told what it is:
that takes the fork itself out of the way of who waits for a worker.

A worker is the leader of a process group. What is left of it when it ends gets SIGTERM, and
SIGKILL after LINGER seconds. The zygote adopts orphans, so it is the one that reaps them, and a
group's number cannot be taken by strangers while the zygote still signals it.
"""

from __future__ import annotations

import array
import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from runner import debugging, preloaded, process, warm
from runner.preloading import Notes

SPARE_PAUSE = 0.04
"""Seconds after a fork in which the next one is not made in advance: it would compete with it."""
SPARE_RETRY = 10.0
"""Seconds until one is made again that could not be made, or was killed."""
LINGER = 10.0
"""Seconds that a worker's own children may take to end once it is gone."""


def main(descriptor: int, notes: Notes) -> bool:
    """Serve the daemon at the other end of `descriptor`. True in a fork, which is a worker now."""
    # What is collected leaves holes, and filling them in a fork copies pages: see `gc.freeze`.
    gc.disable()
    control = socket.socket(fileno=descriptor)
    control.set_inheritable(False)
    zygote = Zygote(control, notes)
    if not zygote.preload():
        return False
    process.adopt_orphans()
    process.outlive_parent()  # from here on, the closed socket says it, and there is time to clean
    request = zygote.serve()
    if isinstance(request, Spare):
        request = request.wait()
    if request is None:
        return False
    become_worker(request)
    return True


class Request:
    """What a forked worker has to become."""

    def __init__(self, root: str, environment: dict[str, str], output: int) -> None:
        self.root = root
        self.environment = environment
        self.output = output


class Spare:
    """A fork that waits to be told what it has to become; each process has its end of a socket."""

    def __init__(self, end: socket.socket, pid: int = 0) -> None:
        self.pid = pid
        self._end = end

    def give(self, message: dict[str, Any], output: int) -> bool:
        """Tell it, as the parent; whether it is still there."""
        told = json.dumps([message["root"], message["environment"]]).encode() + b"\n"
        try:
            sent = socket.send_fds(self._end, [told], [output])
            if sent < len(told):  # who has read all of it hangs up
                self._end.sendall(told[sent:])
        except OSError:
            return False
        finally:
            self._end.close()
        return True

    def wait(self) -> Request:
        """Be told, as the fork. Ends the process if nobody will."""
        told, descriptors, _, _ = socket.recv_fds(self._end, 65536, 1)
        while told and not told.endswith(b"\n"):
            more = self._end.recv(65536)
            told = told + more if more else b""
        self._end.close()
        if not told or not descriptors:
            os._exit(0)
        root, environment = json.loads(told)
        return Request(root, environment, descriptors[0])

    def close(self) -> None:
        """End it, as the parent: nobody will tell it anything."""
        self._end.close()


class Zygote:
    """The parent's side; `serve` returns in each forked child what that is, and None at the end."""

    def __init__(self, control: socket.socket, notes: Notes) -> None:
        self._control = control
        self._notes = notes
        self._pid = os.getpid()
        self._buffer = b""
        self._descriptors: list[int] = []
        self._workers: set[int] = set()
        self._lingering: dict[int, float] = {}
        self._retiring = False
        self._spare: Spare | None = None
        self._spare_at = 0.0
        """When the next spare is made, if there is none."""

    def preload(self) -> bool:
        """Import what the daemon asks for; False when that cannot be forked."""
        request = self._receive()
        names = request["preload"]
        failed: dict[str, str] = {}
        data = [name for name in names if name.startswith(warm.PREFIX)]
        steps: list[tuple[str, Callable[[str], object]]] = [
            (name, importlib.import_module) for name in names if name not in data
        ]
        if any(name.partition(".")[0] in ("botocore", "boto3") for name in names):
            steps += [
                ("botocore client", lambda _: warm.install()),
                *((d, warm.read) for d in data),
            ]
        for name, step in steps:
            try:
                step(name)
            except BaseException as error:
                failed[name] = f"{type(error).__name__}: {error}"
            if threading.active_count() > 1:
                self._send({"unsafe": name})
                return False
        warm.keep()
        preloaded.use(self._notes.end())
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        if folder := request.get("debugger"):
            with contextlib.suppress(Exception):  # the fork tells
                debugging.load(folder)
        gc.freeze()
        self._send({"ready": {"failed": failed, "site": preloaded.site(self._notes.base)}})
        return True

    def serve(self) -> Request | Spare | None:
        """Fork, signal and reap until there is nothing more to do."""
        wake, waker = socket.socketpair()
        wake.setblocking(False)
        waker.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        with selectors.DefaultSelector() as selector, wake, waker:
            selector.register(self._control, selectors.EVENT_READ)
            selector.register(wake, selectors.EVENT_READ)
            while not self._retiring or self._workers or self._lingering:
                born: Request | Spare | None = self._fork_ahead()
                if born is not None:
                    return self._leave(born)
                for key, _ in selector.select(self._patience()):
                    if key.fileobj is wake:
                        with contextlib.suppress(BlockingIOError):
                            wake.recv(4096)
                        continue
                    try:
                        born = self._take_all()
                    except (EOFError, ConnectionError):
                        self._kill_all()
                        return None
                    if born is not None:
                        return self._leave(born)
                self._reap()
        return None

    def _leave(self, born: Request | Spare) -> Request | Spare:
        """A fork goes its own way."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._control.close()
        return born

    # --- the daemon's requests --------------------------------------------------------------

    def _take_all(self) -> Request | None:
        """Do what the messages say. A request is returned in a forked child only."""
        while True:
            message = self._receive()
            if "fork" in message:
                request = self._fork(message)
                if request is not None:
                    return request
            elif "signal" in message:
                self._signal(message["signal"], message["number"])
            elif "retire" in message:
                self._retiring = True
                if self._spare is not None:
                    self._spare.close()
            if b"\n" not in self._buffer:
                return None

    def _fork(self, message: dict[str, Any]) -> Request | None:
        output = self._descriptors.pop(0)
        spare, self._spare = self._spare, None
        self._spare_at = time.monotonic() + SPARE_PAUSE
        if spare is not None and spare.give(message, output):
            pid = spare.pid
        else:
            try:
                pid = os.fork()
            except OSError as error:
                os.close(output)
                self._send({"forked": message["fork"], "error": str(error)})
                return None
            if pid == 0:
                self._settle()
                return Request(message["root"], message["environment"], output)
        os.close(output)
        self._workers.add(pid)
        self._send({"forked": message["fork"], "pid": pid})
        return None

    def _fork_ahead(self) -> Spare | None:
        """Make a spare, if it is time; in the parent None, and in it what it is."""
        if self._spare is not None or self._retiring or time.monotonic() < self._spare_at:
            return None
        try:
            ours, its = socket.socketpair()
        except OSError:  # there is no descriptor left
            self._spare_at = time.monotonic() + SPARE_RETRY
            return None
        try:
            pid = os.fork()
        except OSError:  # the system has no process for it now
            ours.close()
            its.close()
            self._spare_at = time.monotonic() + SPARE_RETRY
            return None
        if pid == 0:
            ours.close()
            self._settle()
            return Spare(its)
        its.close()
        self._spare = Spare(ours, pid)
        return None

    def _settle(self) -> None:
        """Be a fork of its own."""
        # The group comes first: a signal to it must reach this worker. Its session stays the
        # zygote's: Linux divides the processors among sessions (sched(7), autogroup), and a daemon
        # beside fifty of them would have a fiftieth.
        os.setpgid(0, 0)
        process.die_with_parent(self._pid)
        for others in self._descriptors:
            os.close(others)

    def _signal(self, pid: int, number: int) -> None:
        if pid in self._workers or pid in self._lingering:
            try:
                os.killpg(pid, number)
            except ProcessLookupError:  # not its own group yet: a moment after the fork
                if pid in self._workers:
                    os.kill(pid, number)
            except PermissionError:
                pass

    # --- ends -------------------------------------------------------------------------------

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                pid = 0
            if pid == 0:
                break
            if self._spare is not None and pid == self._spare.pid:
                self._spare.close()
                self._spare, self._spare_at = None, time.monotonic() + SPARE_RETRY
            elif pid in self._workers:
                self._workers.discard(pid)
                if process.group_is_left(pid):
                    self._lingering[pid] = time.monotonic() + LINGER
                    process.signal_group(pid, signal.SIGTERM)
                self._send({"exited": pid, "status": status})
        now = time.monotonic()
        for pid, deadline in list(self._lingering.items()):
            if not process.group_is_left(pid):
                del self._lingering[pid]
            elif now >= deadline:
                process.signal_group(pid, signal.SIGKILL)

    def _patience(self) -> float | None:
        now, times = time.monotonic(), []
        if self._lingering:
            times.append(max(0.05, min(self._lingering.values()) - now))
        if self._spare is None and not self._retiring:
            times.append(max(0.0, self._spare_at - now))
        return min(times, default=None)

    def _kill_all(self) -> None:
        """Kill the workers, and whoever they left to us, until there is nobody."""
        for pid in [*self._workers, *self._lingering]:
            process.signal_group(pid, signal.SIGKILL)
        process.kill_children()

    # --- the socket -------------------------------------------------------------------------

    def _receive(self) -> dict[str, Any]:
        """The next message. Descriptors come in the order of the messages that they belong to."""
        while b"\n" not in self._buffer:
            data, ancillary, _, _ = self._control.recvmsg(65536, socket.CMSG_SPACE(8 * 4))
            if not data:
                raise EOFError
            for level, kind, content in ancillary:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    numbers = array.array("i")
                    numbers.frombytes(content[: len(content) - len(content) % numbers.itemsize])
                    self._descriptors += numbers
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message

    def _send(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(ConnectionError):  # the next read says that the daemon is gone
            self._control.sendall(json.dumps(message).encode() + b"\n")


def become_worker(request: Request) -> None:
    """Make this forked process look like one that was started with `request`."""
    for descriptor, number in ((request.output, 1), (request.output, 2)):
        os.dup2(descriptor, number)
    os.close(request.output)
    gc.enable()
    os.environ.clear()
    os.environ.update(request.environment)
    time.tzset()
    os.chdir(request.root)
    del sys.orig_argv[-2:]
