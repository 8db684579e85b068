"""Plain text files: encodings, control characters, hard-wrapped lines.

Belongs here: turning the bytes of one text file into clean text.  Does not belong here: what parts of the text are
(``find_sections``).  Nothing readable is removed: page clutter stays in the text.
"""

import codecs
import itertools
import re
import statistics
from functools import cache

from charset_normalizer import from_bytes

from pipeline.data import MAPPINGS
from pipeline.errors import BadInput
from pipeline.sources import limits

_STRAY = 0.15  # share of bytes that are not UTF-8 in English text in a western encoding: quotes, dashes, degrees
_CONTROL_SHARE = 0.02
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CONTROL_BYTES = bytes(set(range(32)) - {9, 10, 11, 12, 13, 0x1A, 0x1B}) + b"\x7f"

_UNSEEN: dict[int, str | None] = {
    **dict.fromkeys([*range(9), *range(14, 32), *range(0x7F, 0xA0), 0xAD], None),
    **dict.fromkeys([0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF], None),
    **dict.fromkeys([0x2028, 0x85], "\n"),
    **dict.fromkeys([0x0C, 0x2029], "\n\n"),
    0x0B: "\n",
    **dict.fromkeys([0xA0, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000], " "),
    0xFB00: "ff", 0xFB01: "fi", 0xFB02: "fl", 0xFB03: "ffi", 0xFB04: "ffl", 0xFB05: "st", 0xFB06: "st",
}  # fmt: skip

# Looking for the few first is far faster than str.translate over every character.
_UNSEEN_ANY = re.compile("[" + "".join(f"\\U{point:08x}" for point in _UNSEEN) + "]")

# Lines that open something of their own and are never joined to the line before.
_OPENS = re.compile(
    r"(?:[-•*·▪–]\s|\(?\d{1,3}[.)\]]\s|\[\d|(?:Fig|Figure|Table|Scheme)s?\b\.?\s*\d|[A-Z][A-Z &/,'-]{3,60}:?$"
    r"|[A-Z][A-Z &/]{2,40}:\s|#)"
)
_SENTENCE_END = (".", "!", "?", ":", ";", '"', "”", ")")
_NARROW, _WIDE = 30, 160


def _as_cp1252(error: UnicodeError) -> tuple[str, int]:
    """Decode the bytes that are not UTF-8 one by one as cp1252, else latin-1."""
    assert isinstance(error, UnicodeDecodeError)
    raw = error.object[error.start : error.end]
    try:
        return raw.decode("cp1252"), error.end
    except UnicodeDecodeError:
        return raw.decode("latin-1"), error.end


codecs.register_error("case2fhir-cp1252", _as_cp1252)


