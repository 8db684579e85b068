"""Marks the parts of a text: title, headed sections, captions, reference lists, page furniture.

Belongs here: recognising parts by headings and line shapes, for texts without structure of their own.  Does not belong
here: changing the text.  Sections come out in order, do not overlap, and together cover every character but white
space; a stretch without a heading is ``body``.  Titles are ``mappings/sources/section_titles.tsv``, page furniture is
``mappings/sources/clutter.tsv``.
"""

import itertools
import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import cache
from typing import get_args

import re2

from pipeline.data import MAPPINGS, rows
from pipeline.records import Section, SectionKind

_HEADING = 80  # characters a heading on its own line may have
_LONG = 1500  # a longer line is an article without line breaks: headings in it reach beyond their line
_TITLE = 300
_CLUTTER = 1000

_NUMBERING = re.compile(
    r"^(?:#{1,6}\s*)?(?:(?:\d{1,2}(?:\.\d{1,2}){0,3}|[IVX]{1,5}|[A-Z])[.)]\s*|\d{1,2}(?:\.\d{1,2}){0,3}\s+)"
)
_COUNTER = re.compile(r" (?:no\.? ?|number |# ?)?(?:\d{1,2}|[ivx]{1,4}|[a-h]|one|two|three|four|five|six)$")
_ANY_SIGN = re.compile(r"[\n:–—]|  | - |Fig|FIG|Table|TABLE|[A-Z]{4}")
_LINE = re.compile(r"[^\n]+")

# A heading inside running text stands at a boundary: the start, a sentence end or a gap.
_BOUNDARY = r"(?:^|[.!?\])\"”;]\s|[.!?\])]\d\s|\s\s)"
_LABEL = re.compile(_BOUNDARY + r"\s*([A-Z][A-Za-z/&,'’ -]{2,50}(?: \d{1,2})?)\s?$")
_LABEL_LENGTH = 60
_LABEL_SIGN = re.compile(r"[:–—-]")
_SHOUTED = re.compile(r"[A-Z][A-Z][A-Z/&,'’ -]{2,60}(?=\s)")
_AT_BOUNDARY = re.compile(_BOUNDARY + r"$")

_FIGURE = re.compile(
    r"(?:Supplementary |Suppl\. ?)?(?:Fig(?:ure)?s?|FIG(?:URE)?S?|Table|TABLE|Scheme|Plate|Photo|Image|Chart|Box|Video)"
    r"\.?\s{0,2}(?:\d{1,3}|[IVX]{1,4}\b)[A-Za-z]?(?![\w%])\s{0,2}[.:|–—-]?\s{0,3}"
)
_IN_SENTENCE = re.compile(
    r"(?:[a-z]+s|and|or|to|is|was|are|were|has|have|demonstrated|showed|in|for|of|with|illustrate|depict|show|present)\b"
    r"|[,;)&]"
)
_PANEL = re.compile(
    r"\(?[A-Ha-h](?:\s?[-–,&]\s?[A-Ha-h])?[).:]\s|(?:Arrows?|Arrowheads?|Scale bar|Original magnification|Bar)\b|\.\.\."
)
_STOP = re.compile(r"[.!?…][\])\"”]?\s+(?=[A-Z(\[])|\n")
_ABBREVIATION = re.compile(r"(?:\b(?:Fig|Figs|et al|e\.g|i\.e|vs|Dr|No|approx|ca|cf|resp|Ref)|\b[A-Z])\.$")
_RUNNING_FIGURE = re.compile(r"(?:Fig|FIG|Table|TABLE)(?:ure|URE)?\.?\s?\d{1,2}[A-Z]?[.:]?\s+[A-Z(]")
_AFTER_SENTENCE = re.compile(r"[.!?…][)\]]?\s+$")

_REFERENCE = re.compile(r"(?:\[?\d{1,3}[\].)]|\d{1,3}\s)\s*\S")
_PUBLISHED = re.compile(r"(?:19|20)\d\d")
_NARRATIVE = re.compile(
    r"^An?\s\d|\bis (?:described|reported|presented)\b"
    r"|\b(?:was|were|had|presented|developed|received|we|he|she|his|her|our|underwent|showed|revealed|admitted)\b"
    r"|\b\d{1,3}[- ](?:year|month|week|day)s?[- ]old\b.*\b(?:who|with|presents?)\b.*\.$"
)


