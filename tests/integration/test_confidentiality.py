"""Reports may be confidential: their words are in the data files, and nowhere else; nothing is sent to anybody."""

import json
import os
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.command import Result, case2fhir, case2fhir_process
from tests.integration.fake_fhir import FakeFhir, running

CANARY = "Zyxquorb"
"""No word of any language, dictionary or code: where it turns up, it was copied from a report."""

LETTER = (
    f"A 66-year-old woman, Mrs {CANARY}, developed a {CANARY} rash after imatinib 400 mg daily ({CANARY}). Imatinib "
    f"was stopped and the rash resolved. She lives in {CANARY} Street 5.\n"
)
DATA = ("parquet/", "fhir/R4/", "fhir/R5/", "quarantine/cases")
"""What holds the words of reports, and says so."""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Good reports and, in every format, broken ones with the canary where parsers trip."""
    folder = tmp_path_factory.mktemp("hostile") / "in"
    folder.mkdir()
    texts = {
        "letter.txt": LETTER,
        "german.txt": f"Die Patientin {CANARY} wurde mit Imatinib behandelt und entwickelte einen Ausschlag. " * 5,
        "lines.jsonl": json.dumps({"id": "ok", "text": LETTER * 2})
        + f'\n{{"id": "x", "text": "{CANARY}\n'
        + f'{{"id": ["{CANARY}"], "text": 5}}\n{{"{CANARY}": "{CANARY}"}}\n',
        "cut.nxml": f"<article><front><article-meta><title-group><article-title>{CANARY}</article-title>",
        "entity.xml": f'<!DOCTYPE a [<!ENTITY x "{CANARY}">]><article><body><p>&x;&{CANARY};</p></body></article>',
        "odd.xml": f"<{CANARY}><p>{CANARY}</p></{CANARY}>",
        "page.html": f"<html><body>{CANARY}</body></html>",
        "quotes.txt": LETTER.replace("400 mg", f"400 {CANARY}/{CANARY} mg\x0b\u2028"),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "bytes.txt").write_bytes(CANARY.encode("utf-16-be")[1:] + b"\xff\x00" * 50)
    with zipfile.ZipFile(folder / "archive.zip", "w") as archive:
        archive.writestr("inside.txt", LETTER * 3)
        archive.writestr("broken.jsonl", f'{{"id": "y", "text": "{CANARY}')
    whole = (folder / "archive.zip").read_bytes()
    (folder / "torn.zip").write_bytes(whole[: len(whole) // 2])
    return folder


@pytest.fixture(scope="module")
def ran(hostile: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """The dataset and what the run said, Dagster's log included."""
    out = tmp_path_factory.mktemp("ran") / "out"
    options = ("--workers", "1", "--verbose", "--max-quarantine-rate", "1")
    return out, case2fhir_process("run", str(hostile), "--out", str(out), *options)


def told(result: Result) -> None:
    assert CANARY.lower() not in (result.stdout + result.stderr).lower()


def test_the_run_was_one(ran: tuple[Path, Result]) -> None:
    """Otherwise what follows would say nothing."""
    out, result = ran
    assert result.code == 0, result.stderr
    refused = [json.loads(line)["reason"] for line in (out / "quarantine" / "refused.jsonl").read_text().splitlines()]
    assert len(refused) >= 6
    assert any(CANARY.encode() in path.read_bytes() for path in (out / "fhir").rglob("*.ndjson"))


def test_only_data_files_hold_words_of_reports(ran: tuple[Path, Result]) -> None:
    out, _ = ran
    texts = {p.relative_to(out).as_posix(): p.read_bytes().lower() for p in out.rglob("*") if p.is_file()}
    held = [name for name, content in texts.items() if CANARY.lower().encode() in content]
    assert [name for name in sorted(held) if not name.startswith(DATA)] == []


def test_no_log_tells_them(ran: tuple[Path, Result], hostile: Path) -> None:
    out, result = ran
    told(result)
    (hostile / "more.txt").write_text(LETTER * 2, encoding="utf-8")
    for options in (["--log", "json", "--verbose"], ["--json", "--fresh"]):
        told(case2fhir_process("run", str(hostile), "--out", str(out), "--workers", "2", "--no-data-docs", *options))


def test_neither_do_other_commands(ran: tuple[Path, Result], hostile: Path) -> None:
    out, _ = ran
    told(case2fhir("validate", str(out)))
    extracted = case2fhir("extract", str(hostile))
    assert extracted.stderr.count("refused:") >= 6
    assert CANARY.lower() not in extracted.stderr.lower()
    with running(FakeFhir()) as server:
        told(case2fhir("load", str(out), "--server", server.url))


@pytest.mark.parametrize("stage", ["extract", "assess_all", "_build"])
def test_a_defect_of_ours_does_not_quote_the_report_either(
    stage: str, hostile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError(LETTER)

    monkeypatch.setattr(f"pipeline.batches.{stage}", broken)
    options = ("--workers", "1", "--no-data-docs", "--verbose")
    result = case2fhir("run", str(hostile), "--out", str(tmp_path / "out"), *options)
    assert result.code == 1
    assert "internal-error" in result.stderr
    told(result)


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o007])
def test_files_and_folders_have_the_permissions_that_the_user_asked_for(umask: int, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text(LETTER, encoding="utf-8")
    code = f"import os; os.umask({umask}); from pipeline.cli import main; main()"
    command = [sys.executable, "-W", "ignore", "-c", code, "run", "letter.txt", "--out", "out", "--workers", "1"]
    root = str(Path(__file__).parents[2])
    subprocess.run(command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": root}, check=True, capture_output=True)
    wrong = {
        path.relative_to(tmp_path).as_posix(): oct(mode)
        for path, mode in _modes(tmp_path / "out")
        if mode != (0o777 if path.is_dir() else 0o666) & ~umask
    }
    assert wrong == {}
    assert (tmp_path / "out" / "validation" / "docs" / "index.html").exists()


def _modes(root: Path) -> Iterator[tuple[Path, int]]:
    return ((path, stat.S_IMODE(path.stat().st_mode)) for path in [root, *root.rglob("*")])


def test_nobody_is_told_of_a_run() -> None:
    """Neither Dagster's telemetry nor Great Expectations' analytics, whatever the user's own settings are."""
    code = """
import os
import pipeline.definitions
assert os.environ["DAGSTER_DISABLE_TELEMETRY"] == "yes"
from pipeline.validation import suites
with suites._quiet():
    suites._context()
assert os.environ["GX_ANALYTICS_ENABLED"] == "false"
"""
    ours = ("DAGSTER_DISABLE_TELEMETRY", "GX_ANALYTICS_ENABLED")
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], env=environment, check=True)


def test_no_connection_is_opened_by_a_run(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text(LETTER, encoding="utf-8")
    code = """
import socket
def refuse(self, address):
    assert self.family == socket.AF_UNIX, "a connection"
    return connect(self, address)
connect, socket.socket.connect = socket.socket.connect, refuse
from pipeline.cli import main
main()
"""
    command = [sys.executable, "-W", "ignore", "-c", code, "run", "letter.txt", "--out", "out", "--workers", "1"]
    root = str(Path(__file__).parents[2])
    subprocess.run(command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": root}, check=True, capture_output=True)
