"""Each expectation holds on a sound dataset and fails on the row that breaks it; only keys leave the suites."""

import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline.errors import RunFailed
from pipeline.paths import FHIR_VERSIONS, DatasetPaths
from pipeline.records import Extraction
from pipeline.storage import Dataset, publish, tables
from pipeline.validation import quarantine, suites
from pipeline.validation.frames import COLUMNS, frames
from pipeline.validation.resources import check
from pipeline.validation.suites import SUITES, ExpectationResult
from tests.unit.storage.storage_samples import PROFILE, case_resources, extraction, report, stage

Row = dict[str, Any]


def sound() -> dict[str, pd.DataFrame]:
    found = extraction(cases=2)
    resources = {version: [case_resources(case) for case in found.cases] for version in FHIR_VERSIONS}
    return frames(tables.all_rows([(report(), found)]), resources)


SOUND = sound()


def with_first(suite: str, **values: Any) -> pd.DataFrame:
    """The sound frame, its first row changed."""
    rows = SOUND[suite].astype(object).to_dict("records")
    return pd.DataFrame([rows[0] | values, *rows[1:]], columns=list(COLUMNS[suite]))


def broken(suite: str) -> pd.DataFrame:
    """The sound frame and, for each expectation, a row that breaks it and says so in its report_id."""
    rows = SOUND[suite].astype(object).to_dict("records")
    rows += [
        rows[0] | {"report_id": name, **({"case_id": name} if "case_id" in rows[0] else {}), **values}
        for name, values in BREAKS[suite].items()
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS[suite]))


# Expectation -> the values that break it. The row count and the keys are broken by what rows there are.
BREAKS: dict[str, dict[str, Row]] = {
    "reports": {
        "key-given": {"report_id": None},
        "text-given": {"characters": 0},
        "sections-in-order": {"sections_misplaced": 1},
        "year-plausible": {"year": 20100},
        "doi-form": {"doi": "doi:10.1000/1"},
        "pmid-form": {"pmid": "PMID 1"},
        "pmcid-form": {"pmcid": "45"},
        "source-given": {"source_path": None},
    },
    "cases": {
        "key-given": {"case_id": None},
        "report-known": {"report_known": False},
        "sex-known": {"sex": "F"},
        "age-unit-known": {"age_unit": "years"},
        "age-plausible": {"age_years": 400.0},
        "evidence-given": {"facts_without_evidence": 1},
        "evidence-inside-text": {"spans_outside": 1},
        "evidence-quotes-verbatim": {"history_unquoted": 1},
        "codings-complete": {"codings_incomplete": 1},
        "record-sound": {"record_sound": False},
    },
    "drugs": {
        "key-given": {"drug_id": None},
        "case-known": {"case_known": False},
        "name-given": {"name": None},
        "name-not-blank": {"name": " "},
        "role-given": {"role": None},
        "role-known": {"role": "culprit"},
        "action-known": {"action_taken": "stopped"},
        "action-of-suspects": {"action_without_suspicion": True},
        "evidence-given": {"evidence_count": 0},
        "evidence-inside-text": {"spans_outside": 1},
        "evidence-quotes-verbatim": {"verbatim_unquoted": 1},
        "codings-complete": {"codings_incomplete": 1},
    },
    "exposures": {
        "key-given": {"exposure": None},
        "drug-known": {"drug_known": False},
        "dose-positive": {"dose": 0.0},
        "dose-range-ordered": {"dose_high": 1.0},
        "dose-plausible": {"dose_mg": 1e9},
        "dose-has-unit": {"dose_without_unit": True},
        "duration-form": {"duration": "5 weeks"},
        "start-form": {"start": "P"},
        "companions-known": {"with_unknown": 1},
        "evidence-given": {"evidence_count": 0},
        "evidence-inside-text": {"spans_outside": 1},
        "evidence-quotes-verbatim": {"verbatim_unquoted": 1},
    },
    "reactions": {
        "key-given": {"reaction_id": None},
        "case-known": {"case_known": False},
        "term-given": {"term": None},
        "term-not-blank": {"term": ""},
        "outcome-given": {"outcome": None},
        "outcome-known": {"outcome": "resolved"},
        "seriousness-known": {"seriousness": "death|grave"},
        "time-to-onset-form": {"time_to_onset": "P5"},
        "treatments-known": {"treatments_unknown": 1},
        "evidence-given": {"evidence_count": 0},
        "evidence-inside-text": {"spans_outside": 1},
        "evidence-quotes-verbatim": {"verbatim_unquoted": 1},
        "codings-complete": {"codings_incomplete": 1},
    },
    "assessments": {
        "drug-known": {"drug_known": False},
        "reaction-known": {"reaction_known": False},
        "dechallenge-given": {"dechallenge": None},
        "dechallenge-known": {"dechallenge": "yes"},
        "rechallenge-given": {"rechallenge": None},
        "rechallenge-known": {"rechallenge": "not_applicable"},
        "naranjo-in-range": {"naranjo_score": 14},
        "naranjo-category-known": {"naranjo_category": "certain"},
        "naranjo-adds-up": {"naranjo_sum_differs": True},
        "naranjo-category-fits": {"naranjo_category_differs": True},
        "who-umc-known": {"who_umc": "definite"},
        "evidence-inside-text": {"spans_outside": 1},
    },
    "mentions": {
        "report-known": {"report_known": False},
        "type-known": {"type": "gene"},
        "assertion-known": {"assertion": "denied"},
        "evidence-inside-text": {"spans_outside": 1},
        "offsets-quote-text": {"verbatim_unquoted": 1},
    },
    "resources": {
        "case-given": {"case_id": None},
        "version-known": {"version": "R3"},
        "type-given": {"type": None},
        "type-known": {"type": "Practitioner"},
        "id-given": {"id": None},
        "id-form": {"id": "1234"},
        "valid": {"problems": 1, "problem_messages": "subject: required"},
        "consistent": {"contradicted": True},
        "narrative-given": {"narrative": False},
    },
    "references": {
        "target-type-known": {"target_type": "Group"},
        "target-id-given": {"target_id": None},
        "resolved": {"resolved": False},
    },
}


