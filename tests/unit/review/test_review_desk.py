"""What a reviewer can ask for, and which entries come of it."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from pipeline.corrections import Accept, Change, Split, active, append, apply, digest, fields, read
from pipeline.corrections.anchors import fact_at
from pipeline.paths import DatasetPaths
from pipeline.records import Case, Extraction, Patient, Refused
from pipeline.review import facts
from pipeline.review.desk import Desk, Refusal, Request, Wish, editors
from tests.unit.review.review_samples import harmless, make_dataset

CASE, REPORT = harmless(1)[:2]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(make_dataset(tmp_path / "ds", [harmless(1)]), tmp_path / "c.jsonl")


def ask(*wishes: Wish, **more: Any) -> Request:
    return Request(report=REPORT.report_id, case=CASE.case_id, by=" A. Reviewer ", wishes=list(wishes), **more)


def test_every_fact_that_a_page_shows_can_be_corrected_but_what_follows_from_others() -> None:
    found = editors(CASE)
    shown = {fact.pointer for fact in facts.read(CASE)}
    follows = {pointer for pointer in shown if "/naranjo" in pointer or pointer.endswith("/who_umc")}
    assert shown - follows <= set(found)
    for pointer, editor in found.items():
        if editor["kind"] != "treatment" and editor["exists"]:
            assert fact_at(CASE, pointer)[0].kind == editor["kind"]


def test_what_is_not_known_of_a_patient_can_be_added() -> None:
    found = editors(Case(case_id="c", report_id="r", patient=Patient()))
    assert {pointer: editor["exists"] for pointer, editor in found.items()} == {
        "patient/age": False, "patient/sex": False, "patient/ethnicity": False,
    }  # fmt: skip


def test_a_wish_becomes_an_entry_that_is_pending_until_a_run(desk: Desk) -> None:
    answer = desk.correct(ask(Wish(do="change", pointer="reactions/0/outcome", value="recovering"), why="a letter"))
    (entry,) = read(desk.path)
    assert isinstance(entry, Change)
    assert (entry.by, entry.why, entry.field, entry.value) == ("A. Reviewer", "a letter", "outcome", "recovering")
    assert entry.was == CASE.reactions[0].outcome
    assert entry.fact.at[0] in CASE.reactions[0].evidence
    (told,) = answer["corrections"]
    assert (told["status"], told["pending"], told["undone"]) == ("applied", True, False)
    assert told["pointer"] == "reactions/0/outcome"


def test_what_is_undone_before_a_run_is_as_if_it_had_not_been_said(desk: Desk) -> None:
    answer = desk.correct(ask(Wish(do="reject", pointer="drugs/0")))
    id_ = answer["corrections"][0]["id"]
    assert desk.correct(ask(undo=[id_]))["corrections"] == []
    assert len(read(desk.path)) == 2
    with pytest.raises(Refusal, match="no such correction"):
        desk.correct(ask(undo=[id_]))


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (Wish(do="change", pointer="reactions/0/outcome", value="better"), "one of: recovered"),
        (Wish(do="change", pointer="reactions/9/outcome", value="fatal"), "no such fact"),
        (Wish(do="change", pointer="../../etc/passwd", value="fatal"), "no such fact"),
        (Wish(do="change", pointer="drugs/-1/role", value="suspect"), "no such fact"),
        (Wish(do="reject", pointer="drugs/0/name"), "nothing without its name"),
        (Wish(do="merge", pointer="drugs/0", into="drugs/0"), "cannot be applied to the case: conflicting"),
        (Wish(do="merge", pointer="drugs/0", into="tests/0"), "no such fact"),
        (Wish(do="add", kind="drug", places=[(0, 4)], values={"name": "x"}), "needs role"),
        (Wish(do="add", kind="drug", places=[(9, 10**6)], values={"name": "x", "role": "past"}), "conflicting"),
        (Wish(do="add", kind="sex", values={"value": "female"}), "needs the places"),
        (Wish(do="add"), "needs its kind"),
        (Wish(do="change", pointer="drugs/0", field="name", value="\u200b"), "characters that do not show"),
    ],
)
def test_what_cannot_be_applied_is_refused_and_nothing_is_stored(desk: Desk, wish: Wish, words: str) -> None:
    good = Wish(do="accept", pointer="drugs/0")
    with pytest.raises(Refusal, match=words):
        desk.correct(ask(good, wish))
    assert not desk.path.exists()


def test_all_kinds_of_wishes_come_together(desk: Desk) -> None:
    start = REPORT.text.index("rash")
    answer = desk.correct(
        ask(
            Wish(do="accept", pointer="patient/sex"),
            Wish(do="accept", pointer="drugs/0/role"),
            Wish(do="change", pointer="patient/age", field="value", value=67),
            Wish(do="reject", pointer="reactions/0/time_to_onset"),
            Wish(do="add", kind="reaction", places=[(start, start + 4)], values={"term": "rash"}),
            Wish(do="add", kind="treatment", drug="drugs/0", reaction="reactions/0"),
            Wish(do="reject", kind="treatment", drug="drugs/0", reaction="reactions/0"),
        )
    )
    assert [one["status"] for one in answer["corrections"]] == ["applied"] * 7
    assert len(read(desk.path)) == 7


def test_only_cases_of_the_dataset_can_be_corrected(desk: Desk) -> None:
    for report, case in (("x", CASE.case_id), (REPORT.report_id, "x")):
        with pytest.raises(Refusal) as refused:
            desk.case(report, case)
        assert refused.value.stale


def test_a_fact_that_is_accepted_as_a_whole_is_so_with_all_that_the_page_shows_of_it(desk: Desk) -> None:
    desk.correct(ask(*(Wish(do="accept", pointer=one) for one in ("drugs/0/exposures/0", "drugs/0", "patient/age"))))
    exposure, drug, age = (entry for entry in read(desk.path) if isinstance(entry, Accept))
    held = CASE.drugs[0].exposures[0]
    assert exposure.values["dose"] == held.dose
    assert set(exposure.values) == {f for f in fields.EDITABLE["exposure"] if getattr(held, f) is not None}
    assert drug.values == {"name": CASE.drugs[0].name}
    assert set(age.values) == {"value", "unit"}


def test_a_case_that_a_correction_had_withheld_is_put_right_at_the_desk(tmp_path: Path) -> None:
    """What a typo did is undone where it was made, and any other withheld case can be corrected as well."""
    entry = Change(
        id="typo", at="2026-11-21T19:05:00Z", by="x", report=REPORT.report_id, text=digest(REPORT), case=CASE.case_id,
        fact=fact_at(CASE, "patient/age")[0], field="value", value=666,
    )  # fmt: skip
    (case,) = apply(Extraction(id=REPORT.report_id, cases=[CASE]), REPORT, [entry]).cases
    implausible = Refused(
        stage="validation", reason="cases.age-plausible", message="Expected: the age is between 0 and 125 years",
        report_id=REPORT.report_id, case_id=CASE.case_id,
    )  # fmt: skip
    made = make_dataset(tmp_path / "ds", [(case, REPORT, []), harmless(2)], withheld=[implausible])
    desk = Desk(made, tmp_path / "c.jsonl")
    append(desk.path, [entry])
    before = desk.case(REPORT.report_id, CASE.case_id)
    assert before["withheld"]
    assert [(one["id"], one["status"], one["pending"]) for one in before["corrections"]] == [("typo", "applied", False)]
    (after,) = desk.correct(ask(undo=["typo"]))["corrections"]
    assert (after["undone"], after["pending"]) == (True, True)
    assert active(read(desk.path)) == []
    desk.correct(ask(Wish(do="change", pointer="patient/age", field="value", value=66)))
    assert not desk.case("report-2", "report-2-1")["withheld"]


def test_what_rests_on_an_undone_split_is_told_and_nothing_more_is_said_of_the_part(tmp_path: Path) -> None:
    start = REPORT.text.index("rash")
    whole = replace(CASE.reactions[0], evidence=[*CASE.reactions[0].evidence, (start, start + 4)])
    read_as_one = replace(CASE, reactions=[whole])
    held = Extraction(id=REPORT.report_id, cases=[read_as_one])
    head: dict[str, Any] = {"at": "2026-11-21T19:05:00Z", "by": "x", "report": REPORT.report_id}
    head |= {"text": digest(REPORT), "case": CASE.case_id}
    split = Split(
        id="split", fact=fact_at(read_as_one, "reactions/0")[0], places=whole.evidence[1:], term="rash", **head
    )
    parted = apply(held, REPORT, [split]).cases[0]
    later = Change(id="later", fact=fact_at(parted, "reactions/1")[0], field="outcome", value="fatal", **head)
    (case,) = apply(held, REPORT, [split, later]).cases
    desk = Desk(make_dataset(tmp_path / "ds", [(case, REPORT, [])]), tmp_path / "c.jsonl")
    append(desk.path, [split, later])
    told = desk.correct(ask(undo=["split"]))["corrections"]
    assert [(one["id"], one["undone"], one["lost"]) for one in told] == [("split", True, False), ("later", False, True)]
    with pytest.raises(Refusal, match="has been undone"):
        desk.correct(ask(Wish(do="change", pointer="reactions/1/outcome", value="recovered")))
    assert not desk.correct(ask(undo=["later"]))["corrections"][1]["lost"]


def test_the_reviewer_is_told_where_the_file_is_and_which_run_applies_it(desk: Desk) -> None:
    told = desk.case(REPORT.report_id, CASE.case_id)
    assert told["file"] == str(desk.path)
    assert told["run"] == f"case2fhir run … --out {desk.root} --corrections {desk.path}"
    beside = Desk(desk.root, DatasetPaths(desk.root).corrections)
    assert beside.case(REPORT.report_id, CASE.case_id)["run"] == f"case2fhir run … --out {desk.root}"


def test_an_editor_offers_what_the_record_permits() -> None:
    assert fields.choices("drug", "role") == ["suspect", "interacting", "concomitant", "treatment", "past"]
    shapes = {name: fields.shape("exposure", name) for name in fields.EDITABLE["exposure"]}
    assert (shapes["dose"], shapes["recurrence"], shapes["route"]) == ("number", "flag", "text")
    assert fields.shape("reaction", "seriousness") == "choices"
    assert fields.shape("assessment", "author_score") == "whole"
