"""The corrections file: what an entry may say, and what is said of a wrong one."""

import json
import re
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.corrections import Entry, Undo, active, append, fields, locate, read
from pipeline.corrections.entries import encode, parse
from pipeline.errors import UsageError
from pipeline.paths import DatasetPaths
from tests.unit.corrections.correction_samples import accept, add, base, change, fact, reject

LINE = json.loads(encode(change("reactions/0/outcome", "recovering", was="recovered")))

IDS = st.text(string.ascii_letters + string.digits, min_size=1, max_size=12)
PLACES = st.lists(st.tuples(st.integers(0, 500), st.integers(1, 500)).map(lambda p: (p[0], p[0] + p[1])), max_size=4)
NAMES = st.text(min_size=1, max_size=40).filter(lambda name: name.isprintable() and fields.visible(name))
ANCHORS = st.fixed_dictionaries({"at": PLACES, "name": NAMES})
SINGLE = st.fixed_dictionaries({"kind": st.sampled_from(["drug", "reaction", "history", "test", "age"]), "at": PLACES})
LINKS = st.fixed_dictionaries(
    {"kind": st.sampled_from(["assessment", "treatment"]), "drug": ANCHORS, "reaction": ANCHORS}
)
PARTS = st.fixed_dictionaries({"kind": st.sampled_from(["exposure", "indication"]), "at": PLACES, "drug": ANCHORS})
FACTS = st.one_of(SINGLE, LINKS, PARTS)
ENTRIES = st.fixed_dictionaries(
    {
        "do": st.sampled_from(["accept", "reject"]),
        "id": IDS,
        "at": st.datetimes().map(lambda when: when.isoformat(timespec="seconds") + "Z"),
        "by": NAMES,
        "why": st.text(max_size=60),
        "report": st.text(min_size=1, max_size=30),
        "text": st.text("0123456789abcdef", min_size=64, max_size=64),
        "case": st.text(min_size=1, max_size=30),
        "fact": FACTS,
    }
)


@given(ENTRIES)
def test_an_entry_reads_back_as_it_was_written(entry: dict[str, Any]) -> None:
    parsed = parse(json.dumps(entry).encode())
    assert parse(encode(parsed)) == parsed
    assert b"\n" not in encode(parsed)


