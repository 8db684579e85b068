"""Finds the tables of a report that have a row (or a column) for each patient.

Belongs here: lines to cells, headings to meanings, which rows are patients.  Does not belong here: what a cell says of
a patient (``tables``), and the headings, which are data: ``mappings/extraction/table_columns.tsv``.  A table is two or
more lines in a row whose cells are parted by tabs or bars; a section of kind ``table`` is one table.  Linear in the
length of the text.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import zip_longest
from typing import NamedTuple

from pipeline.data import MAPPINGS
from pipeline.extraction.cues import CueMatcher, expand, fold, read_cues
from pipeline.extraction.document import Document, Sentence
from pipeline.extraction.numbers import DIGITS, UNIT_SHORT, UNIT_WORD, UNITS, alternatives, number, table
from pipeline.records import Sex, Span

_LINE = re.compile(r"[^\n]+")
_BARS = 2  # bars in a line that make it a row
_HEADS = 3  # lines among which the headings are looked for
_LEAST = 2  # patients that make a table of patients
_RULE = re.compile(r"[\s|:+=-]*")
_MARKS = " \r\f\v*†‡§¶#⁰¹²³⁴⁵⁶⁷⁸⁹ᵃᵇᶜᵈᵉᶠᵍʰⁱ"
"""Footnote marks behind what a cell says."""
_WIDEST = 100  # cells of a line, beyond which the columns of a table are not taken for patients
_BRACKETS = re.compile(r"[()\[\]]")
_BRACKETED = re.compile(r"[(\[]([^()\[\]]{0,80})[)\]]")
_PARTS = re.compile(r"/|,|;|&|\band\b|\+")
_UNIT_PARTS = re.compile(r"[\s/·.]+")
_NUMBERED = re.compile(r"(?:(?:patient|case|pt|subject|p|no|nr|number)s?\b[\s.:#]*)*#?\(?(?P<number>\d{1,4})\)?[.:]?")
_NAMED = re.compile(r"(?:patient|case|pt|subject)\b")
_LONGEST_NAME = 24
_OTHERS = re.compile(r"\b(?:19|20)\d\d\b|\bet al\b")
_OLDEST, _YOUNG = 125, 20
"""No higher number is an age, and a fraction of a higher one is an average."""
_SEXES: dict[str, Sex] = {"female": "female", "male": "male"}
_WHO = frozenset({"patient", "age", "sex"})
_COURSE = frozenset({"dose", "onset", "action", "withdrawal", "treatment", "dechallenge", "rechallenge", "outcome"})
_NOBODY = ("summary", "literature")
_WHAT = frozenset({"drug", "reaction"})
_FIRM = frozenset({"drug", "reaction", "dechallenge", "rechallenge"})


class Cell(NamedTuple):
    """``text[start:end]`` of a report, without white space and footnote marks around it; may be empty."""

    text: str
    start: int
    end: int

    @property
    def span(self) -> Span:
        """Its place in the text."""
        return (self.start, self.end)

    @property
    def folded(self) -> str:
        """Its text as phrases are looked up in it."""
        return fold(self.text)


class Column(NamedTuple):
    """``meanings`` of its heading, as in ``table_columns.tsv``; ``heading`` folded; ``unit`` as written in it."""

    meanings: tuple[str, ...] = ()
    heading: str = ""
    unit: str | None = None


_MOST_CELLS = 50


@dataclass(slots=True)
class Row:
    """One patient: the cells of each meaning with their columns; ``number`` as the table counts its patients.

    ``columns`` are the meanings that any column of the table has.
    """

    columns: frozenset[str]
    number: int | None = None
    cells: dict[str, list[tuple[Cell, Column]]] = field(default_factory=dict)

    def of(self, meaning: str) -> list[tuple[Cell, Column]]:
        """The cells of a meaning that are not empty, in order."""
        return self.cells.get(meaning, [])


@dataclass(slots=True)
class Grid:
    """A table of patients. ``rows`` is empty where no reactions are told of them, or where they are other authors'."""

    span: Span
    caption: list[Sentence]
    rows: list[Row]
    title: list[Sentence]
    """Of the report."""


def find(document: Document) -> list[Grid]:
    """The tables of patients, in the order of the text."""
    found: list[Grid] = []
    titles = [s for s in document.report.sections if s.kind == "title"]
    title = [s for s in document.sentences if any(t.start <= s.start < t.end for t in titles[:1])]
    for span, caption, lines in _tables(document):
        for cells in (lines, _turned(lines)):
            columns = _columns(cells)
            if columns is None:
                continue
            head, own = columns
            before = next((grid.rows for grid in reversed(found) if grid.rows), [])
            if not _tells_patients(own, further=bool(before)):
                continue
            if any("literature" in column.meanings for column in own) or _of_others(document, caption):
                found.append(Grid(span, caption, [], title))
                break
            rows = _rows(cells[head + 1 :], own)
            if _add(before, rows):
                found.append(Grid(span, caption, [], title))
                break
            if len(rows) >= _LEAST and _tells_patients(own, further=False):
                found.append(Grid(span, caption, rows if _of_reactions(own, [*caption, *title]) else [], title))
                break
    return found


