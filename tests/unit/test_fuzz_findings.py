"""What fuzzing and attacks on the patterns found stays mended: every file of ``tests/data/fuzz`` is read to its end.

Files are named for what they once did.  They are read, extracted and mapped as ``tests.fuzz.targets.check`` does it.
"""

import re
import socket
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import sources
from pipeline.records import Refused
from pipeline.sources.identity import stem
from tests.fuzz.limit import processor_seconds
from tests.fuzz.targets import TARGETS, check

FOUND = Path(__file__).parents[1] / "data" / "fuzz"
SECONDS = 3.0


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("reading opened a socket")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)


@pytest.fixture(scope="module", autouse=True)
def _loaded() -> None:
    check(TARGETS["text"](b"A 5-year-old girl developed a rash after 10 mg of imatinib."))


@pytest.mark.parametrize("path", sorted(FOUND.iterdir()), ids=lambda path: path.name)
def test_what_was_found_is_read(path: Path) -> None:
    with processor_seconds(SECONDS):
        check((path.suffix, path.read_bytes()))


@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=15, deadline=None)
@given(data=st.binary(max_size=300))
def test_every_file_that_is_made_is_read(target: str, data: bytes) -> None:
    with processor_seconds(SECONDS):
        check(TARGETS[target](data))


@given(st.text(), st.none() | st.text())
def test_an_id_is_one_plain_name_in_every_file_system(path: str, member: str | None) -> None:
    name = stem(path, member)
    assert re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}", name)
    assert not name.endswith(".")


def test_declarations_that_hide_are_seen() -> None:
    hidden = [path for path in FOUND.iterdir() if path.name.startswith("entities-")]
    assert len(hidden) > 2
    for path in hidden:
        assert [item.reason for item in sources.read([path]) if isinstance(item, Refused)] == ["unsafe-xml"]


def test_a_name_that_is_no_utf_8_is_spelt_out(tmp_path: Path) -> None:
    (tmp_path / "caf\udce9.txt").write_text("A man had a rash from imatinib.")
    (report,) = sources.read([tmp_path])
    assert not isinstance(report, Refused)
    assert report.source is not None
    assert report.source.path == str(tmp_path / "caf") + "\\udce9.txt"
