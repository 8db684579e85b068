"""Expectation suites: one JSON file per frame in ``expectations/``, run by Great Expectations.

Belongs here: all there is of Great Expectations, imported inside functions (2.5 s, 250 MB).  Does not belong here: the
frames (``validation.frames``), and what follows from a failure (``validation.quarantine``).

A suite file is Great Expectations' own JSON.  The ``meta`` of an expectation holds ``id`` (unique, stable: the name of
the asset check and the reason in quarantine), ``severity`` and ``description``, the message a person reads; ``detail``
may name a column whose content is free of report text and is added to it.  The ``meta`` of the suite holds ``keys``,
the columns that name a row.

What Great Expectations does and we undo: it drops expectations of unknown type (counted here), returns results in
another order (matched by id), passes column checks on empty frames (every suite has a row count), and would report
failing values (only keys leave this module).
"""

import os
import shutil
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

import orjson
import pandas as pd

from pipeline import garbage
from pipeline.data import EXPECTATIONS
from pipeline.errors import RunFailed

SUITES: Final = (
    "reports", "cases", "drugs", "exposures", "reactions", "assessments", "mentions", "resources", "references",
)  # fmt: skip
Severity = Literal["critical", "warning"]
_SITE: Final = "case2fhir"
_FRAME: Final = "frame"
"""Column of joint frames: which of them a row is of."""
_ROW_COUNT: Final = "expect_table_row_count_to_be_between"
_SHOWN: Final = 20
"""Failing keys per expectation in ``validation/results.json``; the counts are complete."""


@dataclass(frozen=True)
class Expectation:
    """What a suite file says of one expectation; ``id`` is unique over all suites (``"drugs.role-known"``)."""

    id: str
    suite: str
    severity: Severity
    description: str
    detail: str | None = None


@dataclass(frozen=True)
class ExpectationResult:
    """Outcome of one expectation on ``checked`` rows.

    ``failing`` holds key columns only (report_id, case_id, …) of every failing row, plus ``detail`` where the suite
    names such a column; never checked values.
    """

    expectation: Expectation
    success: bool
    checked: int
    failing: tuple[Mapping[str, Any], ...]

    @property
    def message(self) -> str:
        """One sentence, without values."""
        if self.success:
            return self.expectation.description
        rows = f" ({len(self.failing)} of {self.checked} rows fail)" if self.failing else ""
        return f"Expected: {self.expectation.description}{rows}"


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
    return tuple(
        Expectation(
            id=entry["meta"]["id"],
            suite=suite,
            severity=entry["meta"]["severity"],
            description=entry["meta"]["description"],
            detail=entry["meta"].get("detail"),
        )
        for entry in _document(suite)["expectations"]
    )


def run(suite: str, frame: pd.DataFrame) -> SuiteResult:
    """Check one frame of ``validation.frames`` against its suite; imports Great Expectations (2.5 s) on first use.

    Raises RunFailed when the suite cannot be evaluated: an unknown expectation type or column in the suite file.
    """
    (result,) = run_each(suite, [frame])
    return result


def run_each(suite: str, frames: Sequence[pd.DataFrame]) -> list[SuiteResult]:
    """``run`` on each of several frames whose keys are different, in one go.

    Great Expectations takes a tenth of a second for a suite, whatever the number of rows.  So it checks all frames as
    one, and each failing row is told of the frame that it is of.
    """
    keys = _document(suite)["meta"]["keys"]
    details = [e.detail for e in expectations(suite) if e.detail]
    filled = [frame for frame in frames if len(frame)] or [frames[0]]
    joint = pd.concat(filled, ignore_index=True) if len(filled) > 1 else filled[0].copy(deep=False)
    joint[_FRAME] = [number for number, frame in enumerate(frames) for _ in range(len(frame))]
    with _quiet():
        outcome = _validate(suite, joint, "COMPLETE", [*keys, *details, _FRAME])
    by_id = {result.expectation_config.meta["id"]: result for result in outcome.results}
    found: list[list[ExpectationResult]] = [[] for _ in frames]
    for expectation in expectations(suite):
        result = by_id[expectation.id]
        raised = result.exception_info or {}
        if any(_raised(info) for info in (raised, *raised.values())):
            raise RunFailed(f"{_path(suite)}: {expectation.id} cannot be evaluated on the columns of {suite}.")
        wanted = [*keys, expectation.detail] if expectation.detail else keys
        failing: list[list[dict[str, Any]]] = [[] for _ in frames]
        rows = [] if result.success else result.result.get("unexpected_index_list") or []
        for row in rows:
            failing[row[_FRAME]].append({_name(key, expectation): _value(row[key]) for key in wanted})
        counted = result.expectation_config.type == _ROW_COUNT  # which the joint frame can tell of no other
        for number, frame in enumerate(frames):
            success = bool(result.success or (rows and not failing[number]))
            if counted:
                success = _within(len(frame), result.expectation_config.kwargs)
            found[number].append(
                ExpectationResult(
                    expectation=expectation, success=success, checked=len(frame), failing=tuple(failing[number])
                )
            )
    return [SuiteResult(suite, tuple(results)) for results in found]


def _within(rows: int, limits: Mapping[str, Any]) -> bool:
    least, most = limits.get("min_value"), limits.get("max_value")
    return (least is None or rows >= least) and (most is None or rows <= most)


def merge(results: Iterable[SuiteResult]) -> list[SuiteResult]:
    """One result per suite from the results of many shards, in the order of ``SUITES``."""
    by_suite: dict[str, list[SuiteResult]] = {}
    for result in results:
        by_suite.setdefault(result.suite, []).append(result)
    return [_merged(suite, by_suite[suite]) for suite in SUITES if suite in by_suite]


