"""Files made of the fuzzer's bytes, and what must hold when they are read, whatever is in them.

``TARGETS`` maps bytes to a file: its ending and its content.  ``check`` reads a file and extracts every report in it;
it lets through what should not have been raised, and raises AssertionError where a promise of ``pipeline.records`` is
broken.  What a target makes depends on ``mappings``; so what is kept of a finding is the file, not the bytes.
"""

import bz2
import gzip
import io
import lzma
import tarfile
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import TypeAlias

import msgspec
import pyarrow as pa
import pyarrow.parquet

from pipeline import records, sources
from pipeline.batches import extract_report
from pipeline.data import MAPPINGS, rows
from pipeline.extraction.cues import read_cues
from pipeline.fhir import build
from pipeline.paths import FHIR_VERSIONS
from pipeline.records import Refused, Report
from pipeline.sources import limits
from pipeline.validation.resources import check as check_resource

File: TypeAlias = tuple[str, bytes]
"""The ending of a file's name, and its content."""

COLUMNS = ("id", "text", "title", "doi", "pmid", "journal", "year", "authors", "other")
SUFFIXES = ("", ".txt", ".xml", ".jsonl", ".parquet", ".gz", ".tar", ".zip")
NAMES = (
    "a.txt",
    "../a.txt",
    "/a.txt",
    "C:\\a",
    "a\0b",
    "nul",
    "é",
    "\udcff",
    "x" * 300,
    "",
    ".",
    "..",
    "a/",
    "-",
    "a.gz",
)
TAGS = (
    "article", "front", "article-meta", "article-id", "title-group", "article-title", "abstract", "body", "sec",
    "title", "p", "list", "list-item", "def-list", "def-item", "def", "term", "table-wrap", "table", "tr", "td",
    "th", "label", "caption", "fig", "xref", "sup", "sub", "italic", "break", "back", "ref-list", "app",
    "sub-article", "front-stub", "pub-date", "year", "contrib", "name", "surname", "boxed-text", "floats-group",
    "disp-formula", "fn", "trans-abstract", "PubmedArticleSet", "PubmedArticle", "MedlineCitation", "PMID",
    "Article", "ArticleTitle", "Abstract", "AbstractText", "MeshHeadingList", "MeshHeading", "DescriptorName",
    "QualifierName", "PubDate", "Year", "MedlineDate", "Journal", "AuthorList", "Author", "LastName", "ForeName",
    "CollectiveName", "Language", "PublicationType", "ArticleId", "PubmedBookArticle", "BookDocument",
    "OtherAbstract", "CopyrightInformation",
)  # fmt: skip
ATTRIBUTES = (
    "", "", "", "", ' ref-type="bibr"', ' ref-type="fn"', ' sec-type="cases"', ' pub-id-type="pmc"', ' rowspan="2"',
    ' colspan="3"', ' rowspan="99999999"', ' colspan="-1"', ' rowspan="²"', ' xml:lang="de"', ' Label="CASE"',
    ' NlmCategory="RESULTS"', ' IdType="doi"', ' article-type="case-report"', ' xmlns="urn:x"', ' id="a"',
)  # fmt: skip
MARKS = (
    "&amp;", "&eacute;", "&nope;", "&#0;", "&#55296;", "&#x1F600;", "<![CDATA[", "]]>", "<!--", "-->", "<?pi ?>",
    "\x00", "<?xml version='1.0' encoding='latin-1'?>", "<!DOCTYPE article [<!ENTITY e 'e'>]>", "<", ">", " ", "1",
    "12,13", "[",
)  # fmt: skip
ODDITIES = (
    " ", " ", " ", ". ", ", ", "\n", "\n\n", "\t", "|", "(", ")", "-", "–", "/", ":", ";", "%", "×", "±", "≥", "0",
    "1", "12", "1.5", "1,000", "5/6", "10^9", "²", "½", "Ⅳ", "٣", "İ", "ß", "ﬁ", "\u0301", "\u200d", "\u202e",
    "\ue000", "😀", "A", "I", "D", "'s", '"', "Fig. 1", "Table 1", "Case 1", "Patient", "she", "his", "year-old",
    "man", "woman", "weeks", "days", "mg", "mg/kg", "times", "daily", "after", "before", "due to", "caused by",
    "and", "or", "no", "the", "of", "1999-02-31", "January 5", "x" * 60, "CASE REPORT\n", "References\n",
)  # fmt: skip


