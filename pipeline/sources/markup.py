"""What JATS and PubMed XML share: safe parsing of records one by one, inline text, building text with sections.

Belongs here: everything that does not depend on which of the two it is.  Does not belong here: their element names.
Nothing is fetched and no entity is expanded: HTML's character entities are known, other entities are dropped, and a
document that declares entities of its own is refused.
"""

import codecs
import html.entities
import re
from collections.abc import Iterator
from typing import IO

from lxml import etree

from pipeline.errors import BadInput
from pipeline.records import Section, SectionKind
from pipeline.sources import limits
from pipeline.sources.containers import truncated

Element = etree._Element

RECORDS = ("article", "PubmedArticle", "PubmedBookArticle")
_END = re.compile(rb"</(?:[\w.-]+:)?(?:article|PubmedArticle|PubmedBookArticle)\s*>")
_OPEN = re.compile(rb"<[A-Za-z_]")
_START = re.compile(rb"<(?:[\w.-]+:)?(?:article|PubmedArticle|PubmedBookArticle)(?=[\s>])")
_LITERAL = rb"(?:\"[^\"<>]*\"|'[^'<>]*')"
_ENTITY = re.compile(  # but for those that name a file which is no XML, a picture
    rb"<!ENTITY(?!\s++[\w.:-]++\s++(?:SYSTEM|PUBLIC\s++" + _LITERAL + rb")\s++" + _LITERAL + rb"\s++NDATA\s)"
)
_MATHML = "{http://www.w3.org/1998/Math/MathML}"
_ENCODING = re.compile(r"^(\s*<\?xml[^>]{0,200}?)\s{1,200}encoding\s*=\s*(?:\"[^\"]*\"|'[^']*')")
_HIDDEN = {"graphic", "media", "inline-graphic", "tex-math", "alt-text", "long-desc", "object-id", "ref-list", "label"}

CITATION = "\ue000"
"""Stands where a numeric citation marker was, until ``tidy`` takes it out with the brackets around it."""

_CITED = re.compile(rf"\s?[\[(](?:[\s,;–-]*{CITATION})+[\s,;–-]*[\])]|{CITATION}(?:[\s,;–-]{{0,3}}{CITATION})*")
_SUPERSCRIPT = str.maketrans("0123456789+-−–()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁻⁽⁾ⁿ")
_EXPONENT = re.compile(r"[+\-−–]?\d{1,3}[+\-−–]?")
_POWER_BASE = re.compile(r"(?:(?:^|[^\d.])10|\b(?:m|mm|cm|dm|km|µm|μm|nm)|\d ?(?:m|mm|cm))$")
_FOOTNOTE = re.compile(r"[a-k*†‡§¶#](?:\s*,\s*[a-k*†‡§¶#])*")
_REFERENCE_NUMBERS = re.compile(r"[\[(]?\d{1,3}(?:\s*[,;–-]\s*\d{1,3})*[\])]?")


def records(stream: IO[bytes]) -> Iterator[Element | BadInput]:
    """Yield the article elements of an XML stream one after the other, each valid until the next is asked for.

    The stream is fed to the parser up to one closing article tag at a time.  Where an article is broken, its error is
    yielded, and parsing starts again behind it with what stood before the first article, so that the others are read.
    Raises BadInput (``malformed-xml``, ``truncated``, ``unsafe-xml``) where nothing more can be read.
    """
    prologue: bytes | None = None
    parser = _parser()
    line = 1
    found = broken = 0
    for piece in _pieces(stream):
        if prologue is None:
            _refuse_entities(piece)
            first = _START.search(piece)
            prologue = piece[: first.start()] if first else b""
        try:
            parser.feed(piece)
            for element in _finished(parser):
                found += 1
                yield element
        except etree.XMLSyntaxError as error:
            for element in _finished_quietly(parser):
                found += 1
                yield element
            broken += 1
            yield _malformed(error, line)
            parser = _restarted(prologue)
            starts = [match.start() for match in _START.finditer(piece)]
            if len(starts) > 1:
                # The broken article has no end: the last one begun in this piece may be whole.
                try:
                    parser.feed(piece[starts[-1] :])
                    for element in _finished(parser):
                        found += 1
                        yield element
                except etree.XMLSyntaxError:
                    parser = _restarted(prologue)
        line += piece.count(b"\n")
    try:
        parser.close()
    except etree.XMLSyntaxError as error:
        if broken:
            return
        if found or _is_cut(error):
            raise truncated() from error
        raise _malformed(error, 1) from error


