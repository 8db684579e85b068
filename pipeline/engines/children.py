"""Processes that batch functions run in, and the search for the row that kills one.

Belongs here: starting, keeping and ending such processes (``pipeline.engines.worker``), and what is made of the end of
one.  Does not belong here: order, and how batches get to the machine.

A report must never take more along than itself.  A batch whose process ends is run again row by row, by a fresh
process: a row that ends its process once more is to blame, all others get their results.  So a death that had nothing
to do with the report (somebody's ``kill``, memory that others took) costs time and nothing else.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
from multiprocessing.connection import Connection
from typing import Any, TypeAlias

import pyarrow as pa

from pipeline.engines import Death, Task
from pipeline.engines.worker import OUT_OF_MEMORY, Hello, Request, read
from pipeline.errors import RunFailed

Outcome: TypeAlias = list[bytes | Death]
"""The results of a batch as Arrow streams: one, or, where its process ended, one a row, or how that row ended it."""

_DEATHS: dict[int, Death] = {OUT_OF_MEMORY: "memory", -signal.SIGPROF: "timeout", -signal.SIGALRM: "timeout"}


class Children:
    """Processes for as many batches as are run at a time, started when needed; any number of threads may use them."""

    def __init__(self, hello: Hello, environment: dict[str, str] | None = None) -> None:
        self._hello = hello
        self._environment = environment or {}
        self._lock = threading.Lock()
        self._idle: list[_Child] = []
        self._all: set[_Child] = set()
        self._closed = False

    def run(self, function: bytes, batch: bytes, rows: int) -> Outcome:
        """The results of a pickled function on a batch of so many rows.

        Raises what the function raises, and RunFailed where no process can be started.
        """
        whole = self._attempt(Request(function, batch))
        if isinstance(whole, bytes):
            return [whole]
        return [self._attempt(Request(function, batch, row)) for row in range(rows)]

    def close(self) -> None:
        """End all processes at once: there is nothing that they could lose."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            for child in self._all:
                child.kill()
        for child in idle:  # the others are ended by the threads that wait for them
            child.end()

    def _attempt(self, request: Request) -> bytes | Death:
        while True:
            child = self._take()
            answer = child.ask(request)
            if answer is not None:
                self._give_back(child)
                return _result(answer)
            status = self._forget(child)
            if self._closed:
                raise RunFailed("The run was given up.")
            if status != 0:  # 0: it had just ended because nothing had come for long enough
                return _DEATHS.get(status, "crashed")

    def _take(self) -> "_Child":
        with self._lock:
            if self._idle:
                return self._idle.pop()
        child = _Child(self._environment)
        with self._lock:
            self._all.add(child)
            if self._closed:
                child.kill()
        try:
            _greet(child, self._hello)
        except Exception:
            self._forget(child)
            raise
        return child

    def _forget(self, child: "_Child") -> int:
        """End a process, if it has not ended; its exit status."""
        status = child.end()
        with self._lock:
            self._all.discard(child)
        return status

    def _give_back(self, child: "_Child") -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(child)
                return
        self._forget(child)  # nobody else would wait for its end


class _Child:
    """One process, and the socket to it."""

    def __init__(self, environment: dict[str, str]) -> None:
        ours, theirs = socket.socketpair()
        # Threads of a numeric library in each of several processes would stand in each other's way, and could change
        # the last digit of a sum; Arrow's usual allocator reserves a gigabyte, which would count as memory used.
        settings = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}
        path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)  # noqa: PTH109
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  # ourselves
                [sys.executable, "-P", "-m", "pipeline.engines.worker", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # the last words of a library that crashes may quote a report
                env=settings | os.environ | environment | {"PYTHONPATH": path},
                process_group=0,  # Ctrl-C is for the process that started it
            )
        self._connection: Connection[Any, Any] = Connection(ours.detach())

    def ask(self, request: object) -> tuple[bool, Any] | None:
        """The answer; None where the process ended first."""
        try:
            self._connection.send(request)
            return self._connection.recv()  # type: ignore[no-any-return]
        except (EOFError, OSError):
            return None

    def kill(self) -> None:
        """End the process; whoever waits for an answer hears that there is none."""
        self._process.kill()

    def end(self) -> int:
        """Close the socket, which ends the process if it has not ended; its exit status, negative for a signal."""
        self._connection.close()
        try:
            return self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


def _greet(child: _Child, hello: Hello) -> None:
    answer = child.ask(hello)
    if answer is None:
        raise RunFailed(
            f"A worker process did not start (exit status {child.end()}): {sys.executable} -m pipeline.engines.worker "
            "must run here, within the memory that workers may have."
        )
    _result(answer)


def _result(answer: tuple[bool, Any]) -> bytes:
    done, value = answer
    if not done:
        raise value
    return value  # type: ignore[no-any-return]


def results(task: Task, batch: pa.RecordBatch, outcome: Outcome) -> list[pa.RecordBatch]:
    """The results of a batch, those of rows that ended their process among them."""
    return [
        read(result) if isinstance(result, bytes) else task.crashed(batch.slice(row, 1), result)
        for row, result in enumerate(outcome)
    ]