def outcome(suite: str, frame: pd.DataFrame) -> dict[str, ExpectationResult]:
    return {result.expectation.id: result for result in suites.run(suite, frame).results}


@pytest.mark.parametrize("suite", SUITES)
def test_a_sound_dataset_meets_every_expectation(suite: str) -> None:
    found = outcome(suite, SOUND[suite])
    assert [name for name, result in found.items() if not result.success] == []
    assert list(found) == [expectation.id for expectation in suites.expectations(suite)]
    assert {result.checked for result in found.values()} == {len(SOUND[suite])}


@pytest.mark.parametrize("suite", SUITES)
def test_each_expectation_fails_on_the_row_that_breaks_it_and_names_its_keys(suite: str) -> None:
    found = outcome(suite, broken(suite))
    keys = json.loads(suites._path(suite).read_bytes())["meta"]["keys"]

    assert {f"{suite}.{name}" for name in (*BREAKS[suite], "key-unique", "not-empty")} == set(found)
    for name, values in BREAKS[suite].items():
        result = found[f"{suite}.{name}"]
        assert not result.success, name
        assert values.get("report_id", name) in [row["report_id"] for row in result.failing], name
        assert all(set(row) <= {*keys, "detail"} for row in result.failing)
        assert "r1" not in [row["report_id"] for row in result.failing], "a sound row fails too"


@pytest.mark.parametrize("suite", SUITES)
def test_a_key_that_comes_twice_fails_both_rows(suite: str) -> None:
    frame = pd.concat([SOUND[suite], SOUND[suite].head(1)], ignore_index=True)
    assert len(outcome(suite, frame)[f"{suite}.key-unique"].failing) == 2


@pytest.mark.parametrize("suite", SUITES)
def test_an_empty_frame_is_noticed(suite: str) -> None:
    found = outcome(suite, SOUND[suite].head(0))
    assert [(name, result.failing) for name, result in found.items() if not result.success] == [
        (f"{suite}.not-empty", ())
    ]


def test_ids_are_unique_and_descriptions_say_what_is_expected() -> None:
    listed = [expectation for suite in SUITES for expectation in suites.expectations(suite)]
    assert len({e.id for e in listed}) == len(listed)
    assert all(e.id.startswith(f"{e.suite}.") and e.description for e in listed)
    assert {e.severity for e in listed} == {"critical", "warning"}


def test_suites_name_columns_and_keys_that_their_frames_have() -> None:
    for suite in SUITES:
        document = json.loads(suites._path(suite).read_bytes())
        assert set(document["meta"]["keys"]) <= set(COLUMNS[suite])
        for entry in document["expectations"]:
            kwargs = entry["kwargs"]
            named = [kwargs[k] for k in ("column", "column_A", "column_B") if k in kwargs] + kwargs.get(
                "column_list", []
            )
            assert set(named) <= set(COLUMNS[suite]), entry["meta"]["id"]


def test_checked_values_never_leave_the_suites() -> None:
    found = suites.run("drugs", with_first("drugs", role="SECRET", name="SECRET", action_taken="SECRET"))
    told = [json.dumps(suites.to_json([found])), repr(found), repr(quarantine.withheld([found]))]
    assert not found.success
    assert "SECRET" not in " ".join(told)


def test_a_column_that_is_missing_fails_the_run_not_the_data() -> None:
    with pytest.raises(RunFailed, match=r"drugs\.json: drugs\.\S+ cannot be evaluated"):
        suites.run("drugs", SOUND["drugs"].drop(columns="role"))


