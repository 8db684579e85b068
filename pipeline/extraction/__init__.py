"""From a report to what it says: mentions, drug-reaction pairs, cases.

``extract`` is pure: the same report gives the same extraction.  The steps, each in a module of its own and testable
alone: ``segment`` (sentences, tokens) → ``cues`` → ``zones`` and ``assertion`` → ``mentions`` (tagger, lexicon,
patterns) → ``document`` (all of it put together) → ``relations``, ``course``, ``candidates`` → ``cases``.  Does not
belong here: causality scores (``pipeline.assessment``).
"""

from pipeline.records import Extraction, Report

__all__ = ["extract"]


def extract(report: Report) -> Extraction:
    """Everything found in one report; cases come without Naranjo and WHO-UMC results.

    Linear in the length of the text.  Raises nothing of its own.
    """
    from pipeline.extraction import cases, document

    read = document.read(report)
    return Extraction(
        id=report.report_id,
        mentions=read.mentions,
        pairs=read.pairs,
        cases=cases.assemble(read),
    )
