"""Bibliographic facts that a plain text states about itself.

Belongs here: reading DOI, PMID, PMCID, journal and title out of running text.  Does not belong here: XML metadata.
Reference lists are never looked at: their identifiers belong to other articles.
"""

import re

from pipeline.records import Article, Section

_FRONT = 1500
"""Characters at the beginning of a text in which identifiers are its own."""

_DOI = re.compile(r"(?i)(?:\bdoi\b[:\s]{0,3}|doi\.org/)(10\.\d{4,9}/[^\s\"<>\]]{1,120})")
_PMID = re.compile(r"\bPMID[:\s]{1,3}(\d{5,9})\b")
_PMCID = re.compile(r"\b(?:PMCID[:\s]{1,3})?(PMC\d{5,9})\b")
_SURNAMES = re.compile(r"((?:[A-Z][\w'’-]{1,30}(?:, and | and |, ))+[A-Z][\w'’-]{1,30}): (?=\S)")
_JOURNAL = re.compile(r"Journal List\s*>\s*+([^>\n]{2,80}?)\s*>")

# The sign is what every match contains; looking for it first is a hundred times faster than the pattern.
_FACTS = (("doi", "10.", _DOI), ("pmid", "PM", _PMID), ("pmcid", "PMC", _PMCID), ("journal", "Journal List", _JOURNAL))


def doi(text: str) -> str | None:
    """Return the DOI in ``text`` without resolver, label and closing punctuation, lower case (DOIs ignore case)."""
    match = re.search(r"10\.\d{4,9}/[^\s\"<>\]]+", text)
    return match.group().rstrip(".,;:").lower() if match else None


def stated(text: str, sections: list[Section]) -> Article:
    """Return what ``text`` says about itself in its first lines, furniture and title section."""
    own = [text[s.start : s.end] for s in sections if s.kind == "furniture" or (s.start < _FRONT and _fronts(s))]
    own = [part[:_FRONT] for part in own]
    title = next((" ".join(text[s.start : s.end].split()) for s in sections if s.kind == "title"), None)
    authors: list[str] = []
    if title and (match := _SURNAMES.match(title)):
        authors, title = re.split(r", and | and |, ", match.group(1)), title[match.end() :]
    found = {}
    for name, sign, pattern in _FACTS:
        matches = (pattern.search(part) for part in own if sign in part)
        found[name] = next((match.group(1) for match in matches if match), None)
    return Article(
        title=title,
        doi=doi(found["doi"]) if found["doi"] else None,
        pmid=found["pmid"],
        pmcid=found["pmcid"],
        journal=found["journal"],
        authors=authors,
    )


def _fronts(section: Section) -> bool:
    return section.kind not in ("references", "caption", "table")
