"""Serves the review pages on this machine, and takes a reviewer's corrections.

Belongs here: HTTP, and who may ask what.  Does not belong here: the pages (``pages``), what a correction is
(``pipeline.corrections``).  The only file that is written, besides the pages, is the file of corrections.

Reports may be confidential, and any page in the reviewer's browser can send requests to this machine.  Therefore:

- only 127.0.0.1 is listened on, and only requests to that name are answered (a foreign name that resolves to this
  machine is refused: DNS rebinding);
- every request needs the session's token, which the address printed at the start carries once and a cookie from then on
  (``HttpOnly``, ``SameSite=Strict``), so that this server gives nothing to other users of the machine. Who sees the
  address, in the terminal or as an argument of a browser that was started with it, is let in; and the files themselves
  are guarded by their permissions alone;
- what changes something is a POST of JSON from a page of this very server (``Origin``, ``Sec-Fetch-Site``);
- the addresses that are answered are listed, so that none leads elsewhere in the file system; bodies are small, slow
  clients are cut off.
"""

import re
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources as package_resources
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import msgspec
import orjson

from pipeline.errors import Case2FhirError, UsageError
from pipeline.paths import DatasetPaths, ReviewPaths
from pipeline.review import pages
from pipeline.review.desk import Desk, Refusal, Request

