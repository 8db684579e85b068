"""What the outcome of an expectation means for a run."""

import dagster as dg
import pytest

from pipeline.orchestration import checks
from pipeline.validation import suites
from pipeline.validation.suites import Expectation, ExpectationResult, Severity, SuiteResult

CASE = {"report_id": "r", "case_id": "r-1"}


def check(severity: Severity, success: bool, *failing: dict[str, str]) -> dg.AssetCheckResult:
    expectation = Expectation(id="drugs.role-known", suite="drugs", severity=severity, description="Roles are known.")
    result = ExpectationResult(expectation=expectation, success=success, checked=5, failing=failing)
    (found,) = checks.results([SuiteResult("drugs", (result,))])
    return found


def test_every_expectation_is_a_check() -> None:
    for suite in suites.SUITES:
        specs = checks.specs("cases", [suite])
        assert [spec.name for spec in specs] == [checks.name(e.id) for e in suites.expectations(suite)]
        assert [spec.blocking for spec in specs] == [e.severity == "critical" for e in suites.expectations(suite)]


def test_names_are_what_dagster_allows() -> None:
    assert checks.name("drugs.role-known") == "drugs__role_known"


def test_cases_that_are_withheld_make_a_check_warn_and_do_not_block() -> None:
    found = check("critical", False, CASE)
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert found.metadata["failing"].value == 1


def test_a_table_that_fails_as_a_whole_blocks() -> None:
    assert check("critical", False).severity == dg.AssetCheckSeverity.ERROR


@pytest.mark.parametrize("failing", [(), (CASE,)])
def test_a_warning_never_blocks(failing: tuple[dict[str, str], ...]) -> None:
    assert check("warning", False, *failing).severity == dg.AssetCheckSeverity.WARN


def test_no_more_rows_are_named_than_a_page_shows() -> None:
    rows = [CASE | {"case_id": f"r-{n}"} for n in range(50)]
    found = check("critical", False, *rows)
    assert found.metadata["failing"].value == 50
    assert found.metadata["rows"].value == rows[: checks.SHOWN]
