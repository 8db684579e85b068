"""What a caller chooses about FHIR output, and the names every module of this package uses."""

from dataclasses import dataclass
from typing import Any, Literal

Version = Literal["R4", "R5"]
Resource = dict[str, Any]
"""A FHIR resource or element as plain JSON data."""

ORDER = ("DocumentReference", "Patient", "Condition", "MedicationStatement", "AdverseEvent", "Provenance")
"""Resource types so that each refers only to earlier ones (a medication statement to earlier ones of its own type)."""

CANONICAL_BASE = "https://w3id.org/case2fhir"


@dataclass(frozen=True)
class Options:
    """Settings of the FHIR output; picklable, hashable.

    ``base`` is the canonical base of our extensions, code systems and identifiers, without a trailing slash.
    ``recorded`` is the instant (``"2026-01-31T00:00:00Z"``) written to ``Provenance.recorded``.  It is never taken from
    the clock, so that the same report gives the same bytes on every run; without it the element says
    ``data-absent-reason`` *unknown*, and the time of the run stands in the dataset's manifest.
    """

    base: str = CANONICAL_BASE
    recorded: str | None = None

    def __post_init__(self) -> None:
        if not self.base.startswith(("http://", "https://")) or self.base.endswith("/"):
            raise ValueError(f"the canonical base must be an http(s) URL without a trailing slash, not {self.base!r}")
