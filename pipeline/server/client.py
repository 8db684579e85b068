"""Talks FHIR over HTTP: one connection pool, one pace for all connections, answers sorted into success and errors.

Belongs here: requests, waiting, what an answer means.  Does not belong here: what to send (``sending``, ``bulk``).
"""

import email.utils
import random
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import httpx
import orjson

from pipeline import __version__
from pipeline.errors import PermanentError, TransientError, UsageError
from pipeline.server.auth import authentication
from pipeline.server.errors import Denied, GaveUp, Refused, Unavailable
from pipeline.server.settings import Limits, Settings

T = TypeVar("T")

FHIR_JSON: Final = "application/fhir+json"
_TRY_LATER: Final = {408, 425, 429, 500, 502, 503, 504, 507}
_DENIED: Final = {401, 403}
_WORDS: Final = 2000
"""Characters of a server's answer that are kept."""


class Pace:
    """When the next request may go out, for all connections together.

    A server that asks for a pause gets it from every connection.  One that is away is asked again and again, less and
    less often, until it has been away for ``patience`` seconds.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.patience = limits.patience
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._not_before = 0.0
        self._away_since: dict[bool, float] = {}
        """By whether it is for changes: a server may go on reading while it takes nothing in."""
        self.retries = 0

    def wait(self) -> None:
        """Sleep as long as the server asked for. Raises GaveUp once ``stop`` was called."""
        while (seconds := self._not_before - time.monotonic()) > 0 and not self._stop.is_set():
            self._stop.wait(seconds)
        if self._stop.is_set():
            raise GaveUp("The load was stopped.")

    def sleep(self, seconds: float) -> None:
        """Sleep; ``stop`` ends it. Raises GaveUp then."""
        self._stop.wait(seconds)
        self.wait()

    def stop(self) -> None:
        """Let no further request out."""
        self._stop.set()

    def answered(self, changes: bool) -> None:
        """The server did its work; one that takes in changes is wholly there."""
        with self._lock:
            for kind in (True, False) if changes else (False,):
                self._away_since.pop(kind, None)

    def failed(self, error: Unavailable, attempt: int) -> None:
        """Sleep before attempt ``attempt + 1``. Raises GaveUp when the server has been away for too long."""
        now = time.monotonic()
        with self._lock:
            self.retries += 1
            since = self._away_since.setdefault(error.changes, now)
            asked = error.retry_after
            if now + (asked or 0) - since > self.patience:
                raise GaveUp(f"The server was away for {self.patience:g} s: {error}") from error
            if asked is not None:
                self._not_before = max(self._not_before, now + asked)
        if asked is None:
            longest = min(self._limits.longest_wait, self._limits.first_wait * 2**attempt)
            self.sleep(longest * random.uniform(0.5, 1))  # noqa: S311 # jitter, no secret
        else:
            self.wait()


class Client:
    """One server. Safe to use from several threads."""

    def __init__(self, settings: Settings, transport: httpx.BaseTransport | None = None) -> None:
        """Raises UsageError where a secret or a certificate is missing. ``transport``: to watch or replace the wire."""
        limits = settings.limits
        try:
            trust = ssl.create_default_context(cafile=settings.ca_file and str(settings.ca_file))
        except ssl.SSLError as error:
            raise UsageError(f"{settings.ca_file} holds no certificates that can be read (PEM is expected).") from error
        self.pace = Pace(limits)
        self.requests = 0
        self._lock = threading.Lock()
        self._base = settings.url
        self._http = httpx.Client(
            base_url=settings.url,
            auth=authentication(settings),
            verify=trust,
            transport=transport,
            timeout=httpx.Timeout(limits.timeout, connect=min(limits.timeout, 10.0), pool=None),
            limits=httpx.Limits(max_connections=limits.connections + 1, max_keepalive_connections=limits.connections),
            headers={"Accept": FHIR_JSON, "User-Agent": f"case2fhir/{__version__}"},
            trust_env=not settings.loopback,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._http.close()

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        changes: bool = False,
        once: bool = False,
    ) -> httpx.Response:
        """One request, repeated while the server is away; ``path`` below the base, or an address.

        Another host gets no credentials.  ``changes``: whether it is to change something on the server.  ``once``:
        no second try.  Raises Refused, Denied, GaveUp; where there is no second try, Unavailable too.
        """

        def attempt() -> httpx.Response:
            return self._attempt(method, path, body, dict(headers or {}), changes=changes)

        return attempt() if once else self.patiently(attempt)

    def own(self, address: str) -> str:
        """An address that the server gave for itself, on the host that we know it by.

        Servers behind a proxy name inner hosts; and no other host gets our credentials.
        """
        base = httpx.URL(self._base)
        return str(base.join(address).copy_with(scheme=base.scheme, host=base.host, port=base.port))

    def patiently(self, act: Callable[[], T]) -> T:
        """``act()``, again and again while it raises Unavailable; an internal error (500) is final after some times."""
        attempt = 0
        while True:
            try:
                return act()
            except Unavailable as error:
                if error.status == 500 and attempt >= 2:
                    raise Refused(str(error), status=500) from error
                self.pace.failed(error, attempt)
                attempt += 1

    def _attempt(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str], *, changes: bool
    ) -> httpx.Response:
        """One request that succeeds. Raises Unavailable, Refused, Denied, GaveUp."""
        self.pace.wait()
        with self._lock:
            self.requests += 1
        try:
            response = self._judged(self._exchange(method, path, body, headers))
        except Unavailable as error:
            error.changes = changes
            raise
        except Refused:
            self.pace.answered(changes)
            raise
        self.pace.answered(changes)
        return response

    def _exchange(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> httpx.Response:
        """Any answer. Raises Unavailable, Denied."""
        if body is not None:
            headers["Content-Type"] = FHIR_JSON
        try:
            auth = httpx.USE_CLIENT_DEFAULT if "//" not in path or _origin(path) == _origin(self._base) else None
            return self._http.request(method, path, content=body, headers=headers, auth=auth)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            if (reason := _certificate(error)) is not None:
                raise Denied(f"The server's certificate is not trusted: {reason}. --ca-file names others.") from error
            raise Unavailable(f"no connection ({_name(error)})", maybe_done=False) from error
        except httpx.TransportError as error:
            raise Unavailable(f"no answer ({_name(error)})", maybe_done=True) from error
        except TransientError as error:
            raise Unavailable(str(error), maybe_done=False) from error
        except PermanentError as error:
            raise Denied(str(error)) from error

    def _judged(self, response: httpx.Response) -> httpx.Response:
        """A success. Raises what anything else stands for."""
        status = response.status_code
        if response.is_success:
            return response
        message = f"{status}: {words(response)}"
        if status in _TRY_LATER:
            raise Unavailable(
                message, maybe_done=status not in (425, 429), retry_after=retry_after(response), status=status
            )
        if status in _DENIED:
            raise Denied(f"The server denies access: {message}")
        if response.is_redirect:
            raise Denied(f"The server redirects to {response.headers.get('location', '?')}; give that address.")
        raise Refused(message, status=status)


def words(response: httpx.Response) -> str:
    """What the server said: the issues of its OperationOutcome, or else its text."""
    try:
        found = outcome_words(orjson.loads(response.content))
    except orjson.JSONDecodeError:
        found = ""
    return found or " ".join(response.text.split())[:_WORDS] or response.reason_phrase


def outcome_words(resource: Any) -> str:
    """The issues of an OperationOutcome that are more than information, in one line; empty for anything else."""
    if not isinstance(resource, dict) or resource.get("resourceType") != "OperationOutcome":
        return ""
    issues = resource.get("issue") or []
    grave = [issue for issue in issues if issue.get("severity") in ("fatal", "error")] or issues
    return "; ".join(_issue(issue) for issue in grave)[:_WORDS]


def _issue(issue: Mapping[str, Any]) -> str:
    text = issue.get("diagnostics") or (issue.get("details") or {}).get("text") or issue.get("code") or "?"
    where = ", ".join(issue.get("expression") or issue.get("location") or [])
    return " ".join(f"{text} ({where})".split()) if where else " ".join(str(text).split())


def retry_after(response: httpx.Response) -> float | None:
    """Retry-After (RFC 9110 §10.2.3): seconds, or a date."""
    value = response.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = httpx.URL(url)
    return parts.scheme, parts.host, parts.port


def _certificate(error: BaseException | None) -> str | None:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message
        error = error.__cause__ or error.__context__
    return None


def _name(error: Exception) -> str:
    """``ConnectError: Connection refused``; httpx's own messages hold no secret."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