class Choices:
    """Bytes used up as decisions; all of them zero once they are gone."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def below(self, limit: int) -> int:
        """A number from 0 to ``limit`` exclusive: of one byte, or of two where one cannot say it."""
        return int.from_bytes(self.take(1 if limit <= 256 else 2)) % limit

    def of(self, options: "tuple[str, ...]") -> str:
        """One of ``options``."""
        return options[self.below(len(options))]

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes, fewer at the end."""
        self._at += size
        return self._data[self._at - size : self._at]

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(len(self._data))


def raw(data: bytes) -> File:
    """Anything: the ending by the first byte, the content the others."""
    choices = Choices(data)
    return choices.of(SUFFIXES), choices.rest()


def container(data: bytes) -> File:
    """Archives and streams whose frame is right, around contents and names that are not."""
    choices = Choices(data)
    kind = choices.below(6)
    if kind < 3:
        return ".gz", (gzip.compress, bz2.compress, lzma.compress)[kind](choices.rest())
    members: list[tuple[str, bytes, bytes]] = []
    while choices and len(members) < 20:
        name = choices.of(NAMES) + (choices.of(SUFFIXES) if choices.below(2) else "")
        type_ = tarfile.SUPPORTED_TYPES[choices.below(len(tarfile.SUPPORTED_TYPES))] if choices.below(4) == 3 else b"0"
        members.append((name, type_, choices.take(choices.below(512))))
    whole = (_tar if kind == 3 else _zip)(members)
    return "", gzip.compress(whole) if kind == 5 else whole


def markup(data: bytes) -> File:
    """XML of the elements that JATS and PubMed have, mostly well-formed, in any order."""
    choices = Choices(data)
    parts: list[str] = ["<article>" if choices.below(2) else "<PubmedArticleSet><PubmedArticle>"]
    opened: list[str] = []
    while choices:
        what = choices.below(8)
        if what < 3:
            tag = choices.of(TAGS)
            opened.append(tag)
            parts.append(f"<{tag}{choices.of(ATTRIBUTES)}>")
        elif what < 5 and opened:
            parts.append(f"</{opened.pop()}>")
        elif what == 5:
            parts.append(choices.of(MARKS))
        else:
            parts.append(choices.of(vocabulary()).replace("<", ""))
    parts += [f"</{tag}>" for tag in reversed(opened)]
    parts.append("</article>" if parts[0] == "<article>" else "</PubmedArticle></PubmedArticleSet>")
    return ".xml", "".join(parts).encode("utf-8", "surrogatepass")


def lines(data: bytes) -> File:
    """JSON Lines with the right columns and anything in them."""
    choices = Choices(data)
    made = []
    while choices:
        picked = {choices.of(COLUMNS): _value(choices, 0) for _ in range(choices.below(5))}
        made.append(msgspec.json.encode({"text": "A rash.", **picked}))
    return ".jsonl", b"\n".join(made)


def table(data: bytes) -> File:
    """Parquet with the right columns and anything in them, some bytes of it changed."""
    choices = Choices(data)
    columns = {}
    for name in dict.fromkeys([choices.of(COLUMNS) for _ in range(choices.below(6))] + ["text"]):
        values = [_value(choices, 0) for _ in range(3)]
        try:
            columns[name] = pa.array(values)
        except (pa.ArrowException, OverflowError, TypeError):
            columns[name] = pa.array([repr(value) for value in values])
    buffer = io.BytesIO()
    try:
        pyarrow.parquet.write_table(pa.table(columns), buffer)
    except pa.ArrowException:  # structs without fields cannot be written
        return ".parquet", b"PAR1"
    whole = bytearray(buffer.getvalue())
    while choices:
        whole[choices.below(len(whole))] = choices.below(256)
    return ".parquet", bytes(whole)


def text(data: bytes) -> File:
    """A report of any text, code point for code point."""
    return _report(data.decode("utf-8", "ignore"))


def words(data: bytes) -> File:
    """A report of the words that the extractor knows, numbers, and odd characters, in any order."""
    choices = Choices(data)
    parts = []
    while choices:
        parts.append(choices.of(vocabulary()) if choices.below(2) else choices.of(ODDITIES))
        parts.append(" " if choices.below(3) else "")
    return _report("".join(parts))


TARGETS: dict[str, Callable[[bytes], File]] = {
    made.__name__: made for made in (raw, container, markup, lines, table, text, words)
}


