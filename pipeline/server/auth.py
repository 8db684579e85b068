"""Who we say we are: none, basic, bearer token, SMART Backend Services.

Belongs here: putting credentials on requests and renewing them.  Does not belong here: where secrets come from
(``settings``).  Signing is PyJWT's.

SMART Backend Services: HL7 SMART App Launch 2.2, *Client Authentication: Asymmetric* and *Backend Services*: a signed
assertion (RS384 or ES384, at most five minutes) buys a short-lived access token.
"""

import threading
import time
import uuid
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from pipeline.errors import PermanentError, TransientError, UsageError
from pipeline.server.settings import Settings, read_secret

ASSERTION_SECONDS: Final = 240
EARLY: Final = 30.0
"""Seconds before its end that a token is renewed."""
SCOPE: Final = "system/*.cruds"
_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

Flow = Generator[httpx.Request, httpx.Response, None]


def authentication(settings: Settings) -> httpx.Auth | None:
    """What signs the requests. Raises UsageError where a secret is missing or is no key."""
    if settings.auth == "basic":
        return httpx.BasicAuth(settings.required("USER"), settings.secret("PASSWORD"))
    if settings.auth == "bearer":
        return Bearer(settings)
    if settings.auth == "smart":
        return SmartBackend(settings)
    return None


class Bearer(httpx.Auth):
    """A token that someone else renews: after a 401 it is read again, and used if it has changed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._token = settings.secret("TOKEN")

    def auth_flow(self, request: httpx.Request) -> Flow:
        """See ``httpx.Auth``."""
        used = self._token
        request.headers["Authorization"] = f"Bearer {used}"
        response = yield request
        if response.status_code == httpx.codes.UNAUTHORIZED:
            self._token = self._read_again()
            if self._token != used:
                request.headers["Authorization"] = f"Bearer {self._token}"
                yield request

    def _read_again(self) -> str:
        """Raises TransientError for a file that is just being written."""
        try:
            token = self._settings.secret("TOKEN")
        except UsageError as error:
            raise TransientError(str(error)) from error
        if not token:
            raise TransientError("The file that CASE2FHIR_TOKEN_FILE names is empty.")
        return token


class SmartBackend(httpx.Auth):
    """Access tokens by SMART Backend Services, shared by all connections; renewed early, and after a 401."""

    requires_response_body = True

    def __init__(self, settings: Settings) -> None:
        self._base = settings.url
        self._loopback = settings.loopback
        self._client_id = settings.required("CLIENT_ID")
        self._key_id = settings.value("KEY_ID")
        self._scope = settings.value("SCOPE") or SCOPE
        self._token_url = settings.value("TOKEN_URL")
        self._key, self._algorithm, key_id = _private_key(Path(settings.required("PRIVATE_KEY_FILE")))
        self._key_id = self._key_id or key_id
        self._lock = threading.Lock()
        self._token: str | None = None
        self._renew_at = 0.0

    def auth_flow(self, request: httpx.Request) -> Flow:
        """See ``httpx.Auth``."""
        used = yield from self._current(None)
        request.headers["Authorization"] = f"Bearer {used}"
        response = yield request
        if response.status_code == httpx.codes.UNAUTHORIZED:
            renewed = yield from self._current(used)
            request.headers["Authorization"] = f"Bearer {renewed}"
            yield request

    def _current(self, refused: str | None) -> Generator[httpx.Request, httpx.Response, str]:
        """A token that is valid and is not ``refused``; one connection renews it, the others wait."""
        with self._lock:
            if self._token is None or self._token == refused or time.monotonic() >= self._renew_at:
                if self._token_url is None:
                    self._token_url = _endpoint((yield self._discovery()), self._loopback)
                self._keep((yield self._token_request(self._token_url)))
            assert self._token is not None
            return self._token

    def _discovery(self) -> httpx.Request:
        return httpx.Request(
            "GET", f"{self._base}/.well-known/smart-configuration", headers={"Accept": "application/json"}
        )

    def _token_request(self, url: str) -> httpx.Request:
        now = int(time.time())
        claims = {
            "iss": self._client_id,
            "sub": self._client_id,
            "aud": url,
            "jti": str(uuid.uuid4()),
            "iat": now,
            "exp": now + ASSERTION_SECONDS,
        }
        headers = {"kid": self._key_id} if self._key_id else None
        form = {
            "grant_type": "client_credentials",
            "scope": self._scope,
            "client_assertion_type": _ASSERTION_TYPE,
            "client_assertion": jwt.encode(claims, self._key, algorithm=self._algorithm, headers=headers),
        }
        return httpx.Request("POST", url, data=form, headers={"Accept": "application/json"})

    def _keep(self, response: httpx.Response) -> None:
        if response.status_code >= 500 or response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise TransientError(f"The token server answered {response.status_code}.")
        answer = _json(response)
        token, seconds = answer.get("access_token"), answer.get("expires_in", 300)
        if response.status_code != httpx.codes.OK or not isinstance(token, str):
            raise PermanentError(
                f"The token server refused client {self._client_id!r}: {response.status_code} "
                f"{answer.get('error', '')} {answer.get('error_description', '')}".rstrip()
            )
        self._token = token
        lasting = float(seconds) if isinstance(seconds, int | float | str) else 300.0
        self._renew_at = time.monotonic() + max(lasting - EARLY, lasting / 2)


def _endpoint(response: httpx.Response, plain_allowed: bool) -> str:
    endpoint = _json(response).get("token_endpoint")
    if response.status_code >= 500:
        raise TransientError(f"The server answered {response.status_code} when asked for its SMART configuration.")
    if not isinstance(endpoint, str):
        raise PermanentError(
            "The server has no .well-known/smart-configuration with a token_endpoint: set CASE2FHIR_TOKEN_URL."
        )
    if urlsplit(endpoint).scheme != "https" and not plain_allowed:
        raise PermanentError("The server's SMART configuration names a token_endpoint without TLS.")
    return endpoint


def _json(response: httpx.Response) -> dict[str, Any]:
    try:
        answer = response.json()
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _private_key(path: Path) -> tuple[rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, str, str | None]:
    """Key, algorithm and key id of a PEM or JWK file. Raises UsageError for any other; never quotes it."""
    content = read_secret(path, "CASE2FHIR_PRIVATE_KEY_FILE")
    key_id = None
    try:
        if content.lstrip().startswith("{"):
            web_key = jwt.PyJWK.from_json(content)
            key, key_id = web_key.key, web_key.key_id
        else:
            key = load_pem_private_key(content.encode(), password=None)
    except (ValueError, TypeError, jwt.PyJWTError):
        key = None
    if isinstance(key, rsa.RSAPrivateKey):
        return key, "RS384", key_id
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP384R1):
        return key, "ES384", key_id
    raise UsageError(f"{path} must hold an unencrypted private key, RSA or EC P-384, as PEM or JWK.")
