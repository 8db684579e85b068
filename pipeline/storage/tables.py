"""The Parquet tables: their columns, what each means, and the rows that a report gives."""

from collections.abc import Iterable
from typing import Any, Final

import pyarrow as pa

from pipeline.records import Extraction, Report

SCHEMAS: Final[dict[str, pa.Schema]] = {}


def rows(report: Report, extraction: Extraction) -> dict[str, list[dict[str, Any]]]:
    """Rows of one report by table name; every table is present, possibly empty."""
    raise NotImplementedError


def build(pairs: Iterable[tuple[Report, Extraction]]) -> dict[str, pa.Table]:
    """All tables of one shard, rows in the order of ``pairs``."""
    raise NotImplementedError
