"""The wording of reports: every pattern of ``wording.tsv`` matches its example and is used by the module it is for."""

from pathlib import Path

import pytest

from pipeline.data import DataFileError
from pipeline.extraction.wording import Entry, compiled, entries, wording
from tests.unit.regexes.patterns import wording_used


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: f"{entry.module}: {entry.name}")
def test_every_pattern_matches_its_example(entry: Entry) -> None:
    before, rest = entry.example.split("[")
    inside, after = rest.split("]")
    found = compiled(entry).fullmatch(before + inside + after, len(before), len(before + inside))
    assert found and found[0]
    assert entry.pattern == entry.pattern.strip()


@pytest.mark.parametrize("module", {entry.module for entry in entries()})
def test_a_module_uses_its_wording_and_no_other(module: str) -> None:
    assert wording_used(module).keys() == wording(module).keys()


def test_a_name_that_is_missing_is_told() -> None:
    with pytest.raises(DataFileError, match=r"wording\.tsv: no pattern 'never told' among .*border"):
        wording("events")["never told"]
    with pytest.raises(DataFileError, match=r"wording\.tsv: no patterns of the module 'nothing'"):
        wording("nothing")


ENTRY = "events\tborder\twhere a clause ends\tthe rash[, but]\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ENTRY + "\t,|\n\t(but\n", r"line 2, events border: missing \)"),
        (ENTRY, "line 2: no pattern below events border"),
        (ENTRY + "\t,\n" + ENTRY + "\t,\n", "line 4: events border stands there before"),
        ("\t,\n", "line 2: expected module, name"),
        ("events\tborder\t,\n", "line 2: expected module, name"),
    ],
)
def test_what_does_not_follow_the_grammar_is_told_with_its_line(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "wording.tsv"
    path.write_text("# a comment\n" + text, encoding="utf-8")
    with pytest.raises(DataFileError, match=rf"^wording\.tsv {message}"):
        [compiled(entry) for entry in entries(path)]


def test_a_pattern_may_take_several_lines(tmp_path: Path) -> None:
    path = tmp_path / "wording.tsv"
    path.write_text(ENTRY + "\t(?i),|\n\tbut\n", encoding="utf-8")
    assert [entry.pattern for entry in entries(path)] == ["(?i),|but"]
