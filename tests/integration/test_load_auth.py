"""Who the loader says it is: none, basic, bearer, SMART Backend Services; and that no secret shows anywhere."""

import base64
import json
import logging
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pipeline.errors import UsageError
from pipeline.server import Denied, Limits, LoadResult, Settings, load
from tests.integration.command import case2fhir
from tests.integration.fake_fhir import FakeFhir, listening, running
from tests.integration.load_samples import dataset

FAST = Limits(cases=2, connections=3, timeout=5, patience=5, first_wait=0.01, longest_wait=0.05)
REPORTS = [f"r{number}" for number in range(1, 9)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dataset")
    dataset(folder, REPORTS)
    return folder


@pytest.fixture
def fhir() -> Iterator[FakeFhir]:
    with running(FakeFhir(tokens=set())) as server:
        yield server


def into(fhir: FakeFhir, folder: Path, auth: Any, **environment: str) -> LoadResult:
    named = {f"CASE2FHIR_{name}": value for name, value in environment.items()}
    return load(folder, Settings(fhir.url, auth, limits=FAST, environment=named))


class TestBearer:
    def test_a_token_from_the_environment(self, fhir: FakeFhir, made: Path) -> None:
        fhir.tokens = {"s3cret"}
        assert into(fhir, made, "bearer", TOKEN="s3cret").ok

    def test_a_token_file_is_read_again_when_the_token_has_expired(
        self, fhir: FakeFhir, made: Path, tmp_path: Path
    ) -> None:
        file, renewed = tmp_path / "token", tmp_path / "token.new"
        file.write_text("first\n", encoding="utf-8")
        fhir.tokens = {"first"}
        original = fhir.transaction

        turn = threading.Lock()

        def rotate(bundle: dict[str, Any]) -> dict[str, Any]:
            with turn:
                renew()
            return original(bundle)

        def renew() -> None:
            if fhir.tokens == {"first"}:
                renewed.write_text("second\n", encoding="utf-8")
                renewed.replace(file)
                fhir.tokens = {"second"}

        fhir.transaction = rotate  # type: ignore[method-assign]
        result = into(fhir, made, "bearer", TOKEN_FILE=str(file))
        assert result.ok
        assert result.cases["loaded"] == len(REPORTS)

    def test_a_wrong_token_ends_the_load(self, fhir: FakeFhir, made: Path) -> None:
        fhir.tokens = {"right"}
        result = into(fhir, made, "bearer", TOKEN="wrong")
        assert not result.transient
        assert "401" in str(result.stopped)
        assert "wrong" not in str(result)

    def test_without_a_token_nothing_is_tried(self, fhir: FakeFhir, made: Path) -> None:
        with pytest.raises(UsageError, match="CASE2FHIR_TOKEN_FILE or CASE2FHIR_TOKEN"):
            into(fhir, made, "bearer")
        assert not fhir.requests


def test_basic(fhir: FakeFhir, made: Path) -> None:
    fhir.tokens = {"Basic " + base64.b64encode(b"anna:pass:word").decode()}
    assert into(fhir, made, "basic", USER="anna", PASSWORD="pass:word").ok


class TokenServer:
    """Checks assertions as SMART Backend Services demands, and hands out tokens that last ``seconds``."""

    def __init__(self, fhir: FakeFhir, public: Any, algorithm: str, seconds: int = 300) -> None:
        self.fhir, self.public, self.algorithm, self.seconds = fhir, public, algorithm, seconds
        self.given = 0
        self.used: set[str] = set()
        self.url = ""

    def answer(self, form: dict[str, list[str]]) -> tuple[int, dict[str, Any]]:
        (assertion,) = form["client_assertion"]
        claims = jwt.decode(assertion, self.public, algorithms=[self.algorithm], audience=self.url)
        header = jwt.get_unverified_header(assertion)
        assert header["alg"] == self.algorithm
        assert header["kid"] == "key-1"
        assert claims["iss"] == claims["sub"] == "client-1"
        assert 0 < claims["exp"] - time.time() <= 300
        assert form["grant_type"] == ["client_credentials"]
        assert form["client_assertion_type"] == ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"]
        assert form["scope"] == ["system/*.cruds"]
        if claims["jti"] in self.used:
            return 400, {"error": "invalid_client", "error_description": "assertion used twice"}
        self.used.add(claims["jti"])
        self.given += 1
        token = f"token-{self.given}"
        self.fhir.tokens = {token}
        return 200, {"access_token": token, "token_type": "bearer", "expires_in": self.seconds}

    def handler(self) -> type[BaseHTTPRequestHandler]:
        answer = self.answer

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                try:
                    status, document = answer(form)
                except (jwt.PyJWTError, AssertionError) as error:
                    status, document = 401, {"error": "invalid_client", "error_description": type(error).__name__}
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        return Handler


def key_pair(algorithm: str) -> tuple[Any, str]:
    """Public key, and private key as PEM."""
    key: Any = (
        rsa.generate_private_key(public_exponent=65537, key_size=2048)
        if algorithm == "RS384"
        else ec.generate_private_key(ec.SECP384R1())
    )
    return key.public_key(), key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


class TestSmartBackend:
    @pytest.mark.parametrize("form", ["pem", "jwk"])
    @pytest.mark.parametrize("algorithm", ["RS384", "ES384"])
    def test_a_signed_assertion_buys_a_token(
        self, fhir: FakeFhir, made: Path, tmp_path: Path, algorithm: str, form: str
    ) -> None:
        public, pem = key_pair(algorithm)
        file = tmp_path / "key"
        environment = {"CLIENT_ID": "client-1", "PRIVATE_KEY_FILE": str(file)}
        if form == "pem":
            file.write_text(pem, encoding="utf-8")
            environment["KEY_ID"] = "key-1"
        else:
            signer = jwt.get_algorithm_by_name(algorithm)
            jwk = signer.to_jwk(signer.prepare_key(pem), as_dict=True)
            file.write_text(json.dumps(jwk | {"kid": "key-1", "alg": algorithm}), encoding="utf-8")
        server = TokenServer(fhir, public, algorithm)
        with listening(server.handler()) as port:
            server.url = f"http://127.0.0.1:{port}/token"
            assert into(fhir, made, "smart", TOKEN_URL=server.url, **environment).ok
        assert server.given == 1

    def test_the_server_says_where_tokens_are_sold(self, fhir: FakeFhir, made: Path, tmp_path: Path) -> None:
        public, pem = key_pair("ES384")
        (tmp_path / "key").write_text(pem, encoding="utf-8")
        server = TokenServer(fhir, public, "ES384")
        with listening(server.handler()) as port:
            server.url = f"http://127.0.0.1:{port}/token"
            fhir.token_endpoint = server.url
            key = str(tmp_path / "key")
            assert into(fhir, made, "smart", CLIENT_ID="client-1", PRIVATE_KEY_FILE=key, KEY_ID="key-1").ok

    def test_a_token_revoked_in_mid_run_is_renewed_once_for_all_connections(
        self, fhir: FakeFhir, tmp_path: Path
    ) -> None:
        made = dataset(tmp_path / "out", [f"r{number}" for number in range(20)]).paths.root
        public, pem = key_pair("ES384")
        (tmp_path / "key").write_text(pem, encoding="utf-8")
        server = TokenServer(fhir, public, "ES384")
        original = fhir.transaction

        def revoke(bundle: dict[str, Any]) -> dict[str, Any]:
            answered = original(bundle)
            if len(fhir.transactions) == 4:
                fhir.tokens = set()
            return answered

        fhir.transaction = revoke  # type: ignore[method-assign]
        with listening(server.handler()) as port:
            server.url = f"http://127.0.0.1:{port}/token"
            key = str(tmp_path / "key")
            given = {"CLIENT_ID": "client-1", "PRIVATE_KEY_FILE": key, "KEY_ID": "key-1", "TOKEN_URL": server.url}
            assert into(fhir, made, "smart", **given).ok
        assert server.given == 2
        assert set(fhir.counts().values()) == {1}

    def test_tokens_are_renewed_before_they_end(self, fhir: FakeFhir, made: Path, tmp_path: Path) -> None:
        public, pem = key_pair("ES384")
        (tmp_path / "key").write_text(pem, encoding="utf-8")
        server = TokenServer(fhir, public, "ES384", seconds=0)
        with listening(server.handler()) as port:
            server.url = f"http://127.0.0.1:{port}/token"
            key = str(tmp_path / "key")
            given = {"CLIENT_ID": "client-1", "PRIVATE_KEY_FILE": key, "KEY_ID": "key-1", "TOKEN_URL": server.url}
            settings = Settings(fhir.url, "smart", limits=Limits(connections=1), environment=_named(given))
            assert load(made, settings).ok
        assert server.given > 2

    def test_a_client_that_is_not_known_is_told_so(self, fhir: FakeFhir, made: Path, tmp_path: Path) -> None:
        public, _ = key_pair("ES384")
        _, other = key_pair("ES384")
        (tmp_path / "key").write_text(other, encoding="utf-8")
        server = TokenServer(fhir, public, "ES384")
        with listening(server.handler()) as port:
            server.url = f"http://127.0.0.1:{port}/token"
            key = str(tmp_path / "key")
            given = {"CLIENT_ID": "client-1", "PRIVATE_KEY_FILE": key, "TOKEN_URL": server.url}
            with pytest.raises(Denied, match="refused client 'client-1': 401 invalid_client InvalidSignatureError"):
                into(fhir, made, "smart", **given)

    @pytest.mark.parametrize("content", ["", "no key", '{"kty": "oct", "k": "c2VjcmV0"}'])
    def test_what_is_no_private_key_is_refused_without_being_quoted(
        self, fhir: FakeFhir, made: Path, tmp_path: Path, content: str
    ) -> None:
        (tmp_path / "key").write_text(content, encoding="utf-8")
        with pytest.raises(UsageError, match="must hold an unencrypted private key") as error:
            into(fhir, made, "smart", CLIENT_ID="client-1", PRIVATE_KEY_FILE=str(tmp_path / "key"))
        assert not content or content not in str(error.value)


def _named(environment: dict[str, str]) -> dict[str, str]:
    return {f"CASE2FHIR_{name}": value for name, value in environment.items()}


def test_no_secret_shows_in_output_logs_or_files(
    fhir: FakeFhir, made: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    fhir.tokens = {"Zx9-very-secret"}
    monkeypatch.setenv("CASE2FHIR_TOKEN", "Zx9-very-secret")
    done = case2fhir("load", str(made), "--server", fhir.url, "--auth", "bearer", "--json")
    assert done.code == 0, done.stderr
    monkeypatch.setenv("CASE2FHIR_TOKEN", "Zx9-very-secret-but-wrong")
    (made / "load" / "ledger.sqlite").unlink()
    refused = case2fhir("load", str(made), "--server", fhir.url, "--auth", "bearer")
    assert refused.code == 1
    shown = done.stdout + done.stderr + refused.stdout + refused.stderr + caplog.text
    assert "Zx9" not in shown
    assert not [path for path in made.rglob("*") if path.is_file() and b"Zx9" in path.read_bytes()]
    assert "Zx9" not in repr(Settings(fhir.url, "bearer"))


@pytest.mark.parametrize(
    "url",
    ["http://anna:secret@localhost/fhir", "localhost:8080/fhir", "ftp://x/fhir", "http:///fhir", "http://x:a/fhir"],
)
def test_addresses_that_are_none_or_hold_a_password_are_refused(made: Path, url: str) -> None:
    done = case2fhir("load", str(made), "--server", url)
    assert done.code == 2
    assert "secret" not in done.stderr


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("HTTPS://FHIR.Example.org:443/fhir/", "https://fhir.example.org/fhir"),
        ("http://localhost:8080/fhir//", "http://localhost:8080/fhir"),
        ("http://[::1]:80/Fhir", "http://[::1]/Fhir"),
    ],
)
def test_one_server_has_one_address(written: str, meant: str) -> None:
    assert Settings(written).url == meant


def test_the_certificate_of_the_server_is_checked(made: Path, tmp_path: Path) -> None:
    certificate = _certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, tmp_path / "key.pem")
    with running(FakeFhir(), context) as fhir:
        with pytest.raises(Denied, match="certificate is not trusted"):
            load(made, Settings(fhir.url, limits=FAST))
        assert load(made, Settings(fhir.url, ca_file=certificate, limits=FAST)).ok


def _certificate(folder: Path) -> Path:
    """A self-signed certificate for 127.0.0.1."""
    import datetime
    import ipaddress

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    return folder / "certificate.pem"