def test_an_unknown_expectation_type_is_not_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = json.loads(suites._path("mentions").read_bytes())
    document["expectations"][-1]["type"] = "expect_nothing_we_know"
    (tmp_path / "mentions.json").write_text(json.dumps(document))
    monkeypatch.setattr(suites, "EXPECTATIONS", tmp_path)
    _forget()
    try:
        with pytest.raises(RunFailed, match=r"no such expectation: mentions\.offsets-quote-text"):
            suites.run("mentions", SOUND["mentions"])
    finally:
        _forget()


def _forget() -> None:
    suites._document.cache_clear()
    suites._suite.cache_clear()


def test_shards_are_merged_by_suite() -> None:
    bad = suites.run("drugs", with_first("drugs", role="x"))
    good = suites.run("drugs", SOUND["drugs"])
    reports = suites.run("reports", SOUND["reports"])
    merged = suites.merge([bad, reports, good])

    assert [result.suite for result in merged] == ["reports", "drugs"]
    role = next(r for r in merged[1].results if r.expectation.id == "drugs.role-known")
    assert (role.success, role.checked, len(role.failing)) == (False, 2 * len(SOUND["drugs"]), 1)
    assert not merged[1].success
    document = suites.to_json(merged)
    assert (document["success"], [s["success"] for s in document["suites"]]) == (False, [True, False])


@pytest.mark.parametrize("suite", ["reports", "exposures"])
def test_frames_that_are_checked_together_are_judged_as_if_alone(suite: str) -> None:
    other = SOUND[suite].assign(report_id="other", **({"case_id": "other"} if "case_id" in SOUND[suite] else {}))
    several = [other, SOUND[suite].head(0), broken(suite)]
    assert suites.run_each(suite, several) == [suites.run(suite, frame) for frame in several]


def test_critical_failures_withhold_their_case_and_warnings_do_not() -> None:
    frame = with_first("exposures", dose=0.0, dose_mg=1e9)
    (refused,) = quarantine.withheld([suites.run("exposures", frame)])

    assert (refused.stage, refused.reason) == ("validation", "exposures.dose-positive")
    assert (refused.report_id, refused.case_id, refused.place) == ("r1", "r1-1", "drug_id drug-1, exposure 1")
    assert refused.message == "Expected: a dose is more than nothing"


def test_a_refused_resource_says_which_rules_it_breaks() -> None:
    frame = with_first("resources", problems=1, problem_messages="subject: required")
    (refused,) = quarantine.withheld([suites.run("resources", frame)])
    assert refused.message == "Expected: the resource follows the FHIR specification: subject: required"


def test_a_row_without_case_withholds_its_report() -> None:
    (refused,) = quarantine.withheld([suites.run("mentions", with_first("mentions", verbatim_unquoted=1))])
    assert (refused.report_id, refused.case_id) == ("r1", None)


def test_what_no_case_answers_for_is_fatal() -> None:
    empty = suites.run("reports", SOUND["reports"].head(0))
    assert quarantine.withheld([empty]) == []
    assert quarantine.fatal([empty]) == ["Expected: there is a report"]
    assert quarantine.fatal([suites.run("cases", SOUND["cases"].head(0))]) == []
    assert quarantine.fatal([suites.run("drugs", with_first("drugs", role="x"))]) == []


def test_a_published_dataset_is_validated_from_its_files_alone(tmp_path: Path) -> None:
    stage(tmp_path, ["r1", "r2"], cases=2)
    publish(DatasetPaths(tmp_path), profiles={"R4": [PROFILE], "R5": [PROFILE]}, validation={})
    dataset = Dataset.open(tmp_path)
    rows = {name: table.to_pylist() for name, table in dataset.tables(0).items()}
    found = frames(rows, {v: dataset.resources(0, v, check) for v in dataset.versions})

    assert list(found) == list(SUITES)
    assert all(suites.run(suite, frame).success for suite, frame in found.items())
    assert len(found["resources"]) == 2 * 2 * 2 * 3


def test_data_docs_hold_verdicts_but_no_values(tmp_path: Path) -> None:
    frame = with_first("drugs", role="SECRET", name="SECRET", case_id="SECRET")
    page = suites.write_data_docs({"drugs": frame}, tmp_path / "docs", scratch=tmp_path / "scratch")

    assert page == tmp_path / "docs" / "index.html"
    pages = [path.read_text(errors="replace") for path in (tmp_path / "docs").rglob("*.html")]
    assert len(pages) >= 3
    assert not any("SECRET" in text for text in pages)


def test_a_report_without_findings_gives_every_frame() -> None:
    found = frames(tables.all_rows([(report(), Extraction(id="r1"))]), {"R4": []})
    assert {name: len(frame) for name, frame in found.items()} == {s: int(s == "reports") for s in SUITES}


def test_great_expectations_is_imported_only_to_run() -> None:
    code = (
        "import sys; from pipeline.validation import suites, quarantine, frames, resources; "
        "suites.expectations('drugs'); sys.exit('great_expectations' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_no_warning_reaches_the_caller() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        suites.run("mentions", SOUND["mentions"])