def _parser() -> etree.XMLPullParser:
    return etree.XMLPullParser(
        events=("end",),
        tag=tuple(f"{{*}}{name}" for name in RECORDS),
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )


def _restarted(prologue: bytes) -> etree.XMLPullParser:
    """Return a parser that stands before the next article; what cannot stand before one is left out."""
    for beginning in (prologue, b"<articles>"):
        parser = _parser()
        try:
            parser.feed(beginning if _OPEN.search(beginning) else b"<articles>")
            break
        except etree.XMLSyntaxError:
            continue
    return parser


def _finished(parser: etree.XMLPullParser) -> Iterator[Element]:
    for _, element in parser.read_events():
        assert isinstance(element, etree._Element)
        yield element
        element.clear()
        parent = element.getparent()
        while parent is not None and parent[0] is not element:
            del parent[0]


def _finished_quietly(parser: etree.XMLPullParser) -> Iterator[Element]:
    try:
        yield from _finished(parser)
    except etree.XMLSyntaxError:
        return


def _pieces(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield the stream in UTF-8 (or any encoding like ASCII), cut behind each closing article tag."""
    pending = bytearray()
    searched = 0
    for chunk in _chunks(stream):
        pending += chunk
        start = 0
        for match in _END.finditer(pending, max(0, searched - 64)):
            yield bytes(pending[start : match.end()])
            start = match.end()
        del pending[:start]
        searched = len(pending)
        if searched > limits.RECORD:
            raise BadInput(f"An article may have {limits.RECORD:,} bytes of XML; split it.", reason="too-large")
    if pending:
        yield bytes(pending)


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    first = stream.read(limits.CHUNK)
    encoding = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}.get(first[:2])
    if encoding is None:
        yield first.removeprefix(b"\xef\xbb\xbf")
        while chunk := stream.read(limits.CHUNK):
            yield chunk
        return
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    text = _ENCODING.sub(r"\1", decoder.decode(first[2:]))
    yield text.encode()
    while chunk := stream.read(limits.CHUNK):
        yield decoder.decode(chunk).encode("utf-8", "replace")


def _refuse_entities(piece: bytes) -> None:
    if b"<!ENTITY" not in piece:
        return
    plain = _without(_without(piece, b"<!--", b"-->"), b"<?", b"?>")
    start = plain.find(b"<!DOCTYPE")
    first = _START.search(plain)
    stop = first.start() if first else len(plain)
    if 0 <= start < stop and _ENTITY.search(plain, start, stop):
        raise BadInput(
            "The document type declares entities, which are never expanded; remove the declarations.",
            reason="unsafe-xml",
        )


def _without(piece: bytes, begin: bytes, end: bytes) -> bytes:
    """``piece`` without what stands from ``begin`` to ``end``."""
    first, *others = piece.split(begin)
    return first + b"".join(other.partition(end)[2] for other in others)


def _is_cut(error: etree.XMLSyntaxError) -> bool:
    message = error.msg or ""
    return "Premature end" in message or "no element found" in message or "EndTag: '</' not found" in message


def _malformed(error: etree.XMLSyntaxError, line: int) -> BadInput:
    number = (error.lineno or 1) if line == 1 else line
    # libxml2's message may quote the text; its first words name the rule.
    rule = re.split(r"[:'\"]|, line", error.msg or "not well-formed")[0].strip()
    if "UTF-8" in (error.msg or "") or "encoding" in rule.lower():
        return BadInput(
            "The bytes are not in the encoding that the XML declares; correct the declaration or save as UTF-8.",
            reason="malformed-xml",
            place=f"line {number}",
        )
    return BadInput(f"The XML is not well-formed ({rule}); correct or download it again.", reason="malformed-xml",
                    place=f"line {number}")  # fmt: skip


def name(element: Element) -> str:
    """Return an element's name without namespace; ``""`` for entities, comments, instructions."""
    tag: object = element.tag  # a function for what is no element, whatever the stubs say
    if not isinstance(tag, str):
        return ""
    return tag.rpartition("}")[2] if tag[0] == "{" else tag


def strip_namespaces(root: Element) -> None:
    """Take the default namespace off every element, so that paths can name them plainly; MathML keeps its own."""
    if not root.tag.startswith("{"):
        return
    for element in root.iter("{*}*"):
        if isinstance(element.tag, str) and not element.tag.startswith(_MATHML):
            element.tag = element.tag.rpartition("}")[2]


def inline(element: Element | None) -> str:
    """Return the running text of an element on one line: citation numbers taken out, superscripts made safe."""
    if element is None:
        return ""
    parts: list[str] = []
    _collect(element, parts, frozenset())
    return tidy("".join(parts))


def inline_without(element: Element, leave_out: frozenset[str]) -> str:
    """Return the running text without the elements named (blocks that stand inside a paragraph)."""
    parts: list[str] = []
    _collect(element, parts, leave_out)
    return tidy("".join(parts))


def tidy(text: str) -> str:
    """Take citation marks out, collapse white space, trim."""
    if CITATION in text:
        text = _CITED.sub("", text)
        text = re.sub(r"(?<!\s)\s+([.,;:](?:\s|$))", r"\1", text)
    return " ".join(text.split())


def _collect(element: Element, parts: list[str], leave_out: frozenset[str]) -> None:
    if element.text:
        parts.append(element.text)
    for child in element:
        tag = name(child)
        if not tag:
            if isinstance(child, etree._Entity):
                parts.append(html.entities.html5.get(f"{child.name};", ""))
        elif tag in leave_out:
            parts.append(" ")
        elif tag == "xref":
            _reference(child, parts, leave_out)
        elif tag == "sup":
            _superscript(child, parts, leave_out)
        elif tag in ("break", "p", "list-item", "title"):
            parts.append(" ")
            _collect(child, parts, leave_out)
            parts.append(" ")
        elif tag not in _HIDDEN:
            _collect(child, parts, leave_out)
        if child.tail:
            parts.append(child.tail)


def _reference(xref: Element, parts: list[str], leave_out: frozenset[str]) -> None:
    inner: list[str] = []
    _collect(xref, inner, leave_out)
    text = "".join(inner)
    kind = xref.get("ref-type")
    bare = not any(character.isalpha() for character in text.replace(CITATION, ""))
    if kind == "bibr" and bare:
        parts.append(CITATION)
    elif kind not in ("fn", "table-fn", "aff", "corresp", "author-notes") or (len(text) > 3 and not bare):
        parts.append(text)


def _superscript(sup: Element, parts: list[str], leave_out: frozenset[str]) -> None:
    inner: list[str] = []
    _collect(sup, inner, leave_out)
    text = "".join(inner).strip()
    if CITATION in text:
        rest = text.replace(CITATION, "").strip(" ,;–-[]()")
        parts.append(CITATION if not rest or _REFERENCE_NUMBERS.fullmatch(rest) else f"{CITATION}{rest}")
        return
    before = "".join(parts[-3:])[-12:]
    if _EXPONENT.fullmatch(text) and (not text.isdigit() or _POWER_BASE.search(before)):
        parts.append(text.translate(_SUPERSCRIPT))
    elif _is_mark(text, before, sup.tail or " "):
        parts.append(CITATION)
    else:
        parts.append({"TM": "™", "SM": "℠", "R": "®"}.get(text, text))


def _is_mark(text: str, before: str, after: str) -> bool:
    """Tell a raised reference number or footnote sign from a raised part of a word (isotopes, ``HLA-B*57``)."""
    if not before or before[-1].isspace():
        return False
    if _REFERENCE_NUMBERS.fullmatch(text):
        return before[-1] not in "(-–/["
    return bool(_FOOTNOTE.fullmatch(text)) and not after[0].isalnum()


class TextBuilder:
    """Collects blocks of text and the sections they belong to."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0
        self.sections: list[Section] = []

    def add(self, text: str, kind: SectionKind, title: str | None = None, *, new: bool = False) -> None:
        """Append a paragraph, heading or row. Blocks of one kind and title make one section unless ``new``."""
        if not text:
            return
        last = self.sections[-1] if self.sections else None
        goes_on = last is not None and not new and last.kind == kind and last.title == title
        if self._length:
            self._append("\n" if goes_on else "\n\n")
        start = self._length
        self._append(text)
        if self._length > limits.TEXT:
            raise BadInput(f"A report may have {limits.TEXT:,} characters.", reason="too-large")
        if goes_on and last is not None:
            last.end = self._length
        else:
            self.sections.append(Section(kind=kind, start=start, end=self._length, title=title))

    def _append(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)

    @property
    def position(self) -> int:
        """Length of the text so far."""
        return self._length

    def text(self) -> str:
        """Return the text of all blocks."""
        return "".join(self._parts)
