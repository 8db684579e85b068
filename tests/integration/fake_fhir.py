"""A small FHIR server for tests: real semantics of PUT, DELETE, transactions, batches, versions, ETags, references.

It keeps every version, and makes a new one for every PUT, even of equal content: what HAPI forgives shows here.  It
also does ``$import`` (asynchronously, with a status address and error files) and checks a bearer token when told to.
What has ``gender: "xx-bad"`` is refused with 422, whatever else it holds.
"""

import re
import ssl
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson

Resource = dict[str, Any]


class Problem(Exception):
    """An HTTP status with an OperationOutcome."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status

    @property
    def outcome(self) -> Resource:
        issue = {"severity": "error", "code": "processing", "diagnostics": str(self)}
        return {"resourceType": "OperationOutcome", "issue": [issue]}


@dataclass
class FakeFhir:
    """The store and what is done with it."""

    fhir_version: str = "4.0.1"
    tokens: set[str] | None = None
    """Valid bearer tokens (or whole Authorization headers); None: anyone may."""
    token_endpoint: str = ""
    versions: dict[str, list[Resource | None]] = field(default_factory=dict)
    """All versions by reference; None: deleted."""
    requests: list[tuple[str, str]] = field(default_factory=list)
    transactions: list[int] = field(default_factory=list)
    """Number of entries of each committed transaction."""
    jobs: dict[str, int] = field(default_factory=dict)
    """Polls still to be answered with 202, by job."""
    errors: dict[str, bytes] = field(default_factory=dict)
    """Error files by job."""
    lock: threading.RLock = field(default_factory=threading.RLock)
    url: str = ""

    def get(self, reference: str) -> Resource:
        history = self.versions.get(reference)
        if not history:
            raise Problem(404, f"{reference} is not known")
        if history[-1] is None:
            raise Problem(410, f"{reference} is deleted")
        return history[-1] | {"meta": {"versionId": str(len(history)), "lastUpdated": "2026-01-01T00:00:00Z"}}

    def held(self) -> dict[str, Resource]:
        """What is there now, as it was sent."""
        return {reference: history[-1] for reference, history in self.versions.items() if history[-1] is not None}

    def counts(self) -> dict[str, int]:
        """How many versions everything that is there has."""
        return {reference: len(self.versions[reference]) for reference in self.held()}

    def put(self, reference: str, resource: Resource, if_match: str | None = None) -> tuple[str, str]:
        """Status and ETag."""
        if resource.get("gender") == "xx-bad":
            raise Problem(422, f"{reference}: gender is not known")
        if f"{resource['resourceType']}/{resource['id']}" != reference:
            raise Problem(400, f"{reference}: id does not match")
        history = self.versions.setdefault(reference, [])
        if if_match and if_match != f'W/"{len(history)}"':
            raise Problem(412, f"{reference}: version is {len(history)}, not {if_match}")
        status = "201 Created" if not history or history[-1] is None else "200 OK"
        history.append(resource)
        return status, f'W/"{len(history)}"'

    def transaction(self, bundle: Resource) -> Resource:
        with self.lock:
            before = {reference: list(history) for reference, history in self.versions.items()}
            try:
                answered = []
                seen: set[str] = set()
                for entry in bundle.get("entry", []):
                    request = entry["request"]
                    reference = request["url"]
                    if reference in seen:
                        raise Problem(400, f"{reference} twice in one transaction")
                    seen.add(reference)
                    if request["method"] == "DELETE":
                        if self.versions.get(reference, [None])[-1] is not None:
                            self.versions[reference].append(None)
                        answered.append({"response": {"status": "204 No Content"}})
                    else:
                        status, etag = self.put(reference, entry["resource"], request.get("ifMatch"))
                        answered.append({"response": {"status": status, "etag": etag}})
                self.check_references()
            except Problem:
                self.versions = before
                raise
            self.transactions.append(len(answered))
            return {"resourceType": "Bundle", "type": "transaction-response", "entry": answered}

    def check_references(self) -> None:
        held = self.held()
        for reference, resource in held.items():
            for target in re.findall(rb'"reference":"([^"]+)"', orjson.dumps(resource)):
                if target.decode() not in held:
                    raise Problem(409, f"{reference} refers to {target.decode()}, which is not there")

    def batch(self, bundle: Resource) -> Resource:
        answered: list[Resource] = []
        for entry in bundle["entry"]:
            try:
                with self.lock:
                    found = self.get(entry["request"]["url"])
                answered.append({"resource": found, "response": {"status": "200 OK"}})
            except Problem as problem:
                answered.append({"response": {"status": str(problem.status), "outcome": problem.outcome}})
        return {"resourceType": "Bundle", "type": "batch-response", "entry": answered}

    def search(self, kind: str, query: dict[str, list[str]]) -> Resource:
        urls = query.get("url", [""])[0].replace("\\,", "\0").split(",")
        wanted = {url.replace("\0", ",") for url in urls}
        with self.lock:
            found = [r for ref, r in self.held().items() if ref.startswith(f"{kind}/") and r.get("url") in wanted]
        return {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": r} for r in found]}

    def start_import(self, parameters: Resource) -> str:
        job = f"job-{len(self.jobs) + 1}"
        problems = []
        for parameter in parameters["parameter"]:
            if parameter["name"] != "input":
                continue
            part = {p["name"]: p.get("valueUri") or p.get("valueCode") for p in parameter["part"]}
            with urllib.request.urlopen(part["url"]) as lines:
                for line in lines:
                    resource = orjson.loads(line)
                    assert resource["resourceType"] == part["type"]
                    try:
                        with self.lock:
                            self.put(f"{resource['resourceType']}/{resource['id']}", resource)
                    except Problem as problem:
                        problems.append(orjson.dumps(problem.outcome))
        self.jobs[job] = 2
        if problems:
            self.errors[job] = b"\n".join(problems) + b"\n"
        return job


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one packet
    fhir: FakeFhir

    def do_GET(self) -> None:
        self._handle(None)

    def do_POST(self) -> None:
        self._handle(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def _handle(self, body: bytes | None) -> None:
        parts = urlsplit(self.path)
        path = parts.path.removeprefix("/fhir").strip("/")
        self.fhir.requests.append((self.command, path))
        try:
            if self.fhir.tokens is not None and path not in ("metadata", ".well-known/smart-configuration"):
                token = self.headers.get("Authorization", "").removeprefix("Bearer ")
                if token not in self.fhir.tokens:
                    raise Problem(401, "no valid token")
            self._answer(*self._result(path, parse_qs(parts.query), body))
        except Problem as problem:
            self._answer(problem.status, problem.outcome)

    def _result(self, path: str, query: dict[str, list[str]], body: bytes | None) -> tuple[int, Any, dict[str, str]]:
        fhir = self.fhir
        if path == "metadata":
            return 200, {"resourceType": "CapabilityStatement", "fhirVersion": fhir.fhir_version}, {}
        if path == ".well-known/smart-configuration":
            return 200, {"token_endpoint": fhir.token_endpoint}, {}
        if path == "$import" and body is not None:
            job = fhir.start_import(orjson.loads(body))
            return 202, None, {"Content-Location": f"http://inner.example:1/fhir/$poll/{job}"}
        if path.startswith("$poll/"):
            job = path.removeprefix("$poll/")
            fhir.jobs[job] -= 1
            if fhir.jobs[job] >= 0:
                return 202, None, {"Retry-After": "0"}
            error = [{"type": "OperationOutcome", "count": 1, "url": f"{fhir.url}/$errors/{job}"}]
            return 200, {"error": error if job in fhir.errors else []}, {}
        if path.startswith("$errors/"):
            return 200, fhir.errors[path.removeprefix("$errors/")], {}
        if body is not None:
            bundle = orjson.loads(body)
            return 200, fhir.transaction(bundle) if bundle["type"] == "transaction" else fhir.batch(bundle), {}
        if "/" in path:
            with fhir.lock:
                return 200, fhir.get(path), {}
        return 200, fhir.search(path, query), {}

    def _answer(self, status: int, document: Any, headers: dict[str, str] | None = None) -> None:
        body = document if isinstance(document, bytes) else b"" if document is None else orjson.dumps(document)
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/fhir+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no error here."""


@contextmanager
def running(fhir: FakeFhir, tls: ssl.SSLContext | None = None) -> Iterator[FakeFhir]:
    """Serve on a free loopback port; ``fhir.url`` says where."""
    with listening(type("Handler", (_Handler,), {"fhir": fhir}), tls=tls) as port:
        fhir.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}/fhir"
        yield fhir


@contextmanager
def listening(handler: type[BaseHTTPRequestHandler], port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server on a loopback port, gone at the end with its thread."""
    server = _Server(("127.0.0.1", port), handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