@cache
def _titles() -> tuple[dict[str, SectionKind], tuple[tuple[str, SectionKind], ...]]:
    exact: dict[str, SectionKind] = {}
    prefixes: list[tuple[str, SectionKind]] = []
    for title, kind in rows(MAPPINGS / "sources" / "section_titles.tsv", 2):
        known: SectionKind = next(value for value in get_args(SectionKind) if value == kind)
        if title.endswith("*"):
            prefixes.append((title[:-1], known))
        else:
            exact[title] = known
    return exact, tuple(sorted(prefixes, key=lambda row: -len(row[0])))


@cache
def _clutter() -> "re2._Regexp[bytes]":
    patterns = [row[0] for row in rows(MAPPINGS / "sources" / "clutter.tsv")]
    options = re2.Options()
    options.case_sensitive = False
    options.max_mem = 64 << 20
    return re2.compile("|".join(f"(?:{pattern})" for pattern in patterns), options)


def is_clutter(line: str) -> bool:
    """Tell whether a whole line (trimmed) is page furniture: navigation, tools, footers, file names."""
    return bool(_clutter().fullmatch(line))


def kind_of_title(title: str, *, exact: bool = False) -> SectionKind | None:
    """Return the kind of section that ``title`` opens, ``None`` if the table does not know it.

    ``exact`` leaves out the rows that match any heading beginning so.
    """
    name = " ".join(_NUMBERING.sub("", title.strip()).replace("’", "'").split()).strip(" .:;-–—*").lower()
    known, prefixes = _titles()
    for candidate in (name, _COUNTER.sub("", name).strip(" :.-")):
        if candidate in known:
            return known[candidate]
    if not exact:
        for prefix, kind in prefixes:
            if name.startswith(prefix):
                return kind
        head = re.split(r" ?[:–—] ", name, maxsplit=1)[0]
        if head != name:
            return kind_of_title(head, exact=True)
    return None


@dataclass
class _Mark:
    start: int
    end: int
    kind: SectionKind
    title: str | None = None


def find_sections(text: str) -> list[Section]:
    """Return the sections of a text without mark-up. Never raises; takes time linear in the text."""
    if len(text) < _TITLE and not text.isupper() and not _ANY_SIGN.search(text):
        return _compose(text, [_Mark(0, len(text), "body")], [])
    lines = [
        (m.start() + len(m.group()) - len(m.group().lstrip()), m.start() + len(m.group().rstrip()))
        for m in _LINE.finditer(text)
        if m.group().strip()
    ]
    overlays = _furniture(text, lines)
    claimed = {mark.start for mark in overlays}
    title = _title(text, lines, claimed)
    if title:
        overlays.append(title)
        claimed.add(title.start)
    heads = _headings(text, lines, claimed)
    zones = _zones(text, lines, heads)
    overlays += _captions(text, lines, claimed | {head.start for head in heads}, zones)
    overlays += _tables(text, lines)
    overlays += _numbered_references(text, lines, zones)
    _front_matter(text, zones, overlays)
    return _compose(text, zones, overlays)


def split_headings(text: str, kind: SectionKind) -> list[Section]:
    """Return the sections that inline headings open in ``text``, the rest being ``kind`` (abstracts without labels)."""
    marks = _inline(text, 0, len(text))
    starts = [_Mark(0, 0, kind)] if not marks or marks[0].start else []
    marks = starts + marks
    for mark, after in zip(marks, [*marks[1:], _Mark(len(text), 0, kind)], strict=True):
        mark.end = after.start
    return _compose(text, marks, [])


