"""Finds abbreviations that a text defines itself: "erythema multiforme (EM)", "EM (erythema multiforme)".

Belongs here: the pairing of short and long forms (Schwartz and Hearst, Pac Symp Biocomput 2003, with the first-letter
rule).  Does not belong here: abbreviations everybody knows, which are lexicon entries.
"""

import re
from typing import NamedTuple

from pipeline.records import Span

_BRACKET = re.compile(r"[(\[]\s*+([^()\[\];,:]{2,80}?)\s*[)\];,:]")
_SHORT = re.compile(r"(?=[^\s]*[A-Z0-9])[A-Za-z0-9][A-Za-z0-9/.+-]{1,9}s?")
_MAX_WORDS_BEFORE = 12


class Abbreviation(NamedTuple):
    """A short form and the place of its long form: ``text[long[0]:long[1]]``."""

    short: str
    long: Span


def find(text: str) -> list[Abbreviation]:
    """Definitions in the order of the text; linear in its length."""
    found: list[Abbreviation] = []
    for match in _BRACKET.finditer(text):
        inside = match.group(1)
        if _SHORT.fullmatch(inside) and sum(c.isupper() for c in inside) * 2 >= sum(c.isalpha() for c in inside):
            window = text[max(0, match.start() - 160) : match.start()].rstrip()
            words = window.split(" ")[-min(_MAX_WORDS_BEFORE, 2 * len(inside) + 2) :]
            start = _long_form(inside.rstrip("s") if inside[-1:] == "s" else inside, " ".join(words))
            if start is not None:
                end = max(0, match.start() - 160) + len(window)
                found.append(Abbreviation(inside, (end - len(" ".join(words)) + start, end)))
        elif " " in inside:
            before = re.search(r"([A-Z][A-Za-z0-9-]{1,9})\s*$", text[max(0, match.start() - 12) : match.start()])
            if before and before.group(1).isupper():
                start = _long_form(before.group(1), inside)
                if start == 0:
                    found.append(Abbreviation(before.group(1), match.span(1)))
    return found


def _long_form(short: str, text: str) -> int | None:
    """Where the long form of ``short`` begins in ``text``, which ends with it; ``None`` if the letters do not match."""
    letters = [c.lower() for c in short if c.isalnum()]
    folded = text.lower()
    at = len(folded)
    for position in range(len(letters) - 1, -1, -1):
        at -= 1
        while at >= 0 and (folded[at] != letters[position] or (position == 0 and at > 0 and folded[at - 1].isalnum())):
            at -= 1
        if at < 0:
            return None
    long_form = text[at:]
    if len(long_form) <= len(short) + 1 or short.lower() in long_form.lower().split():
        return None
    return at
