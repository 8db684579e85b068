"""What the tests of the modules that fill a case share: a text, read, with a group per drug and per disorder."""

from dataclasses import dataclass

from pipeline.extraction import course, document
from pipeline.extraction.candidates import candidates
from pipeline.extraction.course import Event
from pipeline.extraction.document import Document, Sentence
from pipeline.extraction.groups import Group
from pipeline.extraction.zones import TOLD
from pipeline.records import Report
from pipeline.sources import find_sections


@dataclass(slots=True)
class Story:
    """A text of one patient; ``drugs`` and ``disorders`` hold one group per concept, by its key."""

    document: Document
    told: list[Sentence]
    events: list[Event]
    drugs: dict[str, Group]
    disorders: dict[str, Group]


def read(text: str) -> Story:
    """Reads a text."""
    whole = document.read(Report(report_id="r", text=text, sections=find_sections(text)))
    told = [s for s in whole.sentences if s.zone in TOLD]
    events = course.events(whole, told)
    found = candidates(whole, whole.sentences, events)
    drugs, disorders = (
        {c.key: Group([c], c.score) for c in found if c.semantic == semantic} for semantic in ("drug", "disorder")
    )
    return Story(whole, told, events, drugs, disorders)
