"""Asset checks, one per expectation, and what their outcome means for a run.

Belongs here: turning expectations into check specs and their outcomes into check results.  Does not belong here: the
expectations (``expectations/*.json``) and running them (``pipeline.validation``).

A critical expectation is a blocking check.  When single cases fail it, they are withheld and nothing wrong goes on: the
check has not passed, but only warns.  When the table as a whole fails it, nobody can say what to withhold: the check
fails as an error, which blocks what comes after it, and nothing is published.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

import dagster as dg

from pipeline.validation import quarantine, suites
from pipeline.validation.suites import SuiteResult

SHOWN = 20
"""Failing rows that a check result names; ``validation/results.json`` names all."""


def name(expectation_id: str) -> str:
    """Dagster allows letters, digits and underscores: ``drugs.role-known`` is ``drugs__role_known``."""
    return re.sub(r"\W", "_", expectation_id.replace(".", "__"))


def specs(asset: str, suite_names: Sequence[str]) -> list[dg.AssetCheckSpec]:
    """One check per expectation of the suites; reads their JSON only."""
    return [
        dg.AssetCheckSpec(
            name(expectation.id),
            asset=asset,
            description=expectation.description,
            blocking=expectation.severity == "critical",
            metadata={"suite": suite, "severity": expectation.severity},
        )
        for suite in suite_names
        for expectation in suites.expectations(suite)
    ]


def results(found: Iterable[SuiteResult]) -> Iterator[dg.AssetCheckResult]:
    """One check result per expectation."""
    for suite in found:
        for result in suite.results:
            fatal = quarantine.fatal([SuiteResult(suite.suite, (result,))])
            yield dg.AssetCheckResult(
                check_name=name(result.expectation.id),
                passed=result.success,
                severity=dg.AssetCheckSeverity.ERROR if fatal else dg.AssetCheckSeverity.WARN,
                description=result.message,
                metadata={
                    "checked": result.checked,
                    "failing": len(result.failing),
                    "rows": dg.MetadataValue.json([dict(row) for row in result.failing[:SHOWN]]),
                },
            )