def check(file: File) -> None:
    """Read a file in an empty folder, and extract and map what is in it."""
    suffix, content = file
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        path = Path(folder) / f"a{suffix}"
        path.write_bytes(content)
        ids = set()
        for item in sources.read([path]):
            if isinstance(item, Refused):
                records.decode_refused(records.encode(item))
                assert item.reason and item.message
                continue
            _check_report(item)
            assert item.report_id not in ids, "an id twice"
            ids.add(item.report_id)
            _check_extraction(item)
        assert [path] == list(Path(folder).iterdir()), "something was written"


@cache
def vocabulary() -> tuple[str, ...]:
    """Words of every kind that the extractor looks for, from ``mappings``: the same for the same files."""
    cues = (phrase for path in sorted(MAPPINGS.glob("**/*cues*.tsv")) for _, phrase in read_cues(path))
    folder = (
        phrase for path in sorted((MAPPINGS / "extraction" / "cues").glob("*.tsv")) for _, phrase in read_cues(path)
    )
    tables = (
        row[0]
        for name in ("drugs_extra", "drug_classes", "extraction/routes", "extraction/units", "reactions/skin",
                     "reactions/laboratory", "extraction/table_columns", "sources/section_titles", "text/abbreviations")
        for row in rows(MAPPINGS / f"{name}.tsv")
    )  # fmt: skip
    return tuple(dict.fromkeys([*_every(3, folder), *_every(2, cues), *_every(3, tables)]))[:65536]


def _every(step: int, words: Iterable[str]) -> Iterator[str]:
    return (word for number, word in enumerate(words) if number % step == 0)


def _value(choices: Choices, depth: int) -> object:
    kind = choices.below(9)
    if kind == 0:
        return None
    if kind == 1:
        return bool(choices.below(2))
    if kind == 2:
        return choices.below(65536) - 1000
    if kind == 3:
        return (float("nan"), float("inf"), -0.0, 1e300, 2.5, 7.0)[choices.below(6)]
    if kind == 4 and depth < 3:
        return [_value(choices, depth + 1) for _ in range(choices.below(4))]
    if kind == 5 and depth < 3:
        return {choices.of(("name", "a")): _value(choices, depth + 1) for _ in range(choices.below(3))}
    if kind == 6:
        return choices.take(choices.below(30)).decode("utf-8", "replace")
    return " ".join(choices.of(vocabulary()) for _ in range(choices.below(12)))


def _tar(members: list[tuple[str, bytes, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT, errors="surrogateescape") as archive:
        for name, type_, content in members:
            info = tarfile.TarInfo(name)
            info.type, info.size, info.linkname = type_, len(content), "/etc/passwd"
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def _zip(members: list[tuple[str, bytes, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # names that come twice
        for name, _, content in members:
            info = zipfile.ZipInfo("a")
            info.filename = name.encode("utf-8", "replace").decode()
            archive.writestr(info, content)
    return buffer.getvalue()


def _report(words: str) -> File:
    return ".jsonl", msgspec.json.encode({"id": "r", "text": words})


def _check_report(report: Report) -> None:
    records.decode_report(records.encode(report))
    assert 0 < len(report.report_id) <= limits.IDENTIFIER + 9
    assert not set(report.report_id) & set("/\\\0: "), "an id that is a path"
    assert report.report_id.strip("."), "an id that is a folder"
    reached = 0
    for section in report.sections:
        assert reached <= section.start <= section.end <= len(report.text), "a section out of order"
        reached = section.end


def _check_extraction(report: Report) -> None:
    before, text = records.encode(report), report.text
    extraction = extract_report(report)
    assert records.encode(report) == before, "the report was changed"
    records.decode_extraction(records.encode(extraction))
    for mention in extraction.mentions:
        assert 0 <= mention.start < mention.end <= len(text), "a mention outside the text"
        assert mention.gap is not None or mention.text == text[mention.start : mention.end]
    for pair in extraction.pairs:
        assert text[slice(*pair.drug_span)] and text[slice(*pair.reaction_span)]
    for case in extraction.cases:
        for start, end in _evidence(msgspec.to_builtins(case)):
            assert 0 <= start < end <= len(text), "evidence outside the text"
        for version in FHIR_VERSIONS:
            for resource in build(case, report, version):
                assert not (problems := check_resource(resource, version)), f"{version}: {problems}"


def _evidence(value: object) -> Iterator[tuple[int, int]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "evidence":
                yield from inner
            elif key == "facts":
                for spans in inner.values():
                    yield from spans
            else:
                yield from _evidence(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _evidence(inner)