def with_inline_headings(text: str, sections: list[Section], loose: list[tuple[int, int]]) -> list[Section]:
    """Return ``sections`` with those inside the stretches ``loose`` (abstracts without mark-up) told by their words."""
    for start, end in loose:
        inner = [
            Section(kind=s.kind, start=s.start + start, end=s.end + start, title=s.title)
            for s in split_headings(text[start:end], "abstract")
        ]
        sections = [s for s in sections if not (s.start >= start and s.end <= end)] + inner
    return sorted(sections, key=lambda section: section.start)


def _furniture(text: str, lines: list[tuple[int, int]]) -> list[_Mark]:
    if len(lines) == 1:
        return []
    return [
        _Mark(start, end, "furniture")
        for start, end in lines
        if end - start <= _CLUTTER and is_clutter(text[start:end])
    ]


def _title(text: str, lines: list[tuple[int, int]], claimed: set[int]) -> _Mark | None:
    """The first line that is not furniture, if it is short, tells no story and is followed by a longer line."""
    candidates = [(i, span) for i, span in enumerate(lines[:8]) if span[0] not in claimed]
    for i, (start, end) in candidates[:2]:
        line = text[start:end]
        if (
            len(line) <= _HEADING
            and kind_of_title(line)
            and (":" not in line.rstrip(":") or kind_of_title(line, exact=True))
        ):
            continue  # the article type above the title
        rest = lines[i + 1 :]
        if not rest or len(line) > _TITLE or _NARRATIVE.search(line) or _FIGURE.match(line):
            return None
        longer = any(after_end - after_start > min(len(line), 80) for after_start, after_end in rest[:4])
        if longer and (not line.endswith((":", ",", ";")) and len(line.split()) > 1):
            return _Mark(start, end, "title")
        return None
    return None


def _headings(text: str, lines: list[tuple[int, int]], claimed: set[int]) -> list[_Mark]:
    """Headings with ``end`` at the end of their line if the heading reaches no further, else at -1."""
    heads: list[_Mark] = []
    for start, end in lines:
        line = text[start:end]
        if start in claimed:
            # The clutter pattern may also be a heading ("Conflict of interest"): then it opens a section.
            kind = kind_of_title(line, exact=True) if len(line) <= _HEADING else None
            if kind:
                heads.append(_Mark(start, -1, kind, _label(line)))
            continue
        if (
            len(line) <= _HEADING
            and not line.endswith((".", ",", ";"))
            and (line[0].isupper() or line[0] in "0123456789#")
        ):
            kind = kind_of_title(line, exact=len(line.split()) > 8)
            if kind and not (":" in line[:-1] and kind_of_title(line, exact=True) is None):
                heads.append(_Mark(start, -1, kind, _label(line)))
                continue
        for mark in _inline(text, start, end):
            if mark.kind in ("furniture", "references", "caption") and len(line) <= _LONG:
                mark.end = end
            else:
                mark.end = -1
            heads.append(mark)
    return heads


def _inline(text: str, start: int, end: int) -> list[_Mark]:
    line = text[start:end]
    found: dict[int, _Mark] = {}
    for sign in _LABEL_SIGN.finditer(line):
        if sign.group() == "-" and not (
            line[sign.start() - 1 : sign.start()] == " " == line[sign.end() : sign.end() + 1]
        ):
            continue
        match = _LABEL.search(line, max(0, sign.start() - _LABEL_LENGTH), sign.start())
        if match is None or (sign.group() != ":" and not match.group(1).isupper()):
            continue
        if kind := kind_of_title(match.group(1), exact=True):
            found[match.start(1)] = _Mark(start + match.start(1), -1, kind, _label(match.group(1)))
    for match in _SHOUTED.finditer(line):
        if match.start() in found or not _AT_BOUNDARY.search(line, max(0, match.start() - 4), match.start()):
            continue
        words = match.group().split()
        for count in range(min(len(words), 5), 0, -1):
            name = " ".join(words[:count])
            if len(words[count - 1]) > 1 and (kind := kind_of_title(name, exact=True)):
                if _opens(line[match.start() + len(name) : match.start() + len(name) + 20].lstrip()):
                    found[match.start()] = _Mark(start + match.start(), -1, kind, name)
                break
    return [found[key] for key in sorted(found)]


