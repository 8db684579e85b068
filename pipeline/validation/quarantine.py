"""Decides what a failed critical expectation withholds."""

from collections.abc import Iterable

from pipeline.records import Refused
from pipeline.validation.suites import SuiteResult


def withheld(results: Iterable[SuiteResult]) -> list[Refused]:
    """One refusal per case (or report, where the row names no case) and failed critical expectation.

    ``reason`` is the expectation id, ``place`` the key of the failing row.  A failed critical expectation about a whole
    table (its row count) names no row and withholds nothing: it fails the run, see ``fatal``.
    """
    raise NotImplementedError


def fatal(results: Iterable[SuiteResult]) -> list[str]:
    """Messages of failed critical expectations that no single case answers for: the run cannot be published."""
    raise NotImplementedError
