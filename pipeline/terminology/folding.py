"""Folds text for comparison, one byte per code point, and generates the spellings under which a name is looked for.

Belongs here: how two spellings of one name are made equal.  Does not belong here: the names.

``fold`` keeps lengths, so an offset into the folded bytes is a code point offset into the text: lower case, accents
and ligatures stripped (``œdema`` → ``edema``), Greek letters as their Latin initial (``TNF-α`` → ``tnf a``), and every
character that is neither letter nor digit as a space.  Hyphen, slash, apostrophe and line break thus all equal a space;
a comma followed by a space makes two spaces and joins nothing.
"""

import codecs
import re
import unicodedata
from functools import cache

from pipeline.data import MAPPINGS, rows

_GREEK = dict(zip("αβγδεζικλμνπρσςτφχω", "abgdeziklunprsstfxo", strict=True))
_LIGATURES = {"ß": "s", "æ": "e", "œ": "e", "ø": "o", "ð": "d", "þ": "t", "ł": "l", "đ": "d", "ı": "i", "µ": "u"}
_SPACE = ord(" ")
_OTHER_LETTER = 0xFF
"""Stands for every letter that has no Latin likeness; occurs in no name, but is no word boundary either."""


def _fold_character(character: str) -> int:
    lowered = character.lower()[0]
    decomposed = unicodedata.normalize("NFKD", lowered)
    latin = _GREEK.get(decomposed) or _LIGATURES.get(lowered) or decomposed[0]
    if unicodedata.decomposition(character).startswith(("<super>", "<fraction>")):
        return _SPACE  # a footnote mark is not part of the word before it
    if latin.isascii():
        return ord(latin) if latin.isalnum() else _SPACE
    return _OTHER_LETTER if character.isalnum() or unicodedata.category(character)[0] == "M" else _SPACE


_LATIN1 = bytes(_fold_character(chr(code)) for code in range(256))
# What the error handler returns passes through this table too: it maps ASCII letters, space and 0xFF to themselves.
_LATIN1 = _LATIN1[:_OTHER_LETTER] + bytes([_OTHER_LETTER])
_fold_cached = cache(_fold_character)


def _fold_beyond_latin1(error: UnicodeError) -> tuple[bytes, int]:
    assert isinstance(error, UnicodeEncodeError)
    return bytes(map(_fold_cached, error.object[error.start : error.end])), error.end


codecs.register_error("case2fhir.fold", _fold_beyond_latin1)


def fold(text: str) -> bytes:
    """``text`` folded for comparison; ``len(fold(text)) == len(text)``. Lone surrogates fold to a space."""
    return text.encode("latin-1", "case2fhir.fold").translate(_LATIN1)


def fold_name(name: str) -> str:
    """The form of a name that is searched in folded text: folded, without space at either end."""
    if name.isascii() and name.isalpha():
        return name.lower()
    return fold(name).decode("latin-1").strip()


_CONTEXT = re.compile(r"\(\?<?[=!].*?\)|\\b|\(\?:.*?\)|\[.*?\]")
_LITERAL = re.compile(r"[a-z]+")


def _read_spellings() -> list[tuple[str, re.Pattern[str], list[str]]]:
    """``mappings/spelling_variants.tsv``: a literal to look for first, a regular expression, replacements."""
    rules = []
    for pattern, replacements in rows(MAPPINGS / "spelling_variants.tsv", 2):
        literal = max(_LITERAL.findall(_CONTEXT.sub(" ", pattern)), key=len, default="")
        rules.append((literal, re.compile(pattern), replacements.split("|")))
    return rules


_rules = cache(_read_spellings)


def spellings(name: str, limit: int = 16) -> list[str]:
    """A folded name and its other spellings, the name itself first: British and American, Greek letters, ``-in(e)``.

    At most ``limit`` forms; each rule is applied to all its matches in the name or to none.
    """
    active = [rule for rule in _rules() if rule[0] in name]
    if not active:
        return [name]
    forms = {name: None}
    for _, pattern, replacements in active:
        for form in [form for form in forms if pattern.search(form)]:
            for replacement in replacements:
                forms.setdefault(pattern.sub(replacement, form))
    return list(forms)[:limit]


_PLURALS = (
    (re.compile(r"(?<=[^aeiou ])y$"), "ies"),  # neuropathy
    (re.compile(r"sis$"), "ses"),  # thrombosis
    (re.compile(r"itis$"), "itides"),  # arthritis
    (re.compile(r"(?<=om)a$"), "ata"),  # lymphoma: lymphomas needs no rule
    (re.compile(r"(?<=x)$|(?<=ss)$|(?<=[cs]h)$"), "es"),  # rash, abscess
)
_PLURAL_ENDINGS = ("y", "sis", "itis", "oma", "x", "ss", "ch", "sh")


def plurals(name: str) -> list[str]:
    """Plurals of a folded name that are not made by adding ``s`` (matching allows that everywhere)."""
    if not name.endswith(_PLURAL_ENDINGS):
        return []
    return [pattern.sub(ending, name) for pattern, ending in _PLURALS if pattern.search(name)]


def singulars(name: str) -> list[str]:
    """Singular forms that a folded plural may have, most likely first; empty for a name that cannot be one."""
    forms = []
    if name.endswith("ies"):
        forms.append(name[:-3] + "y")
    if name.endswith("ses"):
        forms.append(name[:-2] + "is")
    if name.endswith("itides"):
        forms.append(name[:-4] + "is")
    if name.endswith("omata"):
        forms.append(name[:-2])
    if name.endswith("es"):
        forms.append(name[:-2])
    if name.endswith("s") and not name.endswith(("ss", "us", "is")):
        forms.append(name[:-1])
    return forms
