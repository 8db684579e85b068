"""Expectation suites: one JSON file per frame in ``expectations/``, run by Great Expectations."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import pandas as pd

SUITES: Final = (
    "reports", "cases", "drugs", "exposures", "reactions", "assessments", "mentions", "resources", "references",
)  # fmt: skip
Severity = Literal["critical", "warning"]


@dataclass(frozen=True)
class Expectation:
    """What a suite file says of one expectation; ``id`` is unique over all suites (``"drugs.role-known"``)."""

    id: str
    suite: str
    severity: Severity
    description: str


@dataclass(frozen=True)
class ExpectationResult:
    """Outcome of one expectation. ``failing`` holds key columns only (report_id, case_id, …), never checked values."""

    expectation: Expectation
    success: bool
    checked: int
    failing: tuple[Mapping[str, Any], ...]
    message: str


@dataclass(frozen=True)
class SuiteResult:
    """Outcome of one suite on one frame (or, merged, on all shards)."""

    suite: str
    results: tuple[ExpectationResult, ...]

    @property
    def success(self) -> bool:
        """No critical expectation failed."""
        return all(r.success or r.expectation.severity == "warning" for r in self.results)


def expectations(suite: str) -> tuple[Expectation, ...]:
    """What the suite file lists, in its order; reads JSON only, so declaring asset checks costs nothing."""
    raise NotImplementedError


def run(suite: str, frame: pd.DataFrame) -> SuiteResult:
    """Check one frame of ``validation.frames`` against its suite; imports Great Expectations (2.5 s) on first use."""
    raise NotImplementedError


def merge(results: Iterable[SuiteResult]) -> list[SuiteResult]:
    """One result per suite from the results of many shards."""
    raise NotImplementedError


def to_json(results: Sequence[SuiteResult]) -> dict[str, Any]:
    """The document of ``validation/results.json``: counts and ids."""
    raise NotImplementedError


def write_data_docs(results: Mapping[str, pd.DataFrame], folder: Path) -> None:
    """Write Great Expectations' Data Docs for one shard's frames to ``folder``, with ids only."""
    raise NotImplementedError