@given(st.binary(max_size=200) | ENTRIES.map(lambda e: json.dumps(e).encode()[:-7]))
def test_whatever_stands_in_a_line_it_is_an_entry_or_a_value_error(line: bytes) -> None:
    try:
        assert parse(line).id
    except ValueError as error:
        assert str(error)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"do": "chang"}, "field do"),
        ({"at": "yesterday"}, "field at: expected an instant in UTC"),
        ({"at": "2026-01-31T14:05:00+02:00"}, "field at"),
        ({"by": " "}, "field by: expected a line"),
        ({"text": "abc"}, "field text: expected the SHA-256"),
        ({"id": "a b"}, "field id: expected 1 to 64 letters"),
        ({"value": "better"}, "reaction outcome is one of: recovered, recovering"),
        ({"field": "mood"}, "no field 'mood' to set; it has term, time_to_onset, outcome, seriousness"),
        ({"field": "time_to_onset", "value": "5 weeks"}, 'ISO 8601 duration, such as "P5W"'),
        ({"field": "seriousness", "value": "death"}, "a list of: death"),
        ({"field": "term", "value": ""}, "is not blank"),
        ({"field": "term", "value": "\u200b\u2060"}, "characters that do not show"),
        ({"field": "term", "value": "\u202e\u3164 \ufeff"}, "characters that do not show"),
        ({"by": "\u200b"}, "field by: expected a name that can be seen"),
        ({"fact": {"kind": "reaction", "at": [[9, 3]]}}, "field fact.at: a place is [start, end]"),
        ({"fact": {"kind": "mood"}}, "field fact.kind"),
        ({"fact": {"kind": "assessment", "at": [[1, 2]]}}, "field fact.drug: a fact of kind assessment needs drug"),
        (
            {"fact": {"kind": "reaction", "drug": {"at": [[1, 2]]}}},
            "field fact.drug: a fact of kind reaction has no drug",
        ),
        ({"mood": 1}, "unknown field `mood`"),
    ],
)
def test_a_wrong_entry_is_told_by_its_field_and_what_was_expected(more: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        parse(json.dumps(LINE | more).encode())


def test_a_split_has_a_name_that_shows_and_an_accepted_field_one_value() -> None:
    said = {name: value for name, value in LINE.items() if name not in ("field", "value", "was")}
    for more, words in (
        ({"do": "split", "places": [[1, 2]], "term": "\u00ad"}, "characters that do not show"),
        ({"do": "accept", "field": "term", "value": "x", "values": {"term": "x"}}, "an accepted field has a value"),
        ({"do": "accept", "values": {"mood": "x"}}, "no field 'mood'"),
    ):
        with pytest.raises(ValueError, match=words):
            parse(json.dumps(said | more).encode())


@pytest.mark.parametrize("name", ["x", "5-FU", "+", "é", "e\u0301", "می\u200cخواهم", "β", "💊", "\u202eevil"])
def test_a_name_with_a_character_that_shows_is_one(name: str) -> None:
    assert fields.check("reaction", "term", name) == name


@pytest.mark.parametrize("kind", fields.RECORDS)
def test_every_field_can_be_set_to_nothing_or_is_what_makes_the_fact(kind: fields.Kind) -> None:
    for field in fields.EDITABLE[kind]:
        if field in fields.required(kind):
            with pytest.raises(ValueError, match="reject the fact as a whole"):
                fields.absent(kind, field)
        else:
            assert fields.absent(kind, field) in (None, "unknown", [], False)


def test_the_file_is_appended_to_and_undone_in_order(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    first, second = accept("reactions/0"), reject("drugs/1")
    append(path, [first])
    path.write_bytes(path.read_bytes().rstrip(b"\n") + b"\n\n")  # a person's editor
    append(path, [second, Undo(id="u", of=first.id, by="B", at="2026-11-21T19:06:00Z")])
    assert [entry.id for entry in read(path)] == [first.id, second.id, "u"]
    assert active(read(path)) == [second]
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    append(path, [third := accept("drugs/0")])
    assert active(read(path)) == [second, third]


def test_errors_name_file_line_entry_and_field(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    lines = [encode(accept("reactions/0", id="a")), b'{"do":"accept","id":"b"', encode(accept("drugs/0", id="a"))]
    lines += [b"<<<<<<< HEAD", encode(Undo(id="u", of="nothing", by="B", at="2026-11-21T19:06:00Z"))]
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(UsageError) as caught:
        read(path)
    message = str(caught.value)
    for words in (
        str(path), "line 2 (entry b): no JSON", "line 3 (entry a): field id: line 1 has", "line 4: a conflict",
        "line 5 (entry u): field of",
    ):  # fmt: skip
        assert words in message


def test_a_file_that_is_not_there_holds_no_corrections(tmp_path: Path) -> None:
    assert read(tmp_path / "none.jsonl") == []


def test_the_file_beside_the_dataset_is_used_unless_told_otherwise(tmp_path: Path) -> None:
    dataset = tmp_path / "ds"
    assert locate(None, dataset) is None
    beside = DatasetPaths(dataset).corrections
    beside.touch()
    assert beside == tmp_path / "ds.corrections.jsonl"
    assert locate(None, dataset) == beside


@pytest.mark.parametrize("place", ["ds/c.jsonl", "in/c.jsonl"])
def test_the_file_lies_neither_in_the_dataset_nor_among_the_reports(tmp_path: Path, place: str) -> None:
    (tmp_path / place).parent.mkdir()
    (tmp_path / place).touch()
    with pytest.raises(UsageError, match="keep it elsewhere"):
        locate(tmp_path / place, tmp_path / "ds", [tmp_path / "in"])
    with pytest.raises(UsageError, match="is no file"):
        locate(tmp_path / "gone", tmp_path / "ds")


def test_no_entry_holds_words_of_the_report() -> None:
    """Names are preferred names of concepts; what is quoted is read from the text when it is applied."""
    entries: list[Entry] = [change("reactions/0/outcome", "fatal"), add("drug", "HSV IgM", name="x", role="past")]
    for entry in entries:
        assert b"HSV" not in encode(entry)
    assert fact("drugs/0/exposures/0").name is None
    assert base()["text"] != ""
