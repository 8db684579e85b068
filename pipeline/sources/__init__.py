"""Reads files of many formats into reports.

Belongs here: from bytes on disk or a stream to ``records.Report`` with clean text, marked sections and bibliographic
facts; what cannot be read becomes ``records.Refused``.  Does not belong here: understanding the text.

Formats, told by content: plain text, JATS and PubMed XML, JSON Lines, Parquet; as they are, compressed (gzip, bzip2,
xz), or in a tar or zip.  Everything streams; memory does not grow with the input but for some hundred bytes a report.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from pipeline.errors import BadInput, UsageError
from pipeline.records import Refused, Report, Source
from pipeline.sources import bibliography, jats, limits, plain, pubmed, tabular
from pipeline.sources.containers import Document, documents, files, refused
from pipeline.sources.contents import digest
from pipeline.sources.identity import Identities, stem
from pipeline.sources.language import require_english
from pipeline.sources.markup import Element, name, records, strip_namespaces
from pipeline.sources.sections import find_sections

__all__ = ["digest", "files", "find_sections", "read", "read_json_lines"]

_UNSUPPORTED = (
    (re.compile(rb"%PDF-"), "a PDF; extract its text (pdftotext) or take the XML"),
    (re.compile(rb"\{\\rtf"), "an RTF document; save it as plain text"),
    (re.compile(rb"\xd0\xcf\x11\xe0"), "an old Office document; save it as plain text"),
    (re.compile(rb"(?i)\s*(?:<!--.{0,500}?-->\s*)?<(?:!doctype\s+html|html)\b"), "an HTML page; save it as plain text"),
    (re.compile(rb"\s*\[\s*\{"), "a JSON array; write one object a line (jq -c '.[]')"),
    (re.compile(rb"\s*\{[^\S\n]*+\n\s*+\""), "JSON over several lines; write one object a line (jq -c)"),
    (re.compile(rb"7z\xbc\xaf\x27\x1c|Rar!|\x28\xb5\x2f\xfd"), "an archive of a kind not read; pack it as tar or zip"),
)  # fmt: skip
_XML = re.compile(rb"\s*<(?:\?xml|!DOCTYPE|!--|[A-Za-z_][\w.:-]*[\s>/])")
_JSON = re.compile(rb"\s*\{\s*[\"}]")


def read(inputs: Sequence[Path]) -> Iterator[Report | Refused]:
    """Yield every report in ``inputs`` (files, folders), and what was refused with its reason, in a fixed order.

    Raises UsageError at once if an input does not exist; bad content never raises.  Ids are unique within one call.
    """
    for path in inputs:
        if not path.exists() and not path.is_symlink():
            raise UsageError(f"{path}: no such file or folder.")
    return _read(list(inputs))


def read_json_lines(stream: IO[bytes], name: str = "stdin") -> Iterator[Report | Refused]:
    """Yield the reports of JSON Lines ``{"id", "text", …}``; ``name`` stands for the source and for missing ids."""
    source = Source(path=name, format="jsonl")
    return _settle(tabular.json_lines(stream, source, stem(name)), Identities())


def _read(inputs: list[Path]) -> Iterator[Report | Refused]:
    identities = Identities()
    for path in files(inputs):
        if isinstance(path, Refused):
            yield path
            continue
        for document in documents(path):
            if isinstance(document, Refused):
                yield document
            else:
                yield from _settle(_document(document), identities)


def _settle(items: Iterator[Report | Refused], identities: Identities) -> Iterator[Report | Refused]:
    for item in items:
        if isinstance(item, Report):
            try:
                require_english(item.text)
                identities.settle(item)
            except BadInput as error:
                assert item.source is not None
                entry = refused(error, item.source)
                entry.report_id = item.report_id
                yield entry
                continue
        yield item


def _document(document: Document) -> Iterator[Report | Refused]:
    """Yield the reports of one document; whatever its bytes are, the trouble stays inside it."""
    format_ = "unknown"
    try:
        format_ = recognise(document)
        if format_ == "xml":
            yield from _xml(document)
        elif format_ == "jsonl":
            fallback = stem(document.path, document.member)
            yield from tabular.json_lines(document.stream, document.source("jsonl"), fallback)
        elif format_ == "parquet":
            yield from tabular.parquet(document, stem(document.path, document.member))
        else:
            yield _text(document)
    except BadInput as error:
        yield document.refused(error, format_)
    except OSError as error:
        yield document.refused(
            BadInput(f"Reading failed ({error.strerror}); check the disk and try again.", reason="unreadable"), format_
        )


def recognise(document: Document) -> str:
    """Return ``"xml"``, ``"jsonl"``, ``"parquet"`` or ``"text"`` by the beginning of the content.

    The name decides only whether text that is not JSON at once is JSON Lines with a broken first line.
    Raises BadInput: ``empty``, or ``unsupported-format`` for known formats that are not read.
    """
    head = document.head.removeprefix(b"\xef\xbb\xbf")
    if not head.strip():
        raise BadInput("The file is empty; expected a report.", reason="empty")
    if head.startswith(b"PAR1"):
        return "parquet"
    for pattern, what in _UNSUPPORTED:
        if pattern.match(head):
            raise BadInput(f"This is {what}.", reason="unsupported-format")
    beginning = head[:2000]
    if beginning[:2] in (b"\xff\xfe", b"\xfe\xff"):
        beginning = beginning.replace(b"\0", b"")[2:]
    if _XML.match(beginning):
        return "xml"
    name = (document.member or document.path).lower()
    if _JSON.match(head) or re.search(r"\.(jsonl|ndjson)(\.\w+)?$", name):
        return "jsonl"
    return "text"


def _text(document: Document) -> Report:
    whole = len(document.head) < limits.HEAD  # mostly; spares a buffer of the limit's size
    data = document.head if whole else document.stream.read(limits.TEXT + 1)
    if len(data) > limits.TEXT:
        raise BadInput(f"A plain text report may have {limits.TEXT:,} bytes; split the file.", reason="too-large")
    text = plain.clean(plain.decode(data))
    if not text:
        raise BadInput("The file holds no visible characters; expected a report.", reason="empty")
    sections = find_sections(text)
    return Report(
        report_id=stem(document.path, document.member),
        text=text,
        sections=sections,
        article=bibliography.stated(text, sections),
        source=document.source("text"),
    )


def _xml(document: Document) -> Iterator[Report | Refused]:
    fallback = stem(document.path, document.member)
    number = 0
    for record in records(document.stream):
        number += 1
        if isinstance(record, BadInput):
            yield document.refused(record, "xml", number)
            continue
        strip_namespaces(record)
        own = fallback if number == 1 else f"{fallback}-{number}"
        if name(record) == "article":
            format_ = "jats"
            items: Iterator[Report | BadInput] = jats.reports(record, own)
        else:
            format_ = "pubmed"
            items = iter([_pubmed(record, own)])
        for item in items:
            if isinstance(item, BadInput):
                yield document.refused(item, format_, number)
            else:
                item.source = document.source(format_, number)
                yield item
    if not number:
        raise BadInput(
            "Expected XML with article (JATS) or PubmedArticle elements; it has none.", reason="unsupported-format"
        )


def _pubmed(record: Element, fallback: str) -> Report | BadInput:
    try:
        return pubmed.report(record, fallback)
    except BadInput as error:
        return error
