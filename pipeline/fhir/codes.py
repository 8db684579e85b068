"""Code maps of ``mappings/fhir``: Case values → codings, and the UCUM units that may be published."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pipeline.data import MAPPINGS
from pipeline.fhir.settings import Resource, Version

UCUM = "http://unitsofmeasure.org"


@dataclass(frozen=True)
class CodeRow:
    """One line of ``codes.tsv``; ``system`` may start with ``{base}``."""

    map: str
    value: str
    version: str
    system: str
    code: str
    display: str


@dataclass(frozen=True)
class Unit:
    """One line of ``units.tsv``; ``kind`` is ``dose``, ``rate`` or ``time``."""

    code: str
    kind: str
    display: str


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(
            (line for line in lines if not line.startswith("#")), delimiter="\t", quoting=csv.QUOTE_NONE
        )


@cache
def code_rows() -> tuple[CodeRow, ...]:
    """Every line of ``mappings/fhir/codes.tsv``."""
    return tuple(CodeRow(**row) for row in _rows(MAPPINGS / "fhir" / "codes.tsv"))


@cache
def units() -> dict[str, Unit]:
    """UCUM code → unit, from ``mappings/fhir/units.tsv``."""
    return {row["code"]: Unit(**row) for row in _rows(MAPPINGS / "fhir" / "units.tsv")}


class Codes:
    """The codings of one FHIR version: ``codings("outcome", "fatal")``."""

    def __init__(self, version: Version, base: str) -> None:
        self._codings: dict[tuple[str, str], list[Resource]] = {}
        for row in code_rows():
            if row.version in ("*", version):
                coding = {"system": row.system.replace("{base}", base), "code": row.code, "display": row.display}
                self._codings.setdefault((row.map, row.value), []).append(coding)

    def codings(self, map_: str, value: str) -> list[Resource]:
        """Fresh copies of the codings of a value; empty where the version has none."""
        return [coding.copy() for coding in self._codings.get((map_, value), ())]


@cache
def codes(version: Version, base: str) -> Codes:
    """The code maps of one version, read once per process."""
    return Codes(version, base)