def _opens(after: str) -> bool:
    """Tell whether a capitalised sentence, a number or a list follows."""
    return bool(after) and (after[0].isdigit() or after[0] in '[(“"•' or after[0].isupper())


def _label(line: str) -> str:
    return line.strip().rstrip(":").strip()


def _zones(text: str, lines: list[tuple[int, int]], heads: list[_Mark]) -> list[_Mark]:
    """Stretch each heading to the next; a furniture heading inside a line only to the end of that line."""
    zones: list[_Mark] = []
    flow: SectionKind = "body"
    flow_title: str | None = None
    position = 0
    for head, after in itertools.zip_longest(heads, heads[1:]):
        if head.start > position:
            zones.append(_Mark(position, head.start, flow, flow_title))
        limit = after.start if after else len(text)
        stop = limit if head.end < 0 else min(head.end, limit)
        zones.append(_Mark(head.start, stop, head.kind, head.title))
        if head.end < 0:
            flow, flow_title = head.kind, head.title
        elif flow == "abstract":
            flow, flow_title = "body", None
        position = stop
    if position < len(text):
        zones.append(_Mark(position, len(text), flow, flow_title))
    return [
        part for zone in zones for part in (_references(text, lines, zone) if zone.kind == "references" else [zone])
    ]


def _references(text: str, lines: list[tuple[int, int]], zone: _Mark) -> list[_Mark]:
    """Split the furniture that follows the last reference off a reference list."""
    inside = [(start, end) for start, end in lines if zone.start <= start < zone.end]
    last = next((i for i in range(len(inside) - 1, -1, -1) if not _is_clutter_in(text, inside[i])), None)
    if last is None or last == len(inside) - 1:
        return [zone]
    cut = min(inside[last][1], zone.end)
    return [_Mark(zone.start, cut, "references", zone.title), _Mark(cut, zone.end, "furniture")]


def _is_clutter_in(text: str, span: tuple[int, int]) -> bool:
    return span[1] - span[0] <= _CLUTTER and is_clutter(text[span[0] : span[1]])


def _captions(text: str, lines: list[tuple[int, int]], claimed: set[int], zones: list[_Mark]) -> list[_Mark]:
    marks: list[_Mark] = []
    awaited: int | None = None  # a label alone on its line: the next paragraph is its caption
    for start, end in lines:
        if awaited is not None and start not in claimed:
            marks.append(_Mark(awaited, end, "caption", _caption_name(text[awaited:start])))
            awaited = None
            continue
        awaited = None
        match = None if start in claimed else _FIGURE.match(text, start, end)
        if match and match.end() >= end:
            awaited = start
        elif match and not _IN_SENTENCE.match(text, match.end(), end):
            stop = end if end - start <= _LONG else _caption_end(text, match.end(), end)
            marks.append(_Mark(start, stop, "caption", _caption_name(match.group())))
        for label in _RUNNING_FIGURE.finditer(text, start, end):
            if label.start() == start or (marks and label.start() < marks[-1].end):
                continue
            if not _AFTER_SENTENCE.search(text, max(start, label.start() - 6), label.start()):
                continue
            opened = _FIGURE.match(text, label.start(), end)
            if opened and not _IN_SENTENCE.match(text, opened.end(), end):
                name = _caption_name(opened.group())
                marks.append(_Mark(label.start(), _caption_end(text, opened.end(), end), "caption", name))
    return [mark for mark in marks if _zone_at(zones, mark.start).kind != "references"]


def _caption_name(label: str) -> str:
    return " ".join(label.split()).strip(" .:|–—-")


def _tables(text: str, lines: list[tuple[int, int]]) -> list[_Mark]:
    """Two or more lines in a row with tabs inside are a table."""
    marks: list[_Mark] = []
    run: list[tuple[int, int]] = []
    for start, end in [*lines, (len(text), len(text))]:
        if "\t" in text[start:end]:
            run.append((start, end))
            continue
        if len(run) >= 2:
            marks.append(_Mark(run[0][0], run[-1][1], "table"))
        run = []
    return marks


