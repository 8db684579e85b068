"""Every fact of a case has a pointer that leads to it in the record, and the evidence that the record gives."""

from typing import Any

import msgspec
import pytest

from pipeline.records import Case
from pipeline.review import facts
from tests.unit.fhir.fhir_samples import minimal, rich, several_reactions
from tests.unit.review.review_samples import hostile

CASES = [rich()[0], minimal()[0], several_reactions()[0], hostile()[0], Case(case_id="c", report_id="r")]


def lookup(record: Any, pointer: str) -> Any:
    for step in pointer.split("/"):
        record = record[int(step)] if isinstance(record, list) else record[step]
    return record


def by_pointer(case: Case) -> dict[str, facts.Fact]:
    return {fact.pointer: fact for fact in facts.read(case)}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.case_id[:20])
def test_pointers_lead_into_the_record_and_are_unique(case: Case) -> None:
    record = msgspec.to_builtins(case)
    found = list(facts.read(case))
    assert len({fact.pointer for fact in found}) == len(found)
    for fact in found:
        value = lookup(record, fact.pointer)
        if isinstance(value, str):
            assert fact.value == value
        if isinstance(value, dict) and "evidence" in value and not fact.pointer.startswith("assessments"):
            assert set(fact.evidence) == {tuple(span) for span in value["evidence"]}


def test_all_that_the_record_states_is_there() -> None:
    case, _ = rich()
    found = by_pointer(case)
    assert found["patient/age"].shown == "66 years"
    assert found["drugs/0/exposures/1"].label == "Re-exposure"
    assert found["drugs/0/exposures/1"].note == "the reaction did not come back"
    assert found["drugs/0/exposures/2"].note == "the reaction came back"
    assert found["drugs/0/action_taken"].evidence == tuple(case.drugs[0].facts["action_taken"])
    assert found["reactions/0/time_to_onset"].shown == "5 weeks"
    assert found["reactions/0/treatments"].shown == "prednisolone"
    assert found["assessments/0/author_statement"].note == "by the Naranjo scale, score 8"
    assert found["assessments/0/naranjo"].shown == "8 · probable"
    assert [pointer for pointer in found if "naranjo/items" in pointer] == [
        f"assessments/0/naranjo/items/{n}" for n in range(1, 11)
    ]


def test_what_the_text_does_not_state_is_there_as_absent() -> None:
    found = by_pointer(minimal()[0])
    absent = {pointer for pointer, fact in found.items() if fact.absent}
    assert {"patient/sex", "patient/age", "drugs/0/action_taken", "reactions/0/outcome"} <= absent
    assert all(not found[pointer].evidence for pointer in absent)


def test_the_scale_is_asked_in_the_words_of_its_table() -> None:
    (judgement,) = facts.read(rich()[0]).judgements
    assert [question.number for question in judgement.questions] == [str(n) for n in range(1, 11)]
    assert all(question.question.endswith("?") for question in judgement.questions)
