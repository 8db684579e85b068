"""What a caller chooses about loading, and where secrets come from.

Belongs here: values and their limits.  Does not belong here: using them.  Secrets are read from the environment or from
files that it names, never from arguments, and no ``repr`` shows them.

``CASE2FHIR_USER``, ``CASE2FHIR_PASSWORD[_FILE]``                     basic
``CASE2FHIR_TOKEN[_FILE]``                                           bearer; a file is read again when it has expired
``CASE2FHIR_CLIENT_ID``, ``CASE2FHIR_PRIVATE_KEY_FILE`` (PEM or JWK),
``CASE2FHIR_KEY_ID``, ``CASE2FHIR_TOKEN_URL``, ``CASE2FHIR_SCOPE``   smart (the last three have defaults)
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, get_args
from urllib.parse import urlsplit, urlunsplit

from pipeline.errors import UsageError

AuthKind = Literal["none", "basic", "bearer", "smart"]
AUTH_KINDS: Final[tuple[AuthKind, ...]] = get_args(AuthKind)

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Limits:
    """How much goes into one request, and how long to wait; counts, bytes, seconds.

    The defaults keep below what hosted servers take: Azure 500 entries a bundle, Google 4,500 and 50 MB.
    """

    cases: int = 50
    entries: int = 500
    bytes: int = 8_000_000
    connections: int = 4
    timeout: float = 120.0
    """For one answer; a bundle that takes longer is asked about, then tried again."""
    attempts: int = 5
    """For one bundle while the server answers others; after that it is split, to find the case that hangs."""
    patience: float = 300.0
    """How long a server may be away before the load gives up."""
    first_wait: float = 0.5
    longest_wait: float = 30.0
    """Between two attempts without Retry-After: doubles from the first to the longest, with jitter."""


@dataclass(frozen=True)
class Settings:
    """One server and how to talk to it. ``url`` is its base, normalised; ``environment`` holds the secrets."""

    url: str
    auth: AuthKind = "none"
    ca_file: Path | None = None
    limits: Limits = Limits()
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)

    def __post_init__(self) -> None:
        """Raise UsageError for an address that is none, or that carries a password."""
        object.__setattr__(self, "url", normalised(self.url))
        if self.auth not in AUTH_KINDS:
            raise UsageError(f"The server's auth must be one of {', '.join(AUTH_KINDS)}, not {self.auth!r}.")
        if self.ca_file is not None and not self.ca_file.is_file():
            raise UsageError(f"{self.ca_file} does not exist; it should hold the certificates to trust (PEM).")

    @property
    def loopback(self) -> bool:
        """Whether the server is on this machine."""
        host = urlsplit(self.url).hostname or ""
        return host in ("localhost", "::1") or host.startswith("127.")

    def value(self, name: str) -> str | None:
        """``CASE2FHIR_<name>`` of the environment; None where it is unset or empty."""
        return self.environment.get(f"CASE2FHIR_{name}") or None

    def required(self, name: str) -> str:
        """Like ``value``; raises UsageError where it is missing."""
        if (found := self.value(name)) is None:
            raise UsageError(f"Authentication {self.auth!r} needs the environment variable CASE2FHIR_{name}.")
        return found

    def secret(self, name: str) -> str:
        """``CASE2FHIR_<name>``, or the content of the file that ``CASE2FHIR_<name>_FILE`` names.

        Raises UsageError where neither is there.
        """
        if (file := self.value(f"{name}_FILE")) is not None:
            return read_secret(Path(file), f"CASE2FHIR_{name}_FILE").strip()
        if (found := self.value(name)) is None:
            raise UsageError(
                f"Authentication {self.auth!r} needs CASE2FHIR_{name}_FILE or CASE2FHIR_{name} in the environment."
            )
        return found


def read_secret(path: Path, named_by: str) -> str:
    """Text of a file that holds a secret. Raises UsageError where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}, named by {named_by}, cannot be read: {type(error).__name__}.") from error


def normalised(url: str) -> str:
    """The base of a server as the ledger knows it: lower-case host, no default port, no slash at the end.

    Raises UsageError for anything but an http(s) address, and for one that carries user and password.
    """
    expected = "an http(s) address such as https://fhir.example.org/fhir"
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError as error:
        raise UsageError(f"The server must be {expected}.") from error
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or parts.query or parts.fragment:
        raise UsageError(f"The server must be {expected}.")
    if parts.username is not None or parts.password is not None:
        raise UsageError("The server's address must not hold a password: use --auth basic and CASE2FHIR_PASSWORD_FILE.")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if port is not None and port != _DEFAULT_PORTS[parts.scheme]:
        host += f":{port}"
    return urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))
