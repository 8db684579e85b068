"""A HAPI FHIR server with request validation stores what the seeds give, in R4 and R5, and gives it back."""

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pipeline.fhir import ORDER, build, bundle, delete_bundle
from tests.integration import fhir_server, java
from tests.unit.fhir.fhir_samples import SAMPLES

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(bool(reason := java.missing(fhir_server.PROJECT)), reason=str(reason)),
]

Answer = tuple[int, Any, dict[str, str]]


def send(method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Answer:
    """Status, resource and headers of the answer."""
    request = urllib.request.Request(url, data=body, method=method, headers={"Content-Type": "application/fhir+json"})
    for name, value in (headers or {}).items():
        request.add_header(name, value)
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, json.loads(answer.read() or b"null"), dict(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read()), dict(error.headers)


class _Lines(SimpleHTTPRequestHandler):
    extensions_map = {".ndjson": "application/fhir+ndjson"}  # noqa: RUF012

    def log_message(self, *arguments: object) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The files of a folder over HTTP on loopback."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Lines, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Loaded:
    """A server with the definitions and bundles of the seeds, and what it answered to the bundles."""

    def __init__(self, server: fhir_server.FhirServer, dataset: Path) -> None:
        self.base = server.base
        self.version = server.version
        self.folder = dataset / "fhir" / server.version
        self.bundles = (self.folder / "bundles.ndjson").read_bytes().splitlines()
        for path in sorted((dataset / "fhir" / "profiles").glob(f"{server.version}-*"), key=lambda p: p.name):
            resource = json.loads(path.read_bytes())
            status, answer, _ = send("PUT", self.url(f"{resource['resourceType']}/{resource['id']}"), path.read_bytes())
            assert status == 201, (path.name, answer)
        self.answers = self.post_all()

    def url(self, path: str) -> str:
        return f"{self.base}/{path}"

    def post_all(self) -> list[Answer]:
        return [send("POST", self.base, bundle) for bundle in self.bundles]

    def lines(self, resource_type: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / f"{resource_type}.ndjson").read_bytes().splitlines()]

    def count(self, resource_type: str) -> int:
        status, answer, _ = send(
            "GET", self.url(f"{resource_type}?_summary=count"), headers={"Cache-Control": "no-cache"}
        )
        assert status == 200, answer
        total: int = answer["total"]
        return total


@pytest.fixture(scope="module", params=["R4", "R5"])
def loaded(request: pytest.FixtureRequest, seeds_dataset: Path) -> Iterator[Loaded]:
    with fhir_server.running(request.param) as server:
        yield Loaded(server, seeds_dataset)


def test_every_bundle_is_stored_once(loaded: Loaded) -> None:
    """A second time, the server has every resource already, and makes no new version of any."""
    assert [(status, answer) for status, answer, _ in loaded.answers if status != 200] == []
    for status, answer, _ in loaded.post_all():
        assert status == 200, answer
        assert {entry["response"]["status"][:3] for entry in answer["entry"]} == {"200"}
        assert {entry["response"]["etag"] for entry in answer["entry"]} == {"1"}
    for resource_type in ORDER:
        assert loaded.count(resource_type) == len(loaded.lines(resource_type))


def test_an_adverse_event_comes_back_as_it_was_sent(loaded: Loaded) -> None:
    for sent in loaded.lines("AdverseEvent"):
        status, found, _ = send("GET", loaded.url(f"AdverseEvent/{sent['id']}"))
        assert status == 200
        assert found.pop("meta")["versionId"] == "1"
        assert found == sent


def test_an_event_is_found_by_each_of_its_suspects(loaded: Loaded) -> None:
    """R5's own search parameter cannot index more than one; the definitions that were loaded hold one that can."""
    case, report = SAMPLES["several_reactions"]()
    resources = build(case, report, "R5" if loaded.version == "R5" else "R4")
    status, answer, _ = send("POST", loaded.base, json.dumps(bundle(resources)).encode())
    assert status == 200, answer
    event = next(r for r in resources if r["resourceType"] == "AdverseEvent")
    field = "instanceReference" if loaded.version == "R5" else "instance"
    suspects = [suspect[field]["reference"] for suspect in event["suspectEntity"]]
    assert len(suspects) == 2
    for suspect in suspects:
        status, found, _ = send("GET", loaded.url(f"AdverseEvent?substance={suspect}"))
        assert status == 200, found
        assert event["id"] in {entry["resource"]["id"] for entry in found["entry"]}
    gone = delete_bundle([f"{resource['resourceType']}/{resource['id']}" for resource in reversed(resources)])
    assert send("POST", loaded.base, json.dumps(gone).encode())[0] == 200


def test_everything_of_a_patient(loaded: Loaded) -> None:
    event = loaded.lines("AdverseEvent")[0]
    status, found, _ = send("GET", loaded.url(f"{event['subject']['reference']}/$everything"))
    assert status == 200
    types = {entry["resource"]["resourceType"] for entry in found["entry"]}
    assert {"Patient", "Condition", "MedicationStatement", "AdverseEvent"} <= types


def test_the_server_finds_no_error_of_its_own(loaded: Loaded) -> None:
    event = json.dumps(loaded.lines("AdverseEvent")[0]).encode()
    status, outcome, _ = send("POST", loaded.url("AdverseEvent/$validate"), event)
    assert status == 200
    assert [issue for issue in outcome["issue"] if issue["severity"] in ("error", "fatal")] == []


def test_requests_are_validated(loaded: Loaded) -> None:
    """What follows from the other tests is worth something only if this server does refuse."""
    event = loaded.lines("AdverseEvent")[0] | {"id": "broken"}
    wrong_code = json.dumps(event | {"actuality": "imagined"}).encode()
    dangling = json.dumps(event | {"subject": {"reference": "Patient/nobody"}}).encode()
    assert send("PUT", loaded.url("AdverseEvent/broken"), wrong_code)[0] in (400, 412, 422)
    assert send("PUT", loaded.url("AdverseEvent/broken"), dangling)[0] in (400, 412, 422)
    assert send("DELETE", loaded.url(event["subject"]["reference"]))[0] == 409
    assert send("GET", loaded.url("AdverseEvent/broken"))[0] == 404


def test_bulk_import_takes_the_resource_files(loaded: Loaded) -> None:
    before = {resource_type: loaded.count(resource_type) for resource_type in ORDER}
    with served(loaded.folder) as files:
        inputs = [
            {
                "name": "input",
                "part": [
                    {"name": "type", "valueCode": resource_type},
                    {"name": "url", "valueUri": f"{files}/{resource_type}.ndjson"},
                ],
            }
            for resource_type in ORDER
        ]
        parameters = {
            "resourceType": "Parameters",
            "parameter": [
                {"name": "inputFormat", "valueCode": "application/fhir+ndjson"},
                {"name": "inputSource", "valueUri": files},
                {"name": "storageDetail", "part": [{"name": "type", "valueCode": "https"}]},
                *inputs,
            ],
        }
        status, answer, headers = send(
            "POST", loaded.url("$import"), json.dumps(parameters).encode(), {"Prefer": "respond-async"}
        )
        assert status == 202, answer
        deadline = time.monotonic() + 240
        while status == 202 and time.monotonic() < deadline:
            time.sleep(1)
            status, answer, _ = send("GET", headers["Content-Location"])
    assert status == 200, answer
    report = answer["issue"][0]["diagnostics"]
    assert all(f"{resource_type}.ndjson" in report for resource_type in ORDER)
    assert {resource_type: loaded.count(resource_type) for resource_type in ORDER} == before
