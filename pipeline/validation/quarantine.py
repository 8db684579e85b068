"""Decides what a failed critical expectation withholds.

Belongs here: from results to refusals.  Does not belong here: leaving out what is refused (``storage.publication``).
"""

from collections.abc import Iterable, Iterator

from pipeline.records import Refused
from pipeline.validation.suites import ExpectationResult, SuiteResult


def withheld(results: Iterable[SuiteResult]) -> list[Refused]:
    """One refusal per case (or report, where the row names no case) and failed critical expectation.

    ``reason`` is the expectation id, ``place`` the other key columns of the first failing row, ``message`` what was
    expected and, for FHIR resources, which rules they break.  A failed critical expectation about a whole table (its
    row count) names no row and withholds nothing: it fails the run, see ``fatal``.
    """
    refused: dict[tuple[str, str | None, str | None], Refused] = {}
    for result in _failed(results):
        for keys in result.failing:
            report_id, case_id = keys.get("report_id"), keys.get("case_id")
            others = [f"{k} {v}" for k, v in keys.items() if k not in ("report_id", "case_id", "detail")]
            detail = f": {keys['detail']}" if keys.get("detail") else ""
            refused.setdefault(
                (result.expectation.id, report_id, case_id),
                Refused(
                    stage="validation",
                    reason=result.expectation.id,
                    message=f"Expected: {result.expectation.description}{detail}",
                    place=", ".join(others) or None,
                    report_id=report_id,
                    case_id=case_id,
                ),
            )
    return list(refused.values())


def fatal(results: Iterable[SuiteResult]) -> list[str]:
    """Messages of failed critical expectations that no case or report answers for: the run cannot be published."""
    return [
        result.message
        for result in _failed(results)
        if not result.failing or any(not (k.get("report_id") or k.get("case_id")) for k in result.failing)
    ]


def _failed(results: Iterable[SuiteResult]) -> Iterator[ExpectationResult]:
    for suite in results:
        for result in suite.results:
            if not result.success and result.expectation.severity == "critical":
                yield result
