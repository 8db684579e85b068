"""The ledger: what a server holds survives, servers are kept apart, doubt is remembered."""

import sqlite3
from pathlib import Path

import pytest

from pipeline.errors import UsageError
from pipeline.server.ledger import Known, Ledger

URL = "https://fhir.example.org/fhir"
ROW = Known(b"digest", "1", "case-1")


def test_rows_are_there_for_the_next_load(tmp_path: Path) -> None:
    path = tmp_path / "load" / "ledger.sqlite"
    with Ledger(path, URL, "R4") as ledger:
        ledger.record({"Patient/a": ROW, "Patient/b": ROW})
        ledger.forget(["Patient/b"])
    with Ledger(path, URL, "R4") as ledger:
        assert ledger.known(["Patient/a", "Patient/b", "Patient/c"]) == {"Patient/a": ROW}


@pytest.mark.parametrize(("url", "fhir"), [("https://other.example.org/fhir", "R4"), (URL, "R5")])
def test_another_server_or_version_is_another_ledger(tmp_path: Path, url: str, fhir: str) -> None:
    path = tmp_path / "ledger.sqlite"
    with Ledger(path, URL, "R4") as ledger:
        ledger.record({"Patient/a": ROW})
    with Ledger(path, url, fhir) as ledger:  # type: ignore[arg-type]
        assert not ledger.known(["Patient/a"])
        assert list(ledger.absent()) == []


def test_what_the_dataset_lacks_is_absent(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.sqlite", URL, "R4") as ledger:
        ledger.record({f"Patient/{n}": ROW for n in range(2000)})
        ledger.present([f"Patient/{n}" for n in range(1, 2000)])
        assert list(ledger.absent()) == [("Patient/0", "case-1")]


def test_doubt_keeps_what_to_delete_but_not_what_to_skip(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with Ledger(path, URL, "R4") as ledger:
        ledger.record({"Patient/a": ROW})
        assert ledger.sample(10) == ["Patient/a"]
        ledger.doubt()
    with Ledger(path, URL, "R4") as ledger:
        assert ledger.known(["Patient/a"]) == {"Patient/a": Known(None, None, "case-1")}
        assert ledger.sample(10) == []
        assert list(ledger.absent()) == [("Patient/a", "case-1")]


def test_read_only_changes_nothing_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with Ledger(path, URL, "R4", read_only=True) as ledger:
        ledger.record({"Patient/a": ROW})
    assert not path.exists()
    with Ledger(path, URL, "R4") as ledger:
        ledger.record({"Patient/a": ROW})
    before = path.read_bytes()
    with Ledger(path, URL, "R4", read_only=True) as ledger:
        assert ledger.known(["Patient/a"])
        ledger.doubt()
    assert path.read_bytes() == before


def test_a_file_that_is_no_ledger_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_text("something else, and long enough to be looked at as a database file", encoding="utf-8")
    with pytest.raises(UsageError, match="cannot be used as ledger"):
        Ledger(path, URL, "R4")


def test_a_newer_ledger_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 99")
    database.commit()
    database.close()
    with pytest.raises(UsageError, match="newer case2fhir"):
        Ledger(path, URL, "R4")
