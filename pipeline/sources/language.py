"""Tells reports that are not in English, without a model: function words, and letters of other scripts.

Belongs here: the guess and the names of language codes.  Does not belong here: what is done about it.
The words are ``mappings/sources/languages.tsv``.  The guess is made to be silent when in doubt: a title, a sentence or
an English report with foreign names never has enough foreign function words.
"""

import re
import unicodedata
from collections import Counter
from functools import cache

from pipeline.data import MAPPINGS, rows
from pipeline.errors import BadInput

_LOOKED_AT = 4000
_ENOUGH_ENGLISH = 0.12
_HITS, _DISTINCT, _TIMES_ENGLISH = 8, 5, 3
_LETTERS, _SHARE = 60, 0.5
_WORD = re.compile(r"[^\W\d_]+")
_SCRIPTS = {
    "CYRILLIC": "Russian or another language in Cyrillic script",
    "GREEK": "Greek",
    "CJK": "Chinese or Japanese",
    "HIRAGANA": "Japanese",
    "KATAKANA": "Japanese",
    "HANGUL": "Korean",
    "ARABIC": "Arabic or Persian",
    "HEBREW": "Hebrew",
    "THAI": "Thai",
    "DEVANAGARI": "Hindi",
}


@cache
def _table() -> tuple[dict[str, str], dict[str, str], dict[str, frozenset[str]]]:
    """Return codes of two and three letters to two, codes to names, names to function words."""
    codes: dict[str, str] = {}
    names: dict[str, str] = {}
    words: dict[str, frozenset[str]] = {}
    for code, longer, name, functions in rows(MAPPINGS / "sources" / "languages.tsv", 4):
        codes |= dict.fromkeys([code, *longer.split("|")], code)
        names[code] = name
        words[name] = frozenset(functions.split())
    return codes, names, words


def code(stated: str | None) -> str | None:
    """Return the ISO 639-1 code of a stated language (``"eng"``, ``"en-US"`` → ``"en"``); an unknown one as it is."""
    if not stated or not stated.strip():
        return None
    primary = stated.strip().lower().replace("_", "-").split("-")[0]
    return _table()[0].get(primary, primary)


def foreign(text: str) -> str | None:
    """Return the name of the language of ``text`` if it is certainly not English, else ``None``."""
    table = _table()[2]
    beginning = text[:_LOOKED_AT].lower()
    blanks = beginning.split()
    if sum(map(table["English"].__contains__, blanks)) > _ENOUGH_ENGLISH * len(blanks):
        return None
    words = _WORD.findall(beginning)
    english = sum(map(table["English"].__contains__, words))
    counts = Counter(words)
    best, hits, distinct = "", 0, 0
    for name, functions in table.items():
        found = counts.keys() & functions
        total = sum(counts[word] for word in found)
        if name != "English" and total > hits:
            best, hits, distinct = name, total, len(found)
    if hits >= _HITS and distinct >= _DISTINCT and hits > _TIMES_ENGLISH * english:
        return best
    letters = [character for word in words for character in word if character > "\u0370"]
    if len(letters) >= _LETTERS and len(letters) > _SHARE * sum(map(len, words)):
        script = Counter(unicodedata.name(character, "?").split()[0] for character in letters).most_common(1)[0][0]
        return _SCRIPTS.get(script)
    return None


def require_english(text: str) -> None:
    """Raise BadInput (``not-english``), naming the language guessed, unless ``text`` may be English."""
    if name := foreign(text):
        raise BadInput(
            f"The text seems to be {name}; case2fhir reads English reports. Translate it, or leave it out.",
            reason="not-english",
        )
