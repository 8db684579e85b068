"""The narrative in stretches: nothing of the text is lost, and every span is drawn over its own characters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.records import Mention, Section
from pipeline.review.facts import KINDS, Fact, Kind
from pipeline.review.narrative import LINES, Part, Stretch, parts
from pipeline.review.text import HIDDEN

TEXTS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\u202e\x00\r\n é𝔘"), max_size=40)
SPANS = st.tuples(st.integers(-2, 42), st.integers(-2, 42))
FACTS = st.lists(
    st.builds(
        lambda kind, spans, number: Fact(f"x/{number}", kind, "x", "x", evidence=tuple(spans)),
        st.sampled_from(list(KINDS)),
        st.lists(SPANS, max_size=3),
        st.integers(0, 99),
    ),
    max_size=6,
)
MENTIONS = st.lists(
    st.builds(
        lambda span, assertion: Mention(type="drug", text="", start=span[0], end=span[1], assertion=assertion),
        SPANS,
        st.sampled_from(["present", "negated", "literature", "family"]),
    ),
    max_size=4,
)


def stretches(found: list[Part]) -> list[Stretch]:
    return [stretch for part in found for stretch in part.stretches]


def fact(kind: Kind, *spans: tuple[int, int]) -> Fact:
    return Fact(kind, kind, kind, kind, evidence=spans)


def cut(text: str, *facts: Fact, mentions: tuple[Mention, ...] = ()) -> list[tuple[str, str]]:
    return [(s.text, s.classes) for s in stretches(parts(text, [], facts, mentions))]


@given(TEXTS, FACTS, MENTIONS, st.lists(st.integers(0, 40), min_size=2, max_size=4))
def test_stretches_are_the_whole_text_in_order_and_no_span_ends_within_one(
    text: str, facts: list[Fact], mentions: list[Mention], edges: list[int]
) -> None:
    edges = sorted(min(edge, len(text)) for edge in edges)
    sections = [Section(kind="case", start=a, end=b) for a, b in zip(edges[::2], edges[1::2], strict=False)]
    found = stretches(parts(text, sections, facts, mentions))
    assert "".join(stretch.text for stretch in found) == text
    position = 0
    for stretch in found:
        assert stretch.start == position
        position += len(stretch.text)
        end = position
        for one in facts:
            for start, stop in one.evidence:
                inside = max(start, 0) <= stretch.start and end <= stop
                assert inside or stop <= stretch.start or start >= end or start >= stop
                if inside:
                    shown = [kind for kind in (stretch.fill, *stretch.lines) if kind]
                    assert one.kind in shown or len(shown) >= LINES
        hidden = HIDDEN.search(stretch.text)
        assert bool(stretch.hidden) is bool(hidden)
        assert not hidden or len(stretch.text) == 1


def test_the_narrowest_fact_is_the_ground_and_the_others_are_lines() -> None:
    text = "took imatinib daily"
    found = cut(text, fact("course", (0, 19)), fact("drug", (5, 13)), fact("time", (0, 13)))
    assert found == [
        ("took ", "fill-time line1-course"),
        ("imatinib", "fill-drug line1-time line2-course"),
        (" daily", "fill-course"),
    ]


def test_cause_and_effect_is_never_the_ground() -> None:
    assert cut("rash", fact("cause", (0, 4))) == [("rash", "line1-cause")]


def test_facts_of_one_kind_over_the_same_words_are_one() -> None:
    assert cut("rash", fact("reaction", (0, 4)), fact("reaction", (0, 4))) == [("rash", "fill-reaction")]


@pytest.mark.parametrize("assertion", ["negated", "literature", "possible"])
def test_what_is_no_present_fact_of_this_patient_says_so(assertion: str) -> None:
    mention = Mention(type="reaction", text="rash", start=3, end=7, assertion=assertion)  # type: ignore[arg-type]
    (_, said) = stretches(parts("no rash", [], [], [mention]))
    assert said.classes == f"said-{assertion}"
    assert said.tag
    assert said.title


def test_a_mention_that_no_fact_rests_on_is_loose() -> None:
    mention = Mention(type="drug", text="aspirin", start=0, end=7)
    assert cut("aspirin", mentions=(mention,)) == [("aspirin", "loose")]
    assert cut("aspirin", fact("drug", (0, 7)), mentions=(mention,)) == [("aspirin", "fill-drug")]


def test_a_tag_stands_behind_the_last_stretch_of_its_mention_only() -> None:
    mention = Mention(type="reaction", text="a rash", start=0, end=6, assertion="negated")
    found = stretches(parts("a rash", [], [fact("reaction", (2, 6))], [mention]))
    assert [stretch.tag for stretch in found] == [None, "neg"]


def test_sections_and_what_lies_between_them() -> None:
    sections = [Section(kind="title", start=0, end=4), Section(kind="case", start=6, end=10, title="Patient")]
    found = parts("Rash\n\nText end", sections, [], [])
    assert [part.blank for part in found] == [False, True, False, False]
    assert [(part.kind, part.label, "".join(s.text for s in part.stretches)) for part in found] == [
        ("title", "Title", "Rash"),
        (None, "", "\n\n"),
        ("case", "Patient", "Text"),
        (None, "", " end"),
    ]


def test_no_text_has_no_parts() -> None:
    assert parts("", [], [fact("drug", (0, 3))], []) == []
