"""Plain text: encodings, control characters, hard-wrapped lines."""

import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.records import Report
from pipeline.sources import read
from pipeline.sources.plain import clean, decode, unwrap

SAMPLE = (
    "A man of 40 years – “well” until then – had a fever of 39 °C; naïve, with a rash on both arms and legs after 5 µg."
)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "cp1252"]
)
def test_common_encodings_are_recognised(encoding: str) -> None:
    assert decode((SAMPLE * 3).encode(encoding)) == SAMPLE * 3


def test_latin_1_is_read() -> None:
    text = SAMPLE.replace("–", "-").replace("“", '"').replace("”", '"')
    assert decode(text.encode("latin-1")) == text


def test_other_encodings_are_found() -> None:
    text = "Больной 54 лет обратился с сыпью на руках. Сыпь появилась через три дня после приёма препарата. " * 5
    assert decode(text.encode("cp1251")) == text


def test_a_stray_byte_does_not_spoil_utf_8() -> None:
    assert decode("caf\u00e9 – ".encode() + b"39\xb0C") == "café – 39°C"


def test_control_and_invisible_characters_go() -> None:
    assert clean("A\u200b man\u00ad had\u00a0a\x07 rash\x0cof the ﬁngers.\r\nIt left.\rAll.") == (
        "A man had a rash\n\nof the fingers.\nIt left.\nAll."
    )


PARAGRAPHS = (
    "A forty year old man was seen with fever and a rash on the trunk that had begun two days after the first "
    "dose of examplomab given for arthritis of both knees and several fingers of the left hand.",
    "The drug was stopped on the day of admission and no other treatment was given during the hospital stay, "
    "after which the fever fell within hours while the rash took another four days to go.",
    "He was told never to take it again, and a note was made in the records of the clinic and of his physician.",
)


@pytest.mark.parametrize("width", [50, 64, 72, 80, 100])
def test_wrapped_lines_become_paragraphs(width: int) -> None:
    wrapped = "\n\n".join(textwrap.fill(paragraph, width) for paragraph in PARAGRAPHS)
    assert unwrap(wrapped) == "\n\n".join(PARAGRAPHS)


def test_lines_that_open_something_stay_apart() -> None:
    wrapped = (
        textwrap.fill(PARAGRAPHS[0], 60) + "\nCASE REPORT\n" + textwrap.fill(PARAGRAPHS[1], 60) + "\nFig. 1 The rash."
    )
    assert unwrap(wrapped).split("\n") == [PARAGRAPHS[0], "CASE REPORT", PARAGRAPHS[1], "Fig. 1 The rash."]


def test_rows_of_a_table_stay_apart_and_keep_their_columns() -> None:
    rows = ["Drug name\tReaction\tHow it ended", "Imatinib 400 mg\trash\trecovered", "\tfever\trecovered after days",
            "nilotinib\tserositis\tdied of it"]  # fmt: skip
    assert clean("\n".join(["Two patients with their reactions", *rows])).split("\n")[1:] == rows
    barred = [row.replace("\t", " | ").strip() for row in rows]
    assert clean("\n".join(barred)).split("\n") == barred


def test_paragraphs_on_one_line_each_stay() -> None:
    text = "\n".join(PARAGRAPHS)
    assert unwrap(text) == text


@pytest.mark.parametrize(
    ("broken", "whole"),
    [
        ("treat-\nment", "treatment"),
        ("dose-\ndependent", "dose-dependent"),
        ("IL-\n6", "IL-6"),
        ("20-\nyear", "20-year"),
    ],
)
def test_words_hyphenated_at_the_line_end_are_rejoined(broken: str, whole: str) -> None:
    first, second = broken.split("\n")
    lines = [
        "The patient had been well until she noticed that with the",
        f"medicine her skin began to itch, and so the usual {first}",
        f"{second} effect was thought of by all who saw her there,",
        "and the medicine was withdrawn.",
    ]
    assert f" {whole} " in unwrap("\n".join(lines))


@given(st.text(max_size=400))
def test_unwrapping_changes_white_space_and_hyphens_only(text: str) -> None:
    kept = [character for character in text if not character.isspace() and character != "-"]
    assert [character for character in unwrap(text) if not character.isspace() and character != "-"] == kept


@given(st.binary(max_size=300))
def test_clean_text_has_no_control_characters(data: bytes) -> None:
    text = clean(data.decode("latin-1"))
    assert all(character.isprintable() or character in "\n\t" for character in text)


def test_identifiers_in_references_are_not_the_reports_own(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(
        "A rash after examplomab\n\nA man had a rash.\n\nReferences\n1. Person A. doi:10.1000/x PMID: 123456"
    )
    (report,) = read([path])
    assert isinstance(report, Report)
    assert (report.article.doi, report.article.pmid) == (None, None)
