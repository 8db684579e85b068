"""From a report to what it says: mentions, drug-reaction pairs, cases.

``extract`` is pure: the same report gives the same extraction.  The steps, each in a module of its own and testable
alone: ``segment`` (sentences, tokens) → ``cues`` → ``zones`` and ``assertion`` → ``mentions`` (tagger, lexicon,
patterns) → ``document`` (all of it put together) → ``relations``, ``events``, ``candidates``, ``course`` → ``cases``.
Does not belong here: causality scores (``pipeline.assessment``).
"""

from functools import cache

from pipeline.data import lasting
from pipeline.records import Extraction, Report

__all__ = ["extract"]

_EXAMPLE = "A 5-year-old girl developed a rash after 10 mg of imatinib."


def extract(report: Report) -> Extraction:
    """Everything found in one report; cases come without Naranjo and WHO-UMC results.

    Linear in the length of the text.  Raises nothing of its own.
    """
    _load()
    return _extract(report)


@cache
def _load() -> None:
    """Read one sentence, which loads all that reading needs, once and for as long as the process lives."""
    with lasting():
        _extract(Report(report_id="", text=_EXAMPLE))


def _extract(report: Report) -> Extraction:
    from pipeline.extraction import cases, document

    read = document.read(report)
    return Extraction(
        id=report.report_id,
        mentions=read.mentions,
        pairs=read.pairs,
        cases=cases.assemble(read),
    )
