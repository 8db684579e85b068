"""The server of the review pages: who is answered, and that nobody gets or changes anything else."""

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline.corrections import read
from pipeline.errors import UsageError
from pipeline.review import pages
from pipeline.review.server import LARGEST_BODY, Server, open_server
from tests.unit.review.review_samples import harmless, make_dataset
from tests.unit.storage.storage_samples import files

CASE = harmless(1)[0]
ASKED = {
    "report": CASE.report_id,
    "case": CASE.case_id,
    "by": "A. Reviewer",
    "wishes": [{"do": "change", "pointer": "reactions/0/outcome", "value": "fatal"}],
}


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Client:
    """Speaks to a server as the page's script does, unless told otherwise."""

    server: Server
    root: Path

    def ask(self, method: str, path: str, body: bytes | None = None, **changed: str | None) -> Answer:
        """``changed``: headers by name with underscores; None leaves one out."""
        host = f"127.0.0.1:{self.server.server_port}"
        headers: dict[str, str | None] = {
            "Host": host,
            "Cookie": f"{self.server.cookie}={self.server.session.token}",
            "Sec-Fetch-Site": "same-origin",
        }
        if method == "POST":
            state = self.server.session.state()
            headers |= {"Origin": f"http://{host}", "Content-Type": "application/json", "X-Dataset": state}
            headers["Content-Length"] = str(len(body or b""))
        headers |= {name.replace("_", "-"): value for name, value in changed.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.server.server_port, timeout=10)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                if value is not None:
                    connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def post(self, asked: Any = ASKED, **changed: str | None) -> Answer:
        return self.ask("POST", "/api/corrections", json.dumps(asked).encode(), **changed)

    @property
    def stored(self) -> int:
        return len(read(self.root / "c.jsonl"))


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    dataset = make_dataset(tmp_path / "ds", [harmless(1)])
    pages.write(dataset)
    with open_server(dataset, None, tmp_path / "c.jsonl", 0, "someone") as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield Client(server, tmp_path)
        server.shutdown()
        thread.join()


PAGE = f"/cases/{pages.case_key(CASE.report_id, CASE.case_id)[1:3]}/{pages.case_key(CASE.report_id, CASE.case_id)}.html"


def test_the_address_that_is_printed_gives_a_cookie_and_leads_to_the_pages(client: Client) -> None:
    begun = client.ask("GET", "/" + client.server.url.split("/")[-1], Cookie=None)
    assert (begun.status, begun.headers["Location"]) == (303, "/")
    cookie = begun.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Strict"} <= {part.strip() for part in cookie.split(";")}
    page = client.ask("GET", "/", Cookie=cookie.partition(";")[0])
    assert page.status == 200
    assert b"<title>" in page.body
    assert client.server.session.token.encode() not in page.body


def test_pages_scripts_and_cases_are_served_under_a_strict_policy(client: Client) -> None:
    for path in ("/", "/index.html", "/cases.js", PAGE, "/static/review.css", "/corrections.js", "/corrections.css"):
        answer = client.ask("GET", path)
        assert answer.status == 200, path
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Access-Control-Allow-Origin" not in answer.headers
    assert b"/corrections.js?" in client.ask("GET", PAGE).body
    assert client.ask("HEAD", PAGE).body == b""


def test_a_correction_is_stored_and_told(client: Client) -> None:
    answer = client.post()
    assert answer.status == 201
    assert client.stored == 1
    asked = client.ask("GET", f"/api/case?report={CASE.report_id}&case={CASE.case_id}")
    assert asked.json()["corrections"] == answer.json()["corrections"]
    assert asked.json()["reviewer"] == "someone"


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": None}, 403),
        ({"Origin": "https://127.0.0.1"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"Host": "evil.example"}, 421),
        ({"Host": None}, 421),
        ({"Host": "127.0.0.1"}, 421),
        ({"Cookie": None}, 403),
        ({"Cookie": "case2fhir=x"}, 403),
        ({"Cookie": '"\\'}, 403),
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content_Type": None}, 415),
        ({"Content_Length": None}, 411),
        ({"Content_Length": "-1"}, 411),
        ({"Content_Length": "1e3"}, 411),
        ({"Content_Length": str(LARGEST_BODY + 1)}, 413),
        ({"Content_Length": "9" * 30}, 413),
        ({"Transfer_Encoding": "chunked"}, 411),
        ({"X_Dataset": "0" * 64}, 409),
        ({"X_Dataset": None}, 409),
    ],
)
def test_a_request_that_no_page_of_ours_sends_changes_nothing(
    client: Client, changed: dict[str, str | None], status: int
) -> None:
    assert client.post(**changed).status == status
    assert client.stored == 0


