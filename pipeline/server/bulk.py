"""Has the server fetch the resources itself: ``$import``, one job per resource type in dependency order.

Belongs here: kick-off, polling, error files, serving NDJSON to the server.  Does not belong here: what is to be loaded.

The operation is the bulk data import that HAPI, Azure and others share: Parameters with ``inputFormat``,
``inputSource``, ``storageDetail`` and ``input`` (type, url), ``Prefer: respond-async``, a status address in
``Content-Location``, polled until it is not 202.  A job says little about single resources, so that afterwards each
case is looked for on the server; only what is found counts as loaded.
"""

import secrets
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import orjson

from pipeline.errors import UsageError
from pipeline.fhir import ORDER
from pipeline.paths import DatasetPaths, FhirVersion
from pipeline.server.client import FHIR_JSON, Client, outcome_words, retry_after
from pipeline.server.errors import Denied, GaveUp, Refused
from pipeline.server.ledger import Known
from pipeline.server.packing import CaseItems, slices
from pipeline.server.reading import read, version_of
from pipeline.server.sending import Failure, Outcome, not_tried
from pipeline.storage import Dataset

NDJSON: Final = "application/fhir+ndjson"
_FIRST_POLL: Final = 0.5
_LONGEST_POLL: Final = 30.0
_CONFIRMED: Final = 100
"""Cases looked for on the server at a time."""