# --- lines and cells ------------------------------------------------------------------------------------------------


def _tables(document: Document) -> Iterator[tuple[Span, list[Sentence], list[list[Cell]]]]:
    """Place, sentences of the caption, and cells of every table."""
    text = document.text
    if "\t" not in text and text.count("|") < _BARS:
        return
    sections = document.report.sections
    captions = [s for s in sections if s.kind == "caption"]
    ends = [s.end for s in captions]
    starts = [s.start for s in document.sentences]
    for start, end in _runs(text, [(s.start, s.end) for s in sections if s.kind == "table"]):
        lines = [m.span() for m in _LINE.finditer(text, start, end) if not _RULE.fullmatch(text, *m.span())]
        mark = "\t" if "\t" in text[start:end] else "|"
        at = bisect_right(ends, start) - 1
        caption: list[Sentence] = []
        if at >= 0 and not text[ends[at] : start].strip():
            caption = document.sentences[bisect_left(starts, captions[at].start) : bisect_left(starts, ends[at])]
        yield (start, end), caption, [list(_cells(text, *line, mark)) for line in lines]


def _runs(text: str, known: Sequence[Span]) -> Iterator[Span]:
    """Lines in a row with a tab or bars between cells, or of one of the sections that are tables."""
    begins = [start for start, _ in known]
    run: list[Span] = []
    place = -1  # the section that the line before stands in
    for match in _LINE.finditer(text):
        if match[0].isspace():
            continue
        at = bisect_right(begins, match.end() - 1) - 1
        inside = at if at >= 0 and match.start() < known[at][1] else -1
        row = inside >= 0 or "\t" in match[0].strip() or ("\t" in match[0] and run) or match[0].count("|") >= _BARS
        if run and (not row or (inside >= 0 and place >= 0 and inside != place)):
            yield run[0][0], run[-1][1]
            run = []
        if row:
            run.append(match.span())
        place = inside
    if run:
        yield run[0][0], run[-1][1]


def _cells(text: str, start: int, end: int, mark: str) -> Iterator[Cell]:
    """The cells of a line."""
    if mark == "|":
        start += len(text[start:end]) - len(text[start:end].lstrip(" "))
        start += text.startswith("|", start, end)
        end = start + len(text[start:end].rstrip(" ").removesuffix("|"))
    for part in text[start:end].split(mark):
        kept = part.rstrip(_MARKS)
        lead = len(kept) - len(kept.lstrip())
        yield Cell(kept[lead:], start + lead, start + len(kept)) if kept.strip() else Cell("", start, start)
        start += len(part) + 1


def _turned(lines: Sequence[Sequence[Cell]]) -> list[list[Cell]]:
    """Columns as rows; what a short row lacks is empty."""
    if max(map(len, lines), default=0) > _WIDEST:
        return []
    return [[cell or Cell("", 0, 0) for cell in column] for column in zip_longest(*lines)]


# --- headings -------------------------------------------------------------------------------------------------------


@cache
def _meanings() -> dict[str, str]:
    return {phrase.strip(" ."): meaning for meaning, pattern in table("table_columns", 2) for phrase in expand(pattern)}


@cache
def _units() -> frozenset[str]:
    words = {word for _, _, pattern in table("units", 3) for word in expand(pattern)}
    return frozenset(words - {"%"} | UNITS.keys() | {"per", "daily", "weekly", "monthly", "in"})


def _columns(lines: Sequence[Sequence[Cell]]) -> tuple[int, list[Column]] | None:
    """The line of headings and what its columns mean: of the first lines the one of which most is known."""
    read = [[_column(cell, first=not place) for place, cell in enumerate(line)] for line in lines[:_HEADS]]
    known = [sum(bool(column.meanings and column.heading) for column in columns) for columns in read]
    most = max(known, default=0)
    return (known.index(most), read[known.index(most)]) if most > 1 else None


def _column(cell: Cell, *, first: bool) -> Column:
    """What a column means. The first one without a heading may name the patients."""
    heading = " ".join(cell.folded.split())
    if not heading:
        return Column(("patient",) if first else ())
    core, unit = _without_unit(heading)
    outside = _parts(_BRACKETED.sub(" ", core))
    inside = [_parts(part) for part in _BRACKETED.findall(core)]
    whole = _parts(_BRACKETS.sub(" ", heading)) if inside else None
    if outside and all(inside):
        outside = tuple(dict.fromkeys([*outside, *(m for part in inside for m in part or ())]))
    elif whole:
        outside = whole
    if unit is None:
        unit = next((part for part in map(str.strip, _PARTS.split(core)) if _is_unit(part)), None)
    return Column(outside or (), heading, unit)


