"""HAPI FHIR's JPA server on loopback: ``python -m tests.integration.fhir_server [R4|R5] [PORT]``, or ``running()``.

Data live in memory and go with the process. The server validates requests and insists on references that resolve.
"""

import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from tests.integration import java

PROJECT = java.TESTS / "fhir-server"
START_SECONDS = 300
"""Bound on the start; 15 s of processor time is usual, machines that build at the same time take longer."""


@dataclass(frozen=True)
class FhirServer:
    """A server that answers; ``base`` has no trailing slash."""

    base: str
    version: str
    started_in: float
    """Seconds from the start of the process to the first answer."""
    process: subprocess.Popen[bytes]


def free_port() -> int:
    """A loopback port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def running(
    version: str = "R4", port: int | None = None, *, lasting: bool = False, validate: bool = True
) -> Iterator[FhirServer]:
    """A fresh server of FHIR ``"R4"`` or ``"R5"``, stopped at the end. Raises RuntimeError if it does not come up.

    It starts fast and gets no faster; a ``lasting`` one starts slower and is worth it for thousands of requests.
    ``validate``: whether it validates what is sent to it.
    """
    port = port or free_port()
    options = ["-Xmx4g"] if lasting else ["-Xmx2g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
    options.append(f"-Dvalidate={str(validate).lower()}")
    command = ["java", *options, "-cp", java.class_path(PROJECT), "FhirServer", version, str(port)]
    base = f"http://127.0.0.1:{port}/fhir"
    with TemporaryDirectory() as folder, (Path(folder) / "log").open("w+b") as log:
        begin = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        try:
            _wait(base, process, log, begin + START_SECONDS)
            yield FhirServer(base, version, time.monotonic() - begin, process)
        finally:
            process.kill()
            process.wait()


def _wait(base: str, process: "subprocess.Popen[bytes]", log: IO[bytes], deadline: float) -> None:
    while time.monotonic() < deadline:
        if process.poll() is not None:
            log.seek(0)
            raise RuntimeError(f"the server ended with {process.returncode}: {log.read()[-4000:].decode()}")
        try:
            with urllib.request.urlopen(f"{base}/metadata", timeout=60):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
    raise RuntimeError(f"the server did not answer within {START_SECONDS} s")


def main(arguments: Sequence[str]) -> int:
    """Serve until interrupted."""
    if reason := java.missing(PROJECT):
        print(reason, file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that the server ends with this process
    version = arguments[0] if arguments else "R4"
    with running(version, int(arguments[1]) if len(arguments) > 1 else 8080, lasting=True) as server:
        print(f"HAPI FHIR {version} at {server.base} after {server.started_in:.0f} s; Ctrl-C ends it", flush=True)
        try:
            return server.process.wait()
        except KeyboardInterrupt:
            return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