def records(results: Iterable[SuiteResult]) -> list[dict[str, Any]]:
    """Outcomes as JSON-able values, to be kept: ids and counts, no values; ``from_records`` reads them."""
    return [
        {
            "suite": result.suite,
            "results": [
                {
                    "id": r.expectation.id,
                    "success": r.success,
                    "checked": r.checked,
                    "failing": [dict(keys) for keys in r.failing],
                }
                for r in result.results
            ],
        }
        for result in results
    ]


def from_records(kept: Iterable[Mapping[str, Any]]) -> list[SuiteResult]:
    """What ``records`` was given, provided that the suite files are still the same."""
    return [
        SuiteResult(
            record["suite"],
            tuple(
                ExpectationResult(
                    expectation=expectation,
                    success=result["success"],
                    checked=result["checked"],
                    failing=tuple(result["failing"]),
                )
                for expectation, result in zip(expectations(record["suite"]), record["results"], strict=True)
            ),
        )
        for record in kept
    ]


def to_json(results: Sequence[SuiteResult]) -> dict[str, Any]:
    """The document of ``validation/results.json``: counts and ids, no values."""
    return {
        "success": all(result.success for result in results),
        "suites": [
            {
                "suite": result.suite,
                "success": result.success,
                "expectations": [
                    {
                        "id": r.expectation.id,
                        "severity": r.expectation.severity,
                        "description": r.expectation.description,
                        "success": r.success,
                        "checked": r.checked,
                        "failed": len(r.failing),
                        "failing": [dict(keys) for keys in r.failing[:_SHOWN]],
                    }
                    for r in result.results
                ],
            }
            for result in results
        ],
    }


def write_data_docs(frames: Mapping[str, pd.DataFrame], folder: Path, *, scratch: Path) -> Path:
    """Write Great Expectations' Data Docs on ``frames`` (one shard's) to ``folder``; return the page to open.

    ``scratch``, on the same file system, holds them until they are complete.
    Runs the suites again, for verdicts only: no value and no key of a row gets into the pages.  They hold the time of
    the run, so they are not part of the manifest.
    """
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    with _quiet():
        import great_expectations as gx
        from great_expectations.checkpoint.actions import UpdateDataDocsAction

        context = _context()
        backend = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(scratch.resolve())}
        context.add_data_docs_site(
            site_name=_SITE,
            site_config={
                "class_name": "SiteBuilder",
                "show_how_to_buttons": False,
                "store_backend": backend,
                "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
            },
        )
        try:
            for suite, frame in frames.items():
                definition = context.validation_definitions.add_or_update(
                    gx.ValidationDefinition(name=suite, data=_batch_definition(suite), suite=_suite(suite))
                )
                checkpoint = gx.Checkpoint(
                    name=suite,
                    validation_definitions=[definition],
                    actions=[UpdateDataDocsAction(name="docs", site_names=[_SITE])],
                    result_format="BOOLEAN_ONLY",
                )
                context.checkpoints.add_or_update(checkpoint).run(batch_parameters={"dataframe": frame})
        finally:
            context.delete_data_docs_site(_SITE)
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch.rename(folder)
    return folder / "index.html"


def _merged(suite: str, shards: Sequence[SuiteResult]) -> SuiteResult:
    return SuiteResult(
        suite,
        tuple(
            ExpectationResult(
                expectation=of_shards[0].expectation,
                success=all(r.success for r in of_shards),
                checked=sum(r.checked for r in of_shards),
                failing=tuple(keys for r in of_shards for keys in r.failing),
            )
            for of_shards in zip(*(shard.results for shard in shards), strict=True)
        ),
    )


def _path(suite: str) -> Path:
    return EXPECTATIONS / f"{suite}.json"


@cache
def _document(suite: str) -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads(_path(suite).read_bytes())
    return document


@contextmanager
def _quiet() -> Iterator[None]:
    """Great Expectations warns about its own code on import; none of it is for our users."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@cache
def _context() -> Any:
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    garbage.loaded()
    return context


@cache
def _suite(suite: str) -> Any:
    import great_expectations as gx

    document = _document(suite)
    # A copy: Great Expectations keeps what it is given, and fills it in.
    listed = orjson.loads(orjson.dumps(document["expectations"]))
    built = gx.ExpectationSuite(name=suite, expectations=listed, meta=document["meta"])
    known = [expectation.meta for expectation in built.expectations]
    if unknown := [entry["meta"]["id"] for entry in listed if entry["meta"] not in known]:
        raise RunFailed(f"{_path(suite)}: Great Expectations knows no such expectation: {', '.join(unknown)}.")
    return _context().suites.add_or_update(built)


@cache
def _batch_definition(suite: str) -> Any:
    source = _context().data_sources.add_pandas(suite)
    return source.add_dataframe_asset(suite).add_batch_definition_whole_dataframe(suite)


def _validate(suite: str, frame: pd.DataFrame, result_format: str, columns: list[str] | None) -> Any:
    form: dict[str, Any] = {"result_format": result_format}
    if columns is not None:
        form |= {"unexpected_index_column_names": columns, "return_unexpected_index_query": False}
    batch = _batch_definition(suite).get_batch(batch_parameters={"dataframe": frame})
    return batch.validate(_suite(suite), result_format=form)


def _raised(info: Any) -> bool:
    return isinstance(info, Mapping) and bool(info.get("raised_exception"))


def _name(key: str, expectation: Expectation) -> str:
    return "detail" if key == expectation.detail else key


def _value(value: Any) -> Any:
    """A key as plain JSON: null for a missing one, Python's numbers for numpy's."""
    if pd.isna(value):
        return None
    return value.item() if hasattr(value, "item") else value