@dataclass(frozen=True)
class Bulk:
    """Where the server gets the files.

    Either this command serves them: ``serve`` is the ``host:port`` it listens on, ``public`` the address under which
    the server reaches that (by default ``http://host:port``).  Or they lie under ``source`` already: a copy of the
    dataset's ``fhir/<version>`` folder.  ``longest_poll``: seconds between two looks at a job, also where the server
    asks for more.
    """

    serve: str | None = None
    public: str | None = None
    source: str | None = None
    longest_poll: float = float("inf")

    def __post_init__(self) -> None:
        """Raise UsageError unless there is one way to the files."""
        if (self.serve is None) == (self.source is None):
            raise UsageError("--bulk needs either --serve HOST:PORT or --source-url URL.")
        if self.serve is not None:
            host, _, port = self.serve.rpartition(":")
            if not host or not port.isdigit():
                raise UsageError(f"--serve needs HOST:PORT, not {self.serve!r}.")
            if host in ("0.0.0.0", "[::]") and self.public is None:  # noqa: S104 # compared, not bound
                raise UsageError("--serve on all addresses needs --serve-url: where the FHIR server reaches this one.")

    @contextmanager
    def spool(self, root: DatasetPaths, dataset: Dataset, version: FhirVersion) -> Iterator["Spool"]:
        """The files to import, gone at the end."""
        folder = root.bulk
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            yield Spool(self, dataset, version, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def run(self, client: Client, spool: "Spool") -> Outcome:
        """Import what is spooled, then look what has arrived. Never raises for what servers do."""
        outcome = Outcome()
        complaints: list[str] = []
        try:
            with self._reachable(spool) as base:
                for kind in spool.kinds:
                    complaints += self._import(client, kind, spool.urls(kind, base))
                    if complaints:
                        break  # what comes later would refer to what is missing
            confirm(client, spool.cases, outcome, complaints)
        except (GaveUp, Denied) as error:
            outcome.failures += [not_tried(case, error) for case in spool.cases if outcome.lacks(case)]
            outcome.stop = error
        return outcome

    @contextmanager
    def _reachable(self, spool: "Spool") -> Iterator[str]:
        """The address below which the server finds the files while this lasts."""
        if self.serve is None:
            assert self.source is not None
            yield self.source.rstrip("/")
            return
        with serving(spool.folder, self.serve) as (address, secret):
            yield f"{(self.public or address).rstrip('/')}/{secret}"

    def _import(self, client: Client, kind: str, urls: Sequence[str]) -> list[str]:
        """Import one type; what the server complained of, nothing where all went well. Raises GaveUp, Denied."""
        try:
            started = client.ask("POST", "$import", _parameters(kind, urls), {"Prefer": "respond-async"})
            if (location := started.headers.get("content-location")) is None:
                return [] if started.status_code == HTTPStatus.OK else [f"$import gave no status address ({kind})"]
            status = self._finished(client, client.own(location))
            return [f"{kind}: {words}" for words in _complaints(client, status)]
        except Refused as error:
            return [f"{kind}: {error}"]

    def _finished(self, client: Client, location: str) -> Any:
        """The body of the finished job's status. Raises Refused for a job that failed."""
        pause = _FIRST_POLL
        while (answer := client.ask("GET", location)).status_code == HTTPStatus.ACCEPTED:
            asked = retry_after(answer)
            client.pace.sleep(min(pause if asked is None else asked, self.longest_poll))
            pause = min(pause * 1.5, _LONGEST_POLL)
        try:
            return orjson.loads(answer.content)
        except orjson.JSONDecodeError:
            return None


@dataclass
class Spool:
    """The resources that are to be imported, by type, one a line."""

    bulk: Bulk
    dataset: Dataset
    version: FhirVersion
    folder: Path
    cases: list[CaseItems] = field(default_factory=list)
    """What was added, without the JSON: memory must not grow with it."""
    _kinds: set[str] = field(default_factory=set)

    def add(self, group: Sequence[CaseItems]) -> None:
        """Add cases that may share resources."""
        items = {item.reference: item for case in group for item in case.items}
        for kind in {reference.partition("/")[0] for reference in items}:
            self._kinds.add(kind)
            if self.bulk.serve is not None:
                with (self.folder / f"{kind}.ndjson").open("ab") as lines:
                    lines.writelines(
                        item.body + b"\n" for item in items.values() if item.reference.startswith(f"{kind}/")
                    )
        self.cases += [case._replace(items=tuple(i._replace(body=b"") for i in case.items)) for case in group]

    @property
    def kinds(self) -> list[str]:
        """Types to import, those first that others refer to."""
        return sorted(self._kinds, key=lambda kind: (ORDER.index(kind) if kind in ORDER else len(ORDER), kind))

    def urls(self, kind: str, base: str) -> list[str]:
        """Addresses of the files of one type: ours, or those of the whole dataset at the source."""
        if self.bulk.serve is not None:
            return [f"{base}/{kind}.ndjson"]
        paths, shards = self.dataset.paths, self.dataset.shards
        top = paths.root / "fhir" / self.version
        files = [paths.resources(self.version, kind, shard, shards) for shard in range(shards)]
        return [f"{base}/{file.relative_to(top).as_posix()}" for file in files]


def confirm(client: Client, cases: Sequence[CaseItems], outcome: Outcome, complaints: Sequence[str]) -> None:
    """Look for every case on the server: its last resource, or all of them where there were complaints.

    Raises GaveUp, Denied.
    """
    for some in slices(cases, _CONFIRMED):
        wanted = [item for case in some if case.items for item in (case.items if complaints else case.items[-1:])]
        held = read(client, [item.reference for item in wanted])
        for case in some:
            asked = case.items if complaints else case.items[-1:]
            missing = tuple(item.reference for item in asked if item.reference not in held)
            if missing:
                message = "; ".join(complaints) or "The server reported success, but does not hold it."
                failure = Failure(case.case_id, case.report_id, missing, "load", message, transient=False)
                outcome.failures.append(failure)
            for item in case.items:
                if item.reference in outcome.rows or (missing and item.reference not in held):
                    continue
                version = version_of(held[item.reference]) if item.reference in held else None
                digest = None if complaints else item.digest
                outcome.rows[item.reference] = Known(digest, version, case.case_id)
                outcome.done["updated" if item.known else "created"] += 1


@contextmanager
def serving(folder: Path, address: str) -> Iterator[tuple[str, str]]:
    """Serve the files of a folder; gives the address and the secret first part of every path.

    Whoever does not know the secret gets nothing: the files may be confidential.  Raises UsageError for an address
    that cannot be listened on.
    """
    secret = secrets.token_urlsafe(24)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def _answer(self, *, with_body: bool) -> None:
            given, _, name = urlsplit(self.path).path.lstrip("/").partition("/")
            path = folder / name
            known = secrets.compare_digest(given.encode(), secret.encode())
            if not known or "/" in name or not path.is_file():
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", NDJSON)
            self.send_header("Content-Length", str(path.stat().st_size))
            self.end_headers()
            if with_body:
                with path.open("rb") as content:
                    shutil.copyfileobj(content, self.wfile)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: paths hold the secret."""

    host, _, port = address.rpartition(":")
    try:
        server = ThreadingHTTPServer((host.strip("[]"), int(port)), Handler)
    except (OSError, OverflowError) as error:
        raise UsageError(f"--serve cannot listen on {address}: {error}.") from error
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{host}:{server.server_port}", secret
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _parameters(kind: str, urls: Sequence[str]) -> bytes:
    part = [{"name": "type", "valueCode": kind}]
    inputs = [{"name": "input", "part": [*part, {"name": "url", "valueUri": url}]} for url in urls]
    return orjson.dumps(
        {
            "resourceType": "Parameters",
            "parameter": [
                {"name": "inputFormat", "valueCode": NDJSON},
                {"name": "inputSource", "valueUri": urljoin(urls[0], ".")},
                {"name": "storageDetail", "part": [{"name": "type", "valueCode": "https"}]},
                *inputs,
                {"name": "mode", "valueString": "IncrementalLoad"},
            ],
        }
    )


def _complaints(client: Client, status: Any) -> Iterator[str]:
    """What a finished job complains of: its error files, or its own outcome. Raises Refused, GaveUp, Denied."""
    if not isinstance(status, dict):
        return
    if any(i.get("severity") in ("fatal", "error") for i in status.get("issue") or ()):
        yield outcome_words(status)
    for error in status.get("error") or ():
        url = error.get("url")
        if not url:
            yield f"{error.get('count', 'some')} resources were refused"
            continue
        for line in client.ask(
            "GET", client.own(url), headers={"Accept": f"{NDJSON}, {FHIR_JSON}"}
        ).content.splitlines():
            if line.strip():
                yield outcome_words(orjson.loads(line)) or "refused without a reason"
