# ruff: noqa: E501
"""Sections of texts without mark-up: titles, headings, captions, references, furniture."""

import itertools
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.data import MAPPINGS
from pipeline.sources.sections import find_sections, is_clutter, kind_of_title, split_headings

TABLE = MAPPINGS / "sources"


def marked(text: str) -> list[tuple[str, str]]:
    return [(s.kind, text[s.start : s.end]) for s in find_sections(text)]


def rows(name: str) -> list[list[str]]:
    lines = (TABLE / name).read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize(("_pattern", "example"), rows("clutter.tsv"))
def test_each_clutter_pattern_matches_its_example(_pattern: str, example: str) -> None:
    assert is_clutter(example)


@pytest.mark.parametrize(
    "line",
    [
        "He was discharged on the third day.",
        "The patient received 5 mg of the drug daily.",
        "Received treatment: prednisone 30 mg daily.",
        "Search for infection was negative.",
        "Next, the drug was stopped.",
        "A rash that looked like the print of a tool.",
        "Home treatment with antibiotics was begun.",
        "Tools were used to open the blister.",
        "Accepted therapy is withdrawal of the drug.",
    ],
)
def test_sentences_are_no_clutter(line: str) -> None:
    assert not is_clutter(line)


def test_titles_are_listed_once() -> None:
    titles = [title for title, _ in rows("section_titles.tsv")]
    assert len(titles) == len(set(titles))


@pytest.mark.parametrize(
    ("title", "kind"),
    [
        ("Case Presentation", "case"),
        ("2.1. Case report", "case"),
        ("IV. DISCUSSION:", "discussion"),
        ("Case 2", "case"),
        ("Case 1: a boy with fever", "case"),
        ("Patient description", "case"),
        ("Observation", "case"),
        ("Background", "introduction"),
        ("Results and Discussion", "discussion"),
        ("Authors’ contributions", "furniture"),
        ("Ultrasound findings", None),
    ],
)
def test_headings_are_told_by_their_title(title: str, kind: str | None) -> None:
    assert kind_of_title(title) == kind


def test_inline_headings_open_sections() -> None:
    text = "BACKGROUND: Drugs do harm. CASE REPORT: A man had a rash. DISCUSSION - It was the drug."
    assert [kind for kind, _ in marked(text)] == ["introduction", "case", "discussion"]


def test_headings_in_capitals_need_no_colon() -> None:
    text = "ABSTRACT Drugs do harm.  CASE REPORT  A man had a rash after 5 mg.  DISCUSSION It was the drug."
    assert [kind for kind, _ in marked(text)] == ["abstract", "case", "discussion"]


@pytest.mark.parametrize(
    "text",
    [
        "The results: a rash and fever in this case. Case by case, the drug was to blame.",
        "HISTORY of rash was denied. The PATIENT was well. ELISA: negative.",
        "In this case report: nothing.",
    ],
)
def test_words_of_a_sentence_are_no_headings(text: str) -> None:
    assert [kind for kind, _ in marked(text)] == ["body"]


def test_a_title_is_a_short_line_above_the_text() -> None:
    text = "Case report: rash with examplomab.\n\nA 40-year-old man had a rash after two days of examplomab therapy."
    assert [kind for kind, _ in marked(text)] == ["title", "body"]


def test_a_first_sentence_is_no_title() -> None:
    text = (
        "An 18-year-old man was admitted.\nHe had taken examplomab for two weeks and presented with a rash and fever."
    )
    assert [kind for kind, _ in marked(text)] == ["body"]


def test_captions_inside_a_paragraph_end_with_their_panels() -> None:
    text = (
        "The rash went away. Fig. 1 The rash. (A) Arms. (B) Legs (×20). It is rare. "
        "As Fig. 2 shows, it may last. Table 1 lists the drugs."
    )
    assert [part for kind, part in marked(text) if kind == "caption"] == ["Fig. 1 The rash. (A) Arms. (B) Legs (×20)."]


def test_a_label_alone_takes_the_next_paragraph() -> None:
    text = (
        "A man had a rash, and it was seen by all.\n\nFig. 1\n\n(A) The rash. (B) After.\n\nDiscussion\nIt went away."
    )
    assert ("caption", "Fig. 1\n\n(A) The rash. (B) After.") in marked(text)


def test_references_without_heading_are_recognised() -> None:
    references = "\n".join(f"{n}. Person A. A title. J Examples. 200{n};1:1-2." for n in range(1, 5))
    text = f"A man had a rash after examplomab, and that is all there is to say.\n\n{references}"
    assert marked(text)[-1] == ("references", references)


@pytest.mark.parametrize("text", ["", " \n ", "x", "\n\n\n", "Fig. 1", "References", "CASE:", ":" * 50, "\ue000İ" * 40])
def test_odd_texts_are_covered(text: str) -> None:
    check(text)


def check(text: str) -> None:
    sections = find_sections(text)
    position = 0
    for section in sections:
        assert position <= section.start < section.end <= len(text)
        assert not text[position : section.start].strip()
        assert not text[section.start].isspace()
        assert not text[section.end - 1].isspace()
        position = section.end
    assert not text[position:].strip()


PIECES = st.sampled_from(
    [
        "CASE REPORT", "Case 1:", "DISCUSSION -", "Abstract", "References", "Keywords: a; b", "Fig. 1", "Figure 2. Rash.",
        "(A) arms.", "TOOLS", "crossref", "1. Person A. J Ex. 2001;1:2.", "A man had a rash.", "a\tb", "Dear Editor:",
        "Journal List > A > B", "doi: 10.1000/x", "\n", "\n\n", " ", "  ", ". ", ": ", "\u00a0", "\r\n", "é", "İ", "😀",
        "Table 1", "Received 1 May 2001", "Figures and Tables", "© 2001", "x" * 300,
    ]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(st.one_of(PIECES, st.text(max_size=20)), max_size=40).map("".join))
def test_sections_cover_the_text_in_order_without_overlap(text: str) -> None:
    check(text)
    inner = split_headings(text, "abstract")
    assert all(a.end <= b.start for a, b in itertools.pairwise(inner))


@pytest.mark.parametrize(
    "unit", ["A", " ", "\n", "a:", "Fig. 1 A", ". CASE ", "(A) ", "1. ", "© ", "x\t", "- ", "e-mail ", "A.\n", "Case: "]
)
def test_time_grows_linearly_with_the_text(unit: str) -> None:
    def seconds(size: int) -> float:
        text = unit * (size // len(unit))
        start = time.process_time()
        find_sections(text)
        return time.process_time() - start

    find_sections(unit)
    assert seconds(200_000) < 5
