"""Corrections do not stray: to another patient, to other words, to what nobody has seen."""

from pathlib import Path
from typing import Any

import pytest

from pipeline import corrections
from pipeline.corrections import fields
from pipeline.corrections.anchors import fact_at
from pipeline.corrections.entries import (
    Accept,
    Add,
    Anchor,
    Change,
    Correction,
    Entry,
    Fact,
    Merge,
    Reject,
    Split,
    Undo,
    digest,
    encode,
    parse,
)
from pipeline.corrections.file import read
from pipeline.errors import UsageError
from pipeline.records import Assessment, Case, Drug, Extraction, Reaction, Report

REPORT = Report(report_id="r", text="Rash from imatinib: two patients. In both the rash resolved on withdrawal.")
TITLE = (0, 4)
WHO: dict[str, Any] = {"by": "B", "at": "2026-11-21T19:06:00Z", "report": "r", "text": digest(REPORT)}


def extraction() -> Extraction:
    """Two patients who share the title as evidence."""
    cases = [
        Case(
            case_id=f"r-{n}",
            report_id="r",
            drugs=[Drug(id="drug-1", name="imatinib", role="suspect", evidence=[(10, 18)])],
            reactions=[
                Reaction(
                    id="reaction-1",
                    term="rash",
                    outcome="recovered",
                    evidence=[TITLE],
                    facts={"outcome": [(51, 59)]},
                )
            ],
            assessments=[Assessment(drug="drug-1", reaction="reaction-1")],
        )
        for n in (1, 2)
    ]
    return Extraction(id="r", cases=cases)


def rash(name: str = "rash") -> Fact:
    return Fact(kind="reaction", at=[TITLE], name=name)


def test_what_one_patient_no_longer_has_is_not_taken_from_the_other() -> None:
    done = corrections.apply(
        extraction(),
        REPORT,
        [
            Reject(id="a", case="r-1", fact=rash(), **WHO),
            Change(id="b", case="r-1", fact=rash(), field="outcome", value="fatal", **WHO),
        ],
    )
    assert [len(case.reactions) for case in done.cases] == [0, 1]
    assert done.cases[1].reactions[0].outcome == "recovered"
    assert [(one.correction, one.status) for one in done.cases[0].corrections] == [
        ("a", "applied"),
        ("b", "conflicting"),
    ]


MAKING: list[tuple[Correction, str]] = [
    (Split(id="m", case="r-1", fact=rash(), places=[(46, 50)], term="erythema", **WHO), "reactions/1"),
    (
        Add(id="m", case="r-1", fact=Fact(kind="reaction", at=[(46, 50)]), values={"term": "erythema"}, **WHO),
        "reactions/1",
    ),
    (Merge(id="m", case="r-1", fact=rash(), into=Anchor(at=[(36, 39)]), **WHO), "reactions/0"),
]
"""What makes a fact what it is, and where it then stands."""


@pytest.mark.parametrize(("making", "pointer"), MAKING)
def test_what_is_said_of_a_fact_that_was_made_is_said_of_no_other_when_that_is_undone(
    making: Correction, pointer: str
) -> None:
    """The nearest fact at its places would be the one that was split, merged, or there before."""
    found = extraction()
    found.cases[0].reactions[0].evidence.append((46, 50))
    if isinstance(making, Merge):
        found.cases[0].reactions.append(Reaction(id="reaction-2", term="both", evidence=[(36, 39)]))
    case = corrections.apply(found, REPORT, [making]).cases[0]
    fact, _ = fact_at(case, pointer)
    assert fact.made_by == "m"
    link = next(n for n, one in enumerate(case.assessments) if one.reaction == case.reactions[int(pointer[-1])].id)
    linked, _ = fact_at(case, f"assessments/{link}")
    assert linked.reaction
    assert linked.reaction.made_by == "m"
    later: list[Correction] = [
        Change(id="a", case="r-1", fact=fact, field="outcome", value="fatal", **WHO),
        Change(id="b", case="r-1", fact=linked, field="dechallenge", value="positive", **WHO),
    ]
    kept = corrections.apply(found, REPORT, [making, *later]).cases[0]
    assert [one.status for one in kept.corrections] == ["applied"] * 3
    assert kept.reactions[int(pointer[-1])].outcome == "fatal"
    undone = corrections.apply(found, REPORT, later).cases[0]
    assert [one.status for one in undone.corrections] == ["fact_missing"] * 2
    assert (undone.reactions, undone.assessments) == (found.cases[0].reactions, found.cases[0].assessments)


def test_the_words_of_the_old_value_are_no_evidence_of_the_new_one() -> None:
    change = Change(id="a", case="r-1", fact=rash(), field="outcome", value="fatal", **WHO)
    done = corrections.apply(extraction(), REPORT, [change])
    assert done.cases[0].reactions[0].outcome == "fatal"
    assert "outcome" not in done.cases[0].reactions[0].facts


def test_a_fact_is_accepted_under_the_name_that_was_seen() -> None:
    seen, other = (Accept(id=name, case="r-1", fact=rash(name), **WHO) for name in ("rash", "angioedema"))
    done = corrections.apply(extraction(), REPORT, [seen, other])
    assert [one.status for one in done.cases[0].corrections] == ["applied", "fact_missing"]


def test_who_names_a_drug_as_the_cause_makes_it_a_suspect() -> None:
    found = extraction()
    found.cases[0].drugs.append(Drug(id="drug-2", name="omeprazole", role="concomitant", evidence=[(20, 23)]))
    fact = Fact(
        kind="assessment", at=[(24, 32)], drug=Anchor(at=[(20, 23)], name="omeprazole"), reaction=Anchor(at=[TITLE])
    )
    added = corrections.apply(found, REPORT, [Add(id="a", case="r-1", fact=fact, **WHO)])
    assert {drug.name: drug.role for drug in added.cases[0].drugs} == {"imatinib": "suspect", "omeprazole": "suspect"}
    assert len(added.cases[0].assessments) == 2


@pytest.mark.parametrize("score", [9_999_999_999, -(2**62), 10**25])
def test_scores_are_no_larger_than_scores_are(score: int) -> None:
    with pytest.raises(ValueError, match="from -99 to 99"):
        fields.check("assessment", "author_score", score)


def test_an_undo_cannot_be_undone(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    at = WHO["at"]
    entries: list[Entry] = [
        Reject(id="a", case="r-1", fact=rash(), **WHO),
        Undo(id="b", of="a", by="B", at=at),
        Undo(id="c", of="b", by="B", at=at),
    ]
    path.write_bytes(b"".join(encode(entry) + b"\n" for entry in entries))
    with pytest.raises(UsageError, match=r"line 3 .*cannot be undone"):
        read(path)


def test_deeply_nested_json_is_a_wrong_line() -> None:
    with pytest.raises(ValueError, match="too deeply"):
        parse(b'{"do": "add", "values": {"name": ' + b"[" * 60_000)