def _parts(heading: str) -> tuple[str, ...] | None:
    """The meaning of a heading, or those of its parts; ``None`` where one of them is unknown."""
    whole = _meanings().get(" ".join(heading.split()).strip(" .:,"))
    if whole:
        return (whole,)
    parts = [" ".join(_without_unit(part)[0].split()).strip(" .:") for part in _PARTS.split(heading)]
    found = [_meanings().get(part) for part in parts if part and not _is_unit(part)]
    return tuple(m for m in found if m) if found and all(found) else None


def _without_unit(heading: str) -> tuple[str, str | None]:
    """A heading and its unit: "dose (mg/day)", "dose, mg/day", "dose mg/day"."""
    for match in _BRACKETED.finditer(heading):
        if _is_unit(match[1]):
            return (heading[: match.start()] + heading[match.end() :]).strip(" ,:"), match[1].removeprefix("in ")
    head, _, tail = heading.rpartition(", ")
    if not head:
        head, _, tail = heading.rpartition(" ")
    if head and _is_unit(tail):
        return head.removesuffix(" in").strip(" ,:"), tail.removeprefix("in ")
    return heading, None


def _is_unit(words: str) -> bool:
    parts = [part for part in _UNIT_PARTS.split(words) if part]
    return bool(parts) and all(part in _units() for part in parts)


def _tells_patients(columns: Sequence[Column], *, further: bool) -> bool:
    """Do the headings name patients, and a drug or what happened to them, and no counts?

    A ``further`` table may go on about numbered patients: with what was done and how it ended.  Ages alone do not tell
    patients apart: they may be those of one patient, or of a schedule of doses.
    """
    told = {m for column in columns for m in column.meanings}
    plain = {m.rstrip("?") for m in told}
    if "group" in told:
        return False
    if not (_WHAT | {"diagnosis"}) & plain:
        return further and "patient" in told and bool(told & _COURSE)
    return bool(told & {"patient", "sex"}) or {"age", "patient?"} <= told


def _of_reactions(columns: Sequence[Column], said: Sequence[Sentence]) -> bool:
    """Is the table one of adverse reactions, by its headings, or by the sentences of its caption and the title?"""
    told = {m for column in columns for m in column.meanings}
    if told & _FIRM or ("drug?" in told and "onset" in told):
        return True
    caused = any(s.cued("adverse", "induced", "cause") for s in said)
    return caused and ("drug?" in told or any(s.of("drug") for s in said))


def _of_others(document: Document, caption: Sequence[Sentence]) -> bool:
    """Does the caption say that the patients are those of other authors?"""
    return any(values().inside("literature", document.folded[s.start : s.end]) for s in caption)


# --- rows -----------------------------------------------------------------------------------------------------------


@cache
def values() -> "Values":
    """What the cells say (``table_values.tsv``)."""
    return Values()


class Values:
    """Looks up what a cell says of its column."""

    def __init__(self) -> None:
        told = [
            (*kind.split(":", 1), phrase) for kind, phrase in read_cues(MAPPINGS / "extraction" / "table_values.tsv")
        ]
        self._exact = {(column, phrase.lower()): value for column, value, phrase in told}
        spelled = [(f"{column}:{value}", phrase) for column, value, phrase in told if any(map(str.isalpha, phrase))]
        self._matcher = CueMatcher({"values": spelled})

    def phrases(self, column: str) -> list[str]:
        """All that may be written in a column."""
        return [phrase for name, phrase in self._exact if name == column]

    def whole(self, column: str, folded: str) -> str | None:
        """What a whole cell says, brackets left out."""
        return self._exact.get((column, " ".join(folded.split()).strip("() .")))

    def inside(self, column: str, folded: str) -> list[str]:
        """What a cell says, in order."""
        found = self._matcher.find(folded)["values"]
        return [cue.kind.partition(":")[2] for cue in found if cue.kind.startswith(f"{column}:")]

    def of(self, column: str, cell: Cell) -> list[str]:
        """All that a cell says; nothing where it holds no more than a sign for that."""
        folded = cell.folded
        if not any(map(str.isalnum, folded)) and self.whole("empty", folded) and "(" not in folded:
            return []
        exact = self.whole(column, folded)
        return [exact] if exact else self.inside(column, folded)

    def empty(self, cell: Cell) -> bool:
        """Does a cell tell nothing?"""
        return not cell.text or self._exact.get(("empty", " ".join(cell.folded.split()))) is not None


