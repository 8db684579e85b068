"""The table of docs/loading.md: questions to a server, and what it answers for the dataset of ``seeds/``.

The documentation is the specification: the tests read it, ask, and compare; ``make golden`` puts the answers right.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

PAGE = Path(__file__).parents[2] / "docs" / "loading.md"
_ROW = re.compile(r"^\| (?P<question>[^|]+?) \| `(?P<query>(?:[^`|]|\\\|)+)` \| (?P<answer>.*) \|$", re.MULTILINE)


class Question(NamedTuple):
    """One line of the table; ``query`` as it is sent."""

    words: str
    query: str
    answer: str


def questions() -> list[Question]:
    """The lines of the table."""
    page = PAGE.read_text(encoding="utf-8")
    return [Question(row["question"], row["query"].replace(r"\|", "|"), row["answer"]) for row in _ROW.finditer(page)]


def answer(found: Mapping[str, Any]) -> str:
    """How many resources a Bundle brings, and which, in the words of the table."""
    if "entry" not in found:
        return str(found["total"])
    return f"{len(found['entry'])}: " + ", ".join(sorted(_name(entry["resource"]) for entry in found["entry"]))


def _name(resource: Mapping[str, Any]) -> str:
    match resource:
        case {"resourceType": "AdverseEvent", "event": {"text": words}}:
            pass
        case {"resourceType": "Condition", "code": {"text": words}}:
            pass
        case {"resourceType": "DocumentReference", "description": words}:
            pass
        case {"resourceType": "MedicationStatement", "medicationCodeableConcept": {"text": medicine}, "status": status}:
            words = f"{medicine}, {status}"
        case _:
            return str(resource["resourceType"])
    return f"{resource['resourceType']} ({words})"


def rewrite(answers: Mapping[str, str]) -> None:
    """Write other answers into the table; ``answers`` by query."""

    def row(found: re.Match[str]) -> str:
        said = answers[found["query"].replace(r"\|", "|")]
        return f"| {found['question']} | `{found['query']}` | {said} |"

    PAGE.write_text(_ROW.sub(row, PAGE.read_text(encoding="utf-8")), encoding="utf-8")
