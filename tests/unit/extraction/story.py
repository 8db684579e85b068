"""What the tests of the modules that fill a case share: a text, read, with its events and its drugs and disorders."""

from dataclasses import dataclass

from pipeline.extraction import document, events
from pipeline.extraction.candidates import candidates
from pipeline.extraction.document import Document, Sentence
from pipeline.extraction.events import Event
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
    happened = events.find(whole, told)
    found = candidates(whole, whole.sentences, happened)
    drugs, disorders = (
        {c.key: Group([c], c.score) for c in found if c.semantic == semantic} for semantic in ("drug", "disorder")
    )
    return Story(whole, told, happened, drugs, disorders)


def events_of(text: str) -> list[Event]:
    """The events of a text, all of it the case."""
    whole = document.read(Report(report_id="r", text=text))
    for sentence in whole.sentences:
        sentence.zone = "case"
    return events.find(whole, whole.sentences)
