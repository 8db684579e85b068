"""Sentences and tokens of a report, as spans of code points.

Belongs here: where sentences and tokens begin and end.  Does not belong here: what they mean.  Both functions take time
linear in the length of the text; neither changes the text.
"""

import re
from functools import lru_cache

from pipeline.data import MAPPINGS, rows
from pipeline.records import Span

# Numbers keep their decimals and thousands ("0.5", "1,200"); letters keep the digits that follow ("CD34", "HbA1c"); so
# "10mg" gives "10", "mg" and "imatinib-induced" gives "imatinib", "-", "induced".
_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:\d+[^\W\d_]*)*|'s\b|\S")

# A sentence terminator with closing quotes or brackets, and a citation printed right after it (".[3,4]" or ".12"); the
# space behind it may have been lost ("… resolved.Our second patient").
_TERMINATOR = re.compile(
    r"(?<![.!?])[.!?]+[\"'”’)\]]*(?P<citation>\[\d[\d,–\- ]{0,30}\]|\d{1,3}(?:[,–-]\d{1,3}){0,6})?"
    r"(?=\s|$|(?<=[a-z]{3}[.])[A-Z][a-z]*\s)"
)
_LAST_WORD = re.compile(r"[^\s(\[\"'“‘/]+$")
_INITIAL = re.compile(r"(?:[A-Z]\.-?)*[A-Z]$")
_WORD_BEFORE = re.compile(r"(\w+)\s+\S+$")
_LONGEST = 2000  # code points of a sentence, about: what is longer is a table or a list
_SPACE = re.compile(r"\s")
_LOOK_BACK = 40  # code points of context before a full stop: longer than any abbreviation with the word before it


@lru_cache(maxsize=2)
def _words(name: str) -> dict[str, str]:
    """Lower-case word to rule, from ``mappings/text/<name>.tsv``, whose head explains the rules."""
    return {row[0]: row[1] for row in rows(MAPPINGS / "text" / f"{name}.tsv", 2)}


def tokens(text: str, start: int = 0, end: int | None = None) -> list[Span]:
    """Spans of the words, numbers and single marks in ``text[start:end]``, in order."""
    return [match.span() for match in _TOKEN.finditer(text, start, len(text) if end is None else end)]


def sentences(text: str) -> list[Span]:
    """Spans of the sentences, in order, without surrounding white space; every non-space character lies in one.

    A blank line ends a sentence; so does a line break that the width of the lines around it does not explain, before a
    capital or a digit: headings, titles and list items.  Any other line break is white space.  An endless sentence is
    cut at white space, so that what compares all parts of a sentence with each other stays linear in the text.
    """
    spans: list[Span] = []
    for start, end in _blocks(text):
        begin = start
        for match in _TERMINATOR.finditer(text, start, end):
            if match.end() < end and _ends_sentence(text, match, begin, end):
                _append(spans, text, begin, match.end())
                begin = match.end()
        _append(spans, text, begin, end)
    return spans


def _append(spans: list[Span], text: str, start: int, end: int) -> None:
    while end - start > _LONGEST and (space := _SPACE.search(text, start + _LONGEST, end)):
        _append(spans, text, start, space.start())
        start = space.end()
    piece = text[start:end]
    stripped = piece.strip()
    if stripped:
        left = start + len(piece) - len(piece.lstrip())
        spans.append((left, left + len(stripped)))


def _blocks(text: str) -> list[Span]:
    """Stretches of text between blank lines and deliberate line breaks."""
    blocks: list[Span] = []
    start = offset = before = 0
    lines = text.split("\n")
    for number, line in enumerate(lines):
        end = offset + len(line)
        following = lines[number + 1] if number + 1 < len(lines) else ""
        if not following.strip() or _is_deliberate_break(before, line, following):
            blocks.append((start, end))
            start = end + 1
        before, offset = len(line), end + 1
    return blocks


def _is_deliberate_break(before: int, line: str, following: str) -> bool:
    """Would the next word have fitted on this line?  Then the break is meant, not made by wrapping."""
    words = line[-_LOOK_BACK:].split()
    first = following.lstrip()[:_LOOK_BACK].split(None, 1)[0]
    if (
        not words
        or first[0].islower()
        or _words("sentence_words").get(words[-1].lower()) == "open"
        or words[-1][-1] in ",;-–/("
    ):
        return False
    return len(line) + 1 + len(first) <= 0.8 * max(before, len(following))


def _ends_sentence(text: str, match: re.Match[str], begin: int, end: int) -> bool:
    """Does the terminator end a sentence?  ``begin`` is where the sentence starts, ``end`` where its block ends."""
    stop = match.start()
    position = match.end()
    while position < end and text[position].isspace():
        position += 1
    if position == end:
        return True
    following = text[position]
    if following in "\"'“‘([" and position + 1 < end:
        following = text[position + 1]
    if following.islower() or (following in ",;:)]" and text[position] == following):
        return False
    if match["citation"] and not match["citation"].startswith("[") and not (stop > begin and text[stop - 1].isalpha()):
        return False  # a decimal: "… of .5 The"
    if text[stop] != ".":
        return True
    context = text[max(begin, stop - _LOOK_BACK) : stop]
    word = _LAST_WORD.search(context)
    if word is None:
        return True
    if position == match.end() and "." in word[0]:
        return False  # a web address
    rule = _words("abbreviations").get(word[0].lower())
    if rule == "never":
        return False
    if rule == "number":
        return not following.isdigit()
    if rule == "case":
        return not following.isdigit() and text[position] not in "(["
    if _INITIAL.match(word[0]) and context[: word.start()][-1:] != "/":  # "44 U/L." ends in a unit
        before = _WORD_BEFORE.search(context)
        return "." in word[0] or (before is not None and _words("sentence_words").get(before[1].lower()) == "lettered")
    return True
