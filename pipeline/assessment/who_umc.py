"""The WHO-UMC causality category by rules.

Belongs here: applying the rule table ``mappings/assessment/who_umc.tsv``, whose head names its source and reading.
Does not belong here: finding the facts it needs.
"""

from functools import cache

from pipeline.assessment.reading import rows
from pipeline.records import Dechallenge, NaranjoAnswer, Rechallenge, WhoUmcCategory


@cache
def _rules() -> list[tuple[str, list[list[str]]]]:
    return [(name, [cell.split("|") for cell in cells]) for name, *cells in rows("who_umc")]


def category(
    time: NaranjoAnswer, other_causes: NaranjoAnswer, dechallenge: Dechallenge, rechallenge: Rechallenge
) -> WhoUmcCategory:
    """The category of the first rule that fits.

    ``time``: did the event follow the drug plausibly; ``other_causes``: could disease or other drugs explain it.

    Raises:
        LookupError: no rule fits, which a complete table never lets happen.
    """
    facts = (time, other_causes, dechallenge, rechallenge)
    for name, cells in _rules():
        if all(cell == ["*"] or fact in cell for cell, fact in zip(cells, facts, strict=True)):
            return name  # type: ignore[return-value]
    raise LookupError(f"no rule of who_umc.tsv fits {facts}")