def _rows(lines: Sequence[Sequence[Cell]], columns: Sequence[Column]) -> list[Row]:
    """The patients of a table.

    A line without a patient of its own goes on with the one before (a second drug); one with but one cell is a heading
    between rows or a footnote; averages are nobody's.
    """
    found: list[Row] = []
    last: Row | None = None
    name = ""
    for line in lines:
        filled = [place for place, cell in enumerate(line) if cell.text]
        if not filled or filled == [0]:
            continue
        row = _row(line, columns)
        who = [cell for cell, _ in row.of("patient") + row.of("patient?")]
        named = next((cell.folded for cell in who), "")
        numbered = _NUMBERED.fullmatch(named)
        if not numbered and (_OTHERS.search(named) or any(values().inside(kind, named) for kind in _NOBODY)):
            last = None
            continue
        if last is not None and ((named and named == name) or _goes_on(row)):
            _extend(last, row)
            continue
        last = None
        if _is_patient(row):
            row.number = int(numbered["number"]) if numbered else None
            found.append(row)
            last, name = row, named
    return found


def _add(before: Sequence[Row], rows: Sequence[Row]) -> bool:
    """Add to the patients of an earlier table what a further one says of the same; not unless all are the same."""
    known = {row.number: row for row in before if row.number is not None}
    pairs = [(known.get(row.number or 0), row) for row in rows]
    same = [(earlier, row) for earlier, row in pairs if earlier is not None and _alike(earlier, row)]
    if not rows or len(same) < len(rows):
        return False
    for earlier, row in same:
        _extend(earlier, row)
    return True


def _alike(left: Row, right: Row) -> bool:
    """Do two rows tell no different ages or sexes?"""
    ages, sexes = set(), set()
    for cell, _ in [pair for row in (left, right) for meaning in ("age", "sex") for pair in row.of(meaning)]:
        told = person(cell)
        ages |= {told.age} - {None}
        sexes |= {told.sex} - {None}
    return len(ages) < 2 and len(sexes) < 2


def _row(line: Sequence[Cell], columns: Sequence[Column]) -> Row:
    row = Row(frozenset(m for column in columns for m in column.meanings))
    for cell, column in zip(line, columns, strict=False):
        if cell.text:
            for meaning in column.meanings:
                row.cells.setdefault(meaning, []).append((cell, column))
    return row


def _goes_on(row: Row) -> bool:
    """Does a line name no patient, but something of one?"""
    return not any(row.of(m) for m in (*_WHO, "patient?")) and any(row.of(m) for m in ("drug", "drug?", "reaction"))


def _extend(row: Row, more: Row) -> None:
    """Add what a further line says of the same patient; what a merged cell repeats is told once.

    No patient has more than ``_MOST_CELLS`` cells of a meaning, so that reading stays linear.
    """
    row.columns |= more.columns
    for meaning, cells in more.cells.items():
        told = row.cells.setdefault(meaning, [])
        if len(told) < _MOST_CELLS:
            known = {cell.text for cell, _ in told}
            told += [(cell, column) for cell, column in cells if cell.text not in known]


def _is_patient(row: Row) -> bool:
    """Does a line name a patient by a name or number, an age or a sex?"""
    if any(any(person(cell)) for cell, _ in row.of("age") + row.of("sex")):
        return True
    for cell, column in row.of("patient"):
        if _NAMED.match(cell.folded) or any(person(cell)):
            return True
        if column.heading and len(cell.text) <= _LONGEST_NAME and not values().empty(cell):
            return True
    return False


class Who(NamedTuple):
    """Age as a number, its unit of time as written, and sex, as far as a cell tells them."""

    age: float | None = None
    unit: str | None = None
    sex: Sex | None = None


def person(cell: Cell) -> Who:
    """Age and sex of a cell that holds nothing else: "45", "45/F", "F, 45 years", "45-year-old man"."""
    match = _person().fullmatch(cell.folded)
    if match is None:
        return Who()
    age = number(match["age"]) if match["age"] else None
    if age is not None and (age > _OLDEST or (age > _YOUNG and age != int(age))):
        return Who()
    word = match["before"] or match["behind"]
    return Who(age, match["unit"], _SEXES.get(values().whole("sex", word) or "") if word else None)


@cache
def _person() -> re.Pattern[str]:
    sexes = alternatives(values().phrases("sex"))
    between = r"[\s/,;.:()-]{0,4}"
    return re.compile(
        rf"[\s(]*(?:(?P<before>{sexes}){between})?"
        rf"(?:(?:age |aged )?(?P<age>{DIGITS})[ -]?(?P<unit>{UNIT_WORD}|{UNIT_SHORT})?(?:[ -]?old|/?o\.?| of age)?)?"
        rf"(?:{between}(?P<behind>{sexes}))?[\s.)]*"
    )
