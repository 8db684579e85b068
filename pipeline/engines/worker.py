"""The process that a batch function runs in: ``python -m pipeline.engines.worker FD``, started by ``children``.

Belongs here: reading requests, keeping the limits, ending when asked, and with the process that started it.  Does not
belong here: starting such processes, and what is done when one ends.

Requests and answers are pickles on a socket: first a ``Hello``, answered by "ready", then ``Request``s.  An answer is
``(True, Arrow stream)`` or ``(False, exception)``.  A report that goes beyond the limits ends the process: by a signal
(SIGPROF for processor time, SIGALRM for the clock), which the kernel delivers even where a library loops and never
comes back to Python, or with the status ``OUT_OF_MEMORY``.
"""

import os
import pickle
import resource
import signal
import sys
import threading
import traceback
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final

import pyarrow as pa

from pipeline.engines import PATIENCE, Batch, Limits
from pipeline.errors import RunFailed

OUT_OF_MEMORY: Final = 77
"""Exit status of a process in which memory was refused."""


@dataclass(frozen=True)
class Hello:
    """How a process is to work: ``idle`` seconds without work end it; ``versions`` are those it must have itself."""

    limits: Limits
    idle: float | None = None
    versions: bytes | None = None


@dataclass(frozen=True)
class Request:
    """A pickled function and a batch as Arrow stream; ``row``: run that row of it, and nothing else."""

    function: bytes
    batch: bytes
    row: int | None = None


def write(batch: pa.RecordBatch) -> bytes:
    """A batch as Arrow stream; of a slice, only what it shows."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def read(stream: bytes) -> pa.RecordBatch:
    """The batch that ``write`` wrote."""
    return pa.ipc.open_stream(stream).read_next_batch()


def main() -> None:
    """Serve requests until the other end of the socket is closed, or nothing has come for long enough."""
    connection: Connection[Any, Any] = Connection(int(sys.argv[1]))
    hello: Hello = connection.recv()
    _prepare(hello.limits)
    answer = _greeting(hello)
    connection.send(answer)
    requests: SimpleQueue[Request] = SimpleQueue()
    threading.Thread(target=_receive, args=(connection, requests), daemon=True).start()
    while True:
        try:
            request = requests.get(timeout=hello.idle)
        except Empty:
            os._exit(0)
        try:
            connection.send(_answer(request, hello.limits.seconds))
        except MemoryError:
            os._exit(OUT_OF_MEMORY)


def _prepare(limits: Limits) -> None:
    """Take on the limit of memory, and offer this process where the kernel has to end one for want of memory."""
    if limits.megabytes:
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        wanted = limits.megabytes << 20 if most == resource.RLIM_INFINITY else min(limits.megabytes << 20, most)
        resource.setrlimit(resource.RLIMIT_DATA, (wanted, most))
    with suppress(OSError):  # only Linux has it
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")
    for limit in (signal.SIGPROF, signal.SIGALRM):
        signal.signal(limit, signal.SIG_DFL)


def _receive(connection: "Connection[Any, Any]", requests: "SimpleQueue[Request]") -> None:
    """Put requests into the queue; end the process with the one that it works for, even in the midst of work."""
    try:
        while True:
            requests.put(connection.recv())
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    except BaseException:  # the other end is gone, or what came cannot be read: never wait for more
        os._exit(1)


def _greeting(hello: Hello) -> tuple[bool, Any]:
    if hello.versions is None:
        return True, "ready"
    try:
        _check_versions(pickle.loads(hello.versions))  # noqa: S301  # from the process that started this one
    except Exception as error:
        return False, error
    return True, "ready"


def _check_versions(expected: dict[str, Any]) -> None:
    """Raise RunFailed where this installation would not make the bytes that the coordinator would."""
    from pipeline.storage.manifest import versions

    found = versions()
    other = _differing(expected, found)
    if "libraries" in other:
        other[other.index("libraries")] += f" ({', '.join(_differing(expected['libraries'], found['libraries']))})"
    if other:
        raise RunFailed(
            f"The worker on {os.uname().nodename} differs from this installation in: {', '.join(other)}. Install the "
            "same release, with the same versions of libraries (constraints.txt) and vocabularies, on all machines."
        )


def _differing(expected: dict[str, Any], found: dict[str, Any]) -> list[str]:
    return sorted(name for name in expected | found if expected.get(name) != found.get(name))


@lru_cache(maxsize=4)
def _function(pickled: bytes) -> Batch:
    return pickle.loads(pickled)  # type: ignore[no-any-return]  # noqa: S301


def _answer(request: Request, seconds: float) -> tuple[bool, Any]:
    try:
        function = _function(request.function)
        batch = read(request.batch)
        if request.row is not None:
            batch = batch.slice(request.row, 1)
        signal.setitimer(signal.ITIMER_PROF, seconds)
        signal.setitimer(signal.ITIMER_REAL, PATIENCE * seconds)
        return True, write(function(batch))
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    except Exception as error:
        return False, _travelling(error)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)


def _travelling(error: Exception) -> Exception:
    """The exception with the place it was raised at, in a form that can be pickled."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    error.add_note(f"raised at {frame.filename}:{frame.lineno}, in a worker process")
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301
    except Exception:
        return RuntimeError(f"{type(error).__name__} at {frame.filename}:{frame.lineno}, in a worker process")
    return error


if __name__ == "__main__":
    main()