def test_a_foreign_name_of_this_machine_reads_nothing(client: Client) -> None:
    for path in ("/", PAGE, f"/api/case?report={CASE.report_id}&case={CASE.case_id}"):
        assert client.ask("GET", path, Host="rebound.example:80").status == 421
        assert client.ask("GET", path, Cookie=None).status == 403
    assert client.ask("GET", "/?token=wrong", Cookie=None).status == 403
    assert client.ask("GET", "/api/case?report=x&case=y", Sec_Fetch_Site="cross-site").status == 403


@pytest.mark.parametrize(
    "path",
    [
        "/../c.jsonl", "/..%2fc.jsonl", "/static/../../manifest.json", "/static/..%2f..%2fmanifest.json",
        "//etc/passwd", "/cases/../../manifest.json", "/cases/ab/../../../manifest.json", "/static/%00", "/review.json",
        "/manifest.json", "/cases/00/c000000000000000000000000.html", "/static/none.js", "/api/corrections",
        "/corrections.py", "http://127.0.0.1/etc/passwd", "/static/review.css%0a", "/index.html/..", "/.work",
    ],
)  # fmt: skip
def test_no_address_leads_out_of_the_pages(client: Client, path: str) -> None:
    assert client.ask("GET", path).status == 404


def test_a_link_in_the_pages_leads_nowhere(client: Client) -> None:
    secret = client.root / "secret.css"
    secret.write_text("secret")
    (client.server.session.pages.root / "static" / "link.css").symlink_to(secret)
    assert client.ask("GET", "/static/link.css").status == 404


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ([], 400),
        ({}, 400),
        (ASKED | {"path": "/etc/passwd"}, 400),
        (ASKED | {"wishes": [{"do": "accept", "pointer": "drugs/0"}] * 51}, 400),
        (ASKED | {"by": " "}, 422),
        (ASKED | {"by": "a\nb"}, 422),
        (ASKED | {"wishes": []}, 422),
        (ASKED | {"report": "../x"}, 409),
        (ASKED | {"undo": ["nothing"]}, 409),
    ],
)
def test_a_wrong_request_says_what_is_wrong_and_changes_nothing(client: Client, asked: Any, status: int) -> None:
    answer = client.post(asked)
    assert answer.status == status
    assert answer.json()["error"]
    assert client.stored == 0


def test_words_of_a_correction_stay_words(client: Client) -> None:
    """A reason may hold anything; it is one line of JSON in the file, and JSON in the answer."""
    nasty = '</script><img src=x onerror=alert(1)>\n{"do":"undo"}'
    assert client.post(ASKED | {"why": nasty}).status == 201
    (entry,) = read(client.root / "c.jsonl")
    assert entry.why == nasty
    answer = client.ask("GET", f"/api/case?report={CASE.report_id}&case={CASE.case_id}")
    assert answer.headers["Content-Type"] == "application/json"


def test_nothing_is_written_but_the_corrections(client: Client) -> None:
    before = files(client.root)
    client.post()
    client.ask("GET", PAGE)
    after = files(client.root)
    assert {name for name in after if before.get(name) != after[name]} == {"c.jsonl"}


def test_other_methods_are_not_known(client: Client) -> None:
    for method in ("PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"):
        assert client.ask(method, "/api/corrections").status == 501


def test_pages_of_a_dataset_that_was_replaced_are_made_anew(client: Client) -> None:
    make_dataset(client.root / "ds", [harmless(1), harmless(2)])
    state = client.server.session.state()
    assert client.ask("GET", "/api/dataset").json() == {"state": state}
    second = pages.case_key("report-2", "report-2-1")
    page = client.ask("GET", f"/cases/{second[1:3]}/{second}.html")
    assert page.status == 200
    assert state.encode() in page.body
    assert client.post().status == 201


def test_a_dataset_that_is_being_replaced_is_asked_for_again(client: Client) -> None:
    (client.root / "ds" / "parquet" / "cases" / "part-00000.parquet").unlink()
    assert client.post().status == 503
    assert client.stored == 0


def test_two_reviewers_at_once_lose_nothing(client: Client) -> None:
    answers: list[int] = []
    threads = [threading.Thread(target=lambda: answers.append(client.post().status)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [201] * 8
    assert client.stored == 8


def test_only_this_machine_is_listened_on_and_a_taken_port_is_told(client: Client) -> None:
    assert client.server.server_address[0] == "127.0.0.1"
    with pytest.raises(UsageError, match="choose another --port"):
        open_server(client.root / "ds", None, client.root / "c.jsonl", client.server.server_port, "x")


def test_a_client_that_breaks_off_harms_nobody(client: Client) -> None:
    with socket.create_connection(("127.0.0.1", client.server.server_port)) as half:
        half.sendall(b"POST /api/corrections HTTP/1.1\r\nHost: x\r\n")
    assert client.ask("GET", "/").status == 200
