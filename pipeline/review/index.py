"""The compact table behind ``index.html``: a row of numbers and short texts per case, names once each.

Belongs here: what the index can search, filter, sort and count by.  Does not belong here: how it is shown
(``static/index.js``).
"""

from typing import Any, Final, get_args

from pipeline.records import CAUSES, Outcome, WhoUmcCategory
from pipeline.review import words
from pipeline.review.reading import Material
from pipeline.review.text import spelled

OUTCOMES: Final[tuple[str, ...]] = get_args(Outcome)
WHO_UMC: Final[tuple[str, ...]] = get_args(WhoUmcCategory)
"""Strongest first."""
COLUMNS: Final = (
    "key", "case", "patient", "suspects", "others", "reactions", "outcomes", "onsets", "pairs", "serious", "withheld",
    "failed", "title",
)  # fmt: skip
"""Of a row: key, case id, patient in words; suspect and other drugs, reactions (positions of names); per reaction the
outcome (position in ``OUTCOMES``) and the days to onset or null; pairs of drug, reaction, WHO-UMC (positions; -1:
not assessed); whether serious; whether withheld; number of failed checks; title of the article."""


class Table:
    """Rows in the order of the dataset."""

    def __init__(self) -> None:
        self._drugs: dict[str, int] = {}
        self._reactions: dict[str, int] = {}
        self._rows: list[list[Any]] = []
        self.withheld = 0

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, key: str, material: Material) -> None:
        """Add the row of a case."""
        case = material.case
        self.withheld += material.withheld
        drugs = {drug.id: _position(self._drugs, drug.name) for drug in case.drugs}
        reactions = {reaction.id: _position(self._reactions, reaction.term) for reaction in case.reactions}
        suspects = {drug.id for drug in case.drugs if drug.role in CAUSES}
        suspects |= {assessment.drug for assessment in case.assessments}
        self._rows.append(
            [
                key,
                spelled(case.case_id),
                words.patient(case),
                [position for drug, position in drugs.items() if drug in suspects],
                [position for drug, position in drugs.items() if drug not in suspects],
                list(reactions.values()),
                [OUTCOMES.index(reaction.outcome) for reaction in case.reactions],
                [_rounded(words.days(reaction.time_to_onset)) for reaction in case.reactions],
                [
                    [drugs[a.drug], reactions[a.reaction], WHO_UMC.index(a.who_umc) if a.who_umc else -1]
                    for a in case.assessments
                    if a.drug in drugs and a.reaction in reactions
                ],
                int(any(reaction.seriousness for reaction in case.reactions)),
                int(material.withheld),
                len(material.checks),
                spelled(material.article.title or ""),
            ]
        )

    def document(self) -> dict[str, Any]:
        """What ``cases.js`` holds."""
        return {
            "columns": COLUMNS,
            "outcomes": [words.plain(outcome) for outcome in OUTCOMES],
            "who_umc": WHO_UMC,
            "drugs": list(self._drugs),
            "reactions": list(self._reactions),
            "rows": self._rows,
        }


def _position(names: dict[str, int], name: str) -> int:
    return names.setdefault(spelled(name), len(names))


def _rounded(days: float | None) -> float | None:
    return None if days is None else round(days, 3)
