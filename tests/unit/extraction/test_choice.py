"""What speaks for a span, and which spans become mentions."""

from typing import get_args

import pytest

from pipeline.data import MAPPINGS, rows
from pipeline.extraction import choice
from pipeline.extraction.posteriors import Likely
from pipeline.records import MentionType

FORMS = ["She", "had", "a", "rash", "and", "fever", "(", "38", ")", "3", "weeks", "after", "aspirin"]
MARKS: list[list[str]] = [[] for _ in FORMS]
MARKS[3] = ["mark:B-disorder"]
MARKS[9], MARKS[10] = ["mark:B-time", "mark:B-time-after"], ["mark:I-time", "mark:I-time-after"]
DRUG = Likely(0.9, "drug", 12, 12)
RASH = Likely(0.7, "reaction", 3, 3)
LIST = Likely(0.4, "reaction", 3, 5)


def evidence(span: Likely, *others: Likely) -> dict[str, float]:
    return choice.evidence(span, [span, *others], FORMS, MARKS)


def test_what_stands_elsewhere_in_the_sentence_counts_by_its_probability() -> None:
    found = evidence(RASH, DRUG, Likely(0.2, "reaction", 5, 5), LIST)
    assert found["elsewhere:drug"] == 0.9
    assert found["others"] == found["best other"] == 0.2


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        (RASH, "ends:exact disorder"),
        (LIST, "ends:longer"),
        (Likely(0.5, "reaction", 5, 5), "ends:no mark"),
        (Likely(0.5, "duration", 9, 10), "ends:exact time"),
        (Likely(0.5, "duration", 9, 9), "ends:shorter"),
        (Likely(0.5, "duration", 10, 10), "ends:shorter"),
        (Likely(0.5, "duration", 9, 10), "time:after"),
        (LIST, "list"),
        (Likely(0.5, "reaction", 5, 7), "bracket"),
        (Likely(0.5, "sex", 0, 0), "pronoun"),
        (Likely(0.5, "sex", 0, 0), "initial"),
    ],
)
def test_evidence_of_a_span(span: Likely, expected: str) -> None:
    assert evidence(span)[expected] == 1.0


def test_the_probable_reading_of_the_same_words_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        choice, "fitted_weights", lambda: {kind: {"score": 1.0} for kind in ("reaction", "drug", "duration")}
    )
    assert [one[1:] for one in choice.decide([DRUG, RASH, LIST], FORMS, MARKS)] == [DRUG[1:], RASH[1:]]


def test_types_that_go_together_share_words(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = ("duration", "time_to_onset", "reaction")
    monkeypatch.setattr(choice, "fitted_weights", lambda: {kind: {"score": 1.0} for kind in kinds})
    spans = [Likely(0.8, "duration", 9, 10), Likely(0.7, "time_to_onset", 9, 10), Likely(0.6, "reaction", 10, 10)]
    assert [one.kind for one in choice.decide(spans, FORMS, MARKS)] == ["duration", "time_to_onset"]


def test_weights_are_of_mention_types_and_of_evidence_there_is() -> None:
    kinds = {kind for kind, _, _ in rows(MAPPINGS / "tagger" / "choice_weights.tsv", 3)}
    assert kinds <= set(get_args(MentionType))
    assert all({"bias", "score"} <= choice.fitted_weights()[kind].keys() for kind in kinds)