def _caption_end(text: str, start: int, end: int) -> int:
    """The end of a caption inside a paragraph: its first sentence and the panels ``(A) …`` that follow."""
    position = start
    first = True
    while position < end:
        if not first and not _PANEL.match(text, position, end):
            break
        stop = _sentence_end(text, position, end)
        first = first and bool(_PANEL.match(text, position, end))
        position = stop
    return min(position, end)


def _sentence_end(text: str, start: int, end: int) -> int:
    for match in _STOP.finditer(text, start, end):
        if not _ABBREVIATION.search(text, max(start, match.start() - 8), match.start() + 1):
            return match.end()
    return end


def _numbered_references(text: str, lines: list[tuple[int, int]], zones: list[_Mark]) -> list[_Mark]:
    """Three or more lines in a row that begin with a number and name a year are a reference list without heading."""
    marks: list[_Mark] = []
    run: list[tuple[int, int]] = []
    for start, end in [*lines, (len(text), len(text))]:
        line = text[start : min(end, start + 600)]
        if line and _REFERENCE.match(line) and _PUBLISHED.search(line) and not _NARRATIVE.search(line):
            run.append((start, end))
        elif not (run and line and _is_clutter_in(text, (start, end))):
            if len(run) >= 3 and _zone_at(zones, run[0][0]).kind != "references":
                marks.append(_Mark(run[0][0], run[-1][1], "references"))
            run = []
    return marks


def _zone_at(zones: list[_Mark], offset: int) -> _Mark:
    return zones[max(0, bisect_right(zones, offset, key=lambda zone: zone.start) - 1)]


_SITE = re.compile(
    r"ISSN|doi\.org|\bvol\.|Google Scholar|Permalink|Print version|Services on Demand|E-mail:|Mailing address"
)


def _front_matter(text: str, zones: list[_Mark], overlays: list[_Mark]) -> None:
    """What stands before the abstract of a page copied as one line is the page's head, if it looks like a site's."""
    for i, zone in enumerate(zones):
        if zone.kind == "abstract" and 0 < zone.start <= len(text) // 2 and i:
            if _SITE.search(text, 0, zone.start) and zone.start < _LONG * 2:
                for before in zones[:i]:
                    before.kind, before.title = "furniture", None
            return


def _compose(text: str, zones: list[_Mark], overlays: list[_Mark]) -> list[Section]:
    """Lay ``overlays`` over ``zones``; earlier overlays win where they meet. Trim white space, leave nothing empty."""
    pieces: list[_Mark] = []
    taken: list[_Mark] = []
    for mark in sorted(overlays, key=lambda mark: (mark.start, -mark.end)):
        if taken and mark.start < taken[-1].end:
            continue
        if (
            mark.kind == "furniture"
            and zones
            and (zone := _zone_at(zones, mark.start)).kind in ("references", "furniture")
            and zone.start <= mark.start
            and mark.end <= zone.end
        ):
            continue
        taken.append(mark)
    queue = iter([*taken, None])
    overlay = next(queue)
    for zone in zones:
        position = zone.start
        while overlay is not None and overlay.start < zone.end:
            if overlay.start > position:
                pieces.append(_Mark(position, overlay.start, zone.kind, zone.title))
            pieces.append(_Mark(max(overlay.start, position), overlay.end, overlay.kind, overlay.title))
            position = max(position, overlay.end)
            if overlay.end > zone.end:
                overlay = _Mark(zone.end, overlay.end, overlay.kind, overlay.title)
                pieces[-1].end = zone.end
                break
            overlay = next(queue)
        if position < zone.end:
            pieces.append(_Mark(position, zone.end, zone.kind, zone.title))
    sections: list[Section] = []
    for piece in pieces:
        stretch = text[piece.start : piece.end]
        if not (kept := stretch.strip()):
            continue
        start = piece.start + len(stretch) - len(stretch.lstrip())
        end = start + len(kept)
        before = sections[-1] if sections else None
        if before and before.kind == piece.kind and (before.title == piece.title) and piece.kind != "caption":
            before.end = end
        else:
            sections.append(Section(kind=piece.kind, start=start, end=end, title=piece.title))
    return sections