def decode(data: bytes) -> str:
    """Return the text of ``data`` in the encoding it seems to be in.

    A byte order mark or the position of zero bytes tells UTF-16 and UTF-32; else UTF-8; else, where few bytes are not
    UTF-8, those are taken for cp1252 or latin-1; else what charset-normalizer finds.
    Raises BadInput: ``binary`` (zero bytes or control characters no text has), ``not-text`` (no encoding fits).
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _decode(data[len(mark) :], encoding)
    if b"\0" in data:
        return _decode(data, _wide(data))
    if len(data) - len(data.translate(None, _CONTROL_BYTES)) > _CONTROL_SHARE * len(data):
        raise BadInput("Expected text; this is binary data.", reason="binary")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("utf-8", "case2fhir-cp1252")
        if len(text) - len(data.decode("utf-8", "ignore")) <= _STRAY * len(data):
            return text
    best = from_bytes(data[: limits.CHUNK]).best()
    if best is None:
        raise BadInput("The text is in no known encoding; save it as UTF-8.", reason="not-text")
    return _decode(data, best.encoding)


def _decode(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise BadInput(
            f"The text is not the {encoding} it begins as; save it as UTF-8.",
            reason="not-text",
            place=f"byte {error.start}",
        ) from error


def _wide(data: bytes) -> str:
    """Return which UTF-16 or UTF-32 the zero bytes of ``data`` speak for. English has one in every second byte."""
    sample = data[: limits.HEAD]
    quarters = [sample[i::4].count(0) / max(1, len(sample[i::4])) for i in range(4)]
    for encoding, zeros in (
        ("utf-32-le", (False, True, True, True)),
        ("utf-32-be", (True, True, True, False)),
        ("utf-16-le", (False, True, False, True)),
        ("utf-16-be", (True, False, True, False)),
    ):
        if all(share > 0.7 if zero else share < 0.05 for share, zero in zip(quarters, zeros, strict=True)):
            return encoding
    raise BadInput("Expected text; this is binary data.", reason="binary")


def clean(raw: str) -> str:
    """Return ``raw`` with plain line ends and blanks, without control and invisible characters, unwrapped, trimmed."""
    text = raw.replace("\r\n", "\n").replace("\r", "\n")
    if not text.isascii() or not text.replace("\n", "").replace("\t", "").isprintable():
        text = _UNSEEN_ANY.sub(lambda found: _UNSEEN[ord(found.group())] or "", text)
    return unwrap(text).strip()


@cache
def _hyphenated() -> frozenset[str]:
    lines = (MAPPINGS / "sources" / "hyphenated.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def unwrap(text: str) -> str:
    """Join lines that were broken to fit a width back into paragraphs; other line breaks stay.

    A text counts as wrapped when its longer lines are about equally long.  A line is then joined to the one before if
    that one had no room for its first word, or if it goes on in lower case; rows of tables stay apart.  A word
    hyphenated at the line end is rejoined; the hyphen stays where the word is a compound.
    """
    if text.count("\n") < 2:
        return text
    lines = [line.rstrip() if _is_row(line) else line.strip() for line in text.split("\n")]
    width = _width(lines)
    if width is None:
        return "\n".join(lines)
    joined: list[str] = []
    before = ""  # the line before as it stood in the file
    for line in lines:
        if before and line and _may_join(before, line) and _continues(before, line, width):
            joined[-1] = _join(joined[-1], line, text)
        else:
            joined.append(line)
        before = line
    return "\n".join(joined)


def _may_join(before: str, line: str) -> bool:
    """Return whether neither line is a row of a table, and the second opens nothing of its own."""
    return not (_OPENS.match(line) or _is_row(line) or _is_row(before))


def _is_row(line: str) -> bool:
    """Return whether tabs or bars part a line into cells."""
    return "\t" in line.strip() or line.count("|") > 1


def _width(lines: list[str]) -> int | None:
    """Return the width a text was wrapped to, or ``None`` where it was not."""
    inner = [len(line) for line, after in itertools.pairwise(lines) if line and after]
    if len(inner) < 2:
        return None
    width = int(statistics.quantiles(inner, n=10, method="inclusive")[8])
    near = sum(0.75 * width <= length <= width * 1.1 for length in inner)
    return width if _NARROW <= width <= _WIDE and near >= 0.5 * len(inner) else None


def _continues(before: str, line: str, width: int) -> bool:
    if line[0].islower() and not before.endswith(_SENTENCE_END[:4]):
        return len(before) > width // 3
    room = width - len(before)
    return len(line.split(maxsplit=1)[0]) + 1 > room - 2 and len(before) >= 0.6 * width


def _join(before: str, line: str, text: str) -> str:
    if not (before.endswith("-") and len(before) > 1 and before[-2].isalnum()):
        return f"{before} {line}"
    if not line[0].islower():
        return before + line
    left = before[:-1].rsplit(maxsplit=1)[-1]
    right = re.match(r"\w+", line)
    compound = f"{left}-{right.group() if right else ''}"
    keep = "-" in left or left.lower() in _hyphenated() or not left.isalpha() or compound in text
    return (before if keep else before[:-1]) + line
