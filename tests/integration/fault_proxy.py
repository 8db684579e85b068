"""A proxy that makes things go wrong between a loader and a FHIR server, on purpose and on plan.

``FaultProxy(target)`` forwards everything; ``proxy.faults`` is what befalls the next requests that change something
(transactions), in order; ``proxy.everything`` befalls all requests while it is set.  Faults: ``Status`` answers itself,
``RESET_BEFORE`` drops the connection without forwarding, ``RESET_AFTER`` forwards, then drops the connection instead of
answering, ``HANG_AFTER`` forwards, then never answers, ``HANG_BEFORE`` neither forwards nor answers.
"""

import http.client
import socket
import struct
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

from tests.integration.fake_fhir import listening

_PASSED = ("content-type", "content-encoding", "content-location", "retry-after")


class Drop(Enum):
    """Ways to leave a request without an answer."""

    RESET_BEFORE = "reset before"
    RESET_AFTER = "reset after"
    HANG_BEFORE = "hang before"
    HANG_AFTER = "hang after"


@dataclass(frozen=True)
class Status:
    """An answer that the server never gave."""

    code: int
    retry_after: str | None = None


Fault = Drop | Status | None


@dataclass
class FaultProxy:
    """Where faults come from, and what happened."""

    target: str
    faults: deque[Fault] = field(default_factory=deque)
    everything: Fault = None
    seen: list[tuple[str, str]] = field(default_factory=list)
    met: list[Fault] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    url: str = ""

    def fault(self, body: bytes) -> Fault:
        """What befalls a request."""
        with self.lock:
            if self.everything is not None:
                return self.everything
            changes = b'"transaction"' in body[:200]
            return self.faults.popleft() if changes and self.faults else None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one packet
    proxy: FaultProxy

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.proxy.seen.append((self.command, self.path))
        fault = self.proxy.fault(body)
        if fault is not None:
            self.proxy.met.append(fault)
        if isinstance(fault, Status):
            self._say(fault.code, b"the proxy says no", {"Retry-After": fault.retry_after} if fault.retry_after else {})
            return
        answer = None
        if fault in (None, Drop.RESET_AFTER, Drop.HANG_AFTER):
            answer = self._forward(body)
        if fault in (Drop.HANG_BEFORE, Drop.HANG_AFTER):
            self.proxy.released.wait(10)
        if fault is not None or answer is None:
            self._reset()
            return
        self._say(*answer)

    def _forward(self, body: bytes) -> tuple[int, bytes, dict[str, str]] | None:
        target = urlsplit(self.proxy.target)
        connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=600)
        try:
            headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection")}
            connection.request(self.command, self.path, body or None, headers)
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
        kept = {name: value for name, value in response.getheaders() if name.lower() in _PASSED}
        return response.status, content, kept

    def _say(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _reset(self) -> None:
        """Close with RST, as a server that dies does."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def finish(self) -> None:
        try:
            super().finish()
        except (OSError, ValueError):
            """The connection was reset on purpose."""

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@contextmanager
def in_front_of(target: str, port: int = 0) -> Iterator[FaultProxy]:
    """A proxy on a loopback port; ``proxy.url`` has the path of ``target``."""
    proxy = FaultProxy(target)
    with listening(type("Handler", (_Handler,), {"proxy": proxy}), port) as bound:
        proxy.url = f"http://127.0.0.1:{bound}{urlsplit(target).path}"
        try:
            yield proxy
        finally:
            proxy.released.set()