HOST: Final = "127.0.0.1"
LARGEST_BODY: Final = 64 * 1024
"""Bytes of a request's body, at most: dozens of corrections with their reasons."""
_PAGE: Final = re.compile(r"index\.html|cases/[0-9a-f]{2}/c[0-9a-f]{24}\.html", re.ASCII)
_FILE: Final = re.compile(r"cases\.js|static/[a-z-]{1,40}\.(?:js|css)", re.ASCII)
_OWN: Final = ("corrections.js", "corrections.css")
_TYPES: Final = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
_HEADERS: Final = {
    "Content-Security-Policy": f"{pages.POLICY}; connect-src 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclass
class Session:
    """What one call of ``serve`` answers from: the dataset, its pages, the file of corrections, and its token."""

    dataset: Path
    pages: ReviewPaths
    desk: Desk
    reviewer: str
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def state(self) -> str:
        """See ``pages.state``."""
        return pages.state(self.dataset)

    def refresh(self) -> str:
        """Write the pages anew where a run has replaced the dataset; returns ``state``."""
        with self.lock:
            if not pages.current(self.dataset, self.pages):
                pages.write(self.dataset, self.pages.root)
            return self.state()


class Server(ThreadingHTTPServer):
    """One session on a port of this machine."""

    daemon_threads = True
    request_queue_size = 32

    def __init__(self, session: Session, port: int) -> None:
        self.session = session
        super().__init__((HOST, port), _Handler)

    @cached_property
    def origins(self) -> dict[str, str]:
        """The names that are answered to, as ``Host`` and as ``Origin`` have them."""
        return {f"{name}:{self.server_port}": f"http://{name}:{self.server_port}" for name in (HOST, "localhost")}

    @property
    def url(self) -> str:
        """Where a browser begins: it holds the token."""
        return f"http://{HOST}:{self.server_port}/?token={self.session.token}"

    @property
    def cookie(self) -> str:
        """Name of the cookie: cookies are shared by all ports of a machine."""
        return f"case2fhir-{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away, or is cut off, is nobody's error."""


def open_server(dataset: Path, out: Path | None, corrections: Path, port: int, reviewer: str) -> Server:
    """A server that is ready to ``serve_forever``. Raises UsageError where the port is taken."""
    paths = ReviewPaths(out or DatasetPaths(dataset).review)
    session = Session(dataset, paths, Desk(dataset, corrections), reviewer)
    try:
        return Server(session, port)
    except OSError as error:
        raise UsageError(
            f"Port {port} of {HOST} cannot be listened on: {error.strerror}; choose another --port."
        ) from error


class _Refused(Exception):
    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    server: Server
    server_version = "case2fhir"
    sys_version = ""
    protocol_version = "HTTP/1.1"
    timeout = 20

    def do_GET(self) -> None:
        """Pages, their scripts, and what can be corrected of a case."""
        self._answer(self._get)

    def do_HEAD(self) -> None:
        """As GET, without the body."""
        self._answer(self._get)

    def do_POST(self) -> None:
        """Store corrections."""
        self._answer(self._post)

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not logged: addresses hold ids of reports."""

    def _answer(self, respond: Callable[[], None]) -> None:
        try:
            self._check_sender()
            respond()
        except _Refused as refused:
            self._json(refused.status, {"error": str(refused)})
        except Refusal as refusal:
            status = HTTPStatus.CONFLICT if refusal.stale else HTTPStatus.UNPROCESSABLE_ENTITY
            self._json(status, {"error": str(refusal), "stale": refusal.stale})
        except Case2FhirError as error:
            self._json(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": str(error)})
        except (ConnectionError, TimeoutError):
            self.close_connection = True
        except OSError:  # a file of the dataset, gone from one moment to the next
            self._json(HTTPStatus.SERVICE_UNAVAILABLE, {"error": "a run is replacing the dataset: try again"})
        except Exception:  # a page that waits for an answer must get one
            self._json(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": "this could not be answered: load the page again"})

    def _check_sender(self) -> None:
        """Only requests to this server by name; and never any that another site has a browser send."""
        if self.headers.get_all("Host", []) not in [[host] for host in self.server.origins]:
            raise _Refused(HTTPStatus.MISDIRECTED_REQUEST, "this server answers on 127.0.0.1 only")
        if self.command == "POST":
            self._check_origin()

    def _check_origin(self) -> None:
        if self.headers.get("Origin") != self.server.origins[self.headers["Host"]]:
            raise _Refused(HTTPStatus.FORBIDDEN, "only pages of this server may change something")
        if self.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
            raise _Refused(HTTPStatus.FORBIDDEN, "only pages of this server may change something")
        if self.headers.get_content_type() != "application/json":
            raise _Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "corrections are sent as application/json")

    def _check_token(self) -> None:
        # By hand: SimpleCookie drops all cookies where one is not to its taste, and all ports of 127.0.0.1 share them.
        pairs = (one.strip().partition("=") for one in self.headers.get("Cookie", "").split(";"))
        sent = [value for name, _, value in pairs if name == self.server.cookie]
        token = self.server.session.token.encode()
        if not any(secrets.compare_digest(one.encode(), token) for one in sent):
            raise _Refused(HTTPStatus.FORBIDDEN, "open the address that `case2fhir review --serve` printed")

    def _get(self) -> None:
        address = urlsplit(self.path)
        query = parse_qs(address.query)
        name = address.path.removeprefix("/") or "index.html"
        if "token" in query:
            self._begin(query["token"][0])
            return
        self._check_token()
        if name == "api/case":
            self._case(query)
        elif name == "api/dataset":
            self._json(HTTPStatus.OK, {"state": self.server.session.state()})
        elif name in _OWN:
            content = package_resources.files(pages.__package__ or "").joinpath("static", name).read_bytes()
            self._send(HTTPStatus.OK, content, _TYPES[Path(name).suffix])
        elif _PAGE.fullmatch(name):
            state = self.server.session.refresh()
            self._send(HTTPStatus.OK, pages.served(self._read(name), f"/corrections.js?{state}"), "text/html")
        elif _FILE.fullmatch(name):
            self._send(HTTPStatus.OK, self._read(name), _TYPES[Path(name).suffix])
        else:
            raise _Refused(HTTPStatus.NOT_FOUND, "there is no such page")

    def _begin(self, token: str) -> None:
        """Give a cookie for the token, and an address without it: addresses are seen by others."""
        if not secrets.compare_digest(token.encode(), self.server.session.token.encode()):
            raise _Refused(HTTPStatus.FORBIDDEN, "open the address that `case2fhir review --serve` printed")
        cookie = f"{self.server.cookie}={self.server.session.token}; HttpOnly; SameSite=Strict; Path=/"
        self._send(HTTPStatus.SEE_OTHER, b"", "text/plain", {"Location": "/", "Set-Cookie": cookie})

    def _read(self, name: str) -> bytes:
        root = self.server.session.pages.root.resolve()
        path = (root / name).resolve()
        if not path.is_relative_to(root) or not path.is_file():
            raise _Refused(HTTPStatus.NOT_FOUND, "there is no such page")
        return path.read_bytes()

    def _case(self, query: dict[str, list[str]]) -> None:
        if self.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
            raise _Refused(HTTPStatus.FORBIDDEN, "only pages of this server may ask")
        report, case = query.get("report", [""])[0], query.get("case", [""])[0]
        session = self.server.session
        self._json(HTTPStatus.OK, session.desk.case(report, case) | {"reviewer": session.reviewer})

    def _post(self) -> None:
        self._check_token()
        if self.path != "/api/corrections":
            raise _Refused(HTTPStatus.NOT_FOUND, "there is no such address")
        session = self.server.session
        body = self._body()
        if self.headers.get("X-Dataset") != session.state():
            raise Refusal("a run has replaced the dataset: load the page again", stale=True)
        try:
            request = msgspec.json.decode(body, type=Request)
        except msgspec.MsgspecError as error:
            raise _Refused(HTTPStatus.BAD_REQUEST, f"not a request of this version: {error}") from error
        with session.lock:
            self._json(HTTPStatus.CREATED, session.desk.correct(request) | {"reviewer": session.reviewer})

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if "Transfer-Encoding" in self.headers or not (length.isascii() and length.isdigit()):
            self.close_connection = True
            raise _Refused(HTTPStatus.LENGTH_REQUIRED, "the length of the body is needed")
        if len(length) > 9 or int(length) > LARGEST_BODY:
            self.close_connection = True
            raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a request has {LARGEST_BODY} bytes at most")
        return self.rfile.read(int(length))

    def _json(self, status: HTTPStatus, document: Any) -> None:
        if status >= HTTPStatus.BAD_REQUEST and self.command == "POST":
            self.close_connection = True  # its body may not have been read
        self._send(status, orjson.dumps(document), "application/json")

    def _send(self, status: HTTPStatus, content: bytes, type_: str, more: dict[str, str] | None = None) -> None:
        self.send_response(status)
        charset = "; charset=utf-8" if type_.startswith("text/") else ""
        headers = {"Content-Type": type_ + charset, "Content-Length": str(len(content))} | _HEADERS | (more or {})
        for name, value in headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
