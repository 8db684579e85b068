"""JATS and its predecessors (NLM Archiving and Publishing DTD 2.x, 3.x; ANSI/NISO Z39.96 JATS 1.x).

Belongs here: JATS element names.  Does not belong here: parsing (``markup``).  Reference lists, author notes and
licences are metadata or other articles' words and are not part of the text.
"""

import copy
import re
from collections.abc import Iterator

from pipeline.errors import BadInput
from pipeline.records import Article, Report, SectionKind
from pipeline.sources import bibliography, language
from pipeline.sources.identity import identifier
from pipeline.sources.markup import Element, TextBuilder, inline, inline_without, name
from pipeline.sources.sections import kind_of_title, with_inline_headings

_FLOATS = frozenset(
    {"fig", "fig-group", "table-wrap", "table-wrap-group", "boxed-text", "supplementary-material", "fn", "fn-group"}
)
_BLOCKS = _FLOATS | {
    "list",
    "def-list",
    "disp-quote",
    "disp-formula",
    "disp-formula-group",
    "preformat",
    "code",
    "table",
}
_SKIPPED = {
    "ref-list",
    "sec-meta",
    "label",
    "graphic",
    "media",
    "alternatives",
    "permissions",
    "sub-article",
    "response",
}
_SECTION_TYPES: dict[str, SectionKind] = {
    "intro": "introduction", "cases": "case", "case": "case", "case-report": "case", "subjects": "methods",
    "methods": "methods", "materials": "methods", "results": "results", "discussion": "discussion",
    "conclusions": "conclusion", "conclusion": "conclusion", "supplementary-material": "furniture",
    "data-availability": "furniture", "coi-statement": "furniture", "ethics-statement": "furniture",
    "author-contribution": "furniture", "funding-information": "furniture",
}  # fmt: skip
_WIDEST = 100
"""Columns or rows that a cell of a table may take; more is a slip."""
_DATES = ("ppub", "collection", "epub", "pub", "epub-ppub", "electronic", "print")


def reports(article: Element, fallback: str) -> Iterator[Report | BadInput]:
    """Yield the report of an article, then one for each sub-article and response in it."""
    parent = Article()
    for number, part in enumerate([article, *article.iter("sub-article", "response")]):
        try:
            report = _report(part, fallback if not number else f"{fallback}-{number}", parent if number else None)
        except BadInput as error:
            yield error
            continue
        if not number:
            parent, fallback = report.article, report.report_id
        yield report


def _report(part: Element, fallback: str, parent: Article | None) -> Report:
    meta = part.find("front/article-meta")
    if meta is None:
        meta = part.find("front-stub")
    journal = part.find("front/journal-meta")
    facts = _article(part, meta, journal, parent)
    builder = TextBuilder()
    builder.add(facts.title or "", "title")
    loose: list[tuple[int, int]] = []
    if meta is not None:
        for abstract in meta.findall("abstract"):
            loose += _abstract(abstract, builder)
        for abstract in meta.findall("trans-abstract"):
            if language.code(abstract.get("{http://www.w3.org/XML/1998/namespace}lang")) == "en":
                loose += _abstract(abstract, builder)
    body = part.find("body")
    if body is not None:
        _blocks(body, builder, "body", None)
    for place in ("floats-group", "floats-wrap"):
        for group in part.findall(place):
            _blocks(group, builder, "body", None)
    back = part.find("back")
    if back is not None:
        _back(back, builder)
    text = builder.text()
    if not text:
        raise BadInput("Expected a title, an abstract or a body in the article; it has none.", reason="no-text")
    return Report(
        report_id=_identifier(facts, fallback, parent),
        text=text,
        sections=with_inline_headings(text, builder.sections, loose),
        article=facts,
    )


def _abstract(abstract: Element, builder: TextBuilder) -> list[tuple[int, int]]:
    """Add an abstract; return its stretch if it has no sections of its own (headings may run inline)."""
    title = inline(abstract.find("title")) or None
    before = builder.position
    if title and kind_of_title(title) != "abstract":
        builder.add(title, "abstract", title)
    _blocks(abstract, builder, "abstract", title)
    if abstract.find("sec") is not None or builder.position == before:
        return []
    return [(before + 2 if before else 0, builder.position)]


def _blocks(parent: Element, builder: TextBuilder, kind: SectionKind, title: str | None) -> None:
    for child in parent:
        tag = name(child)
        if tag in ("sec", "app", "boxed-text"):
            _section(child, builder, kind, title)
        elif tag in ("fig", "supplementary-material"):
            _figure(child, builder)
        elif tag == "table-wrap":
            _table(child, builder)
        elif tag in ("title", "") or tag in _SKIPPED:
            continue
        elif tag in ("p", "list-item", "def", "verse-line", "speech", "attrib"):
            _paragraph(child, builder, kind, title)
        elif tag == "def-item":
            term, definition = inline(child.find("term")), inline(child.find("def"))
            builder.add(f"{term}: {definition}" if definition else term, kind, title)
        elif tag in ("fn", "disp-formula", "preformat", "code"):
            builder.add(inline(child), kind, title)
        else:
            _blocks(child, builder, kind, title)


def _paragraph(element: Element, builder: TextBuilder, kind: SectionKind, title: str | None) -> None:
    """A paragraph's own words first, then the figures, tables and lists that the mark-up puts inside it."""
    inside = [child for child in element if name(child) in _BLOCKS]
    if name(element) == "list-item" and element.find("p") is not None:
        _blocks(element, builder, kind, title)
        return
    builder.add(inline_without(element, _BLOCKS) if inside else inline(element), kind, title)
    for child in inside:
        holder = child.makeelement("holder")
        holder.extend([_copy(child)])
        _blocks(holder, builder, kind, title)


def _copy(element: Element) -> Element:
    copied = copy.copy(element)
    copied.tail = None
    return copied


def _section(section: Element, builder: TextBuilder, outer: SectionKind, outer_title: str | None) -> None:
    heading = inline(section.find("title"))
    label = inline(section.find("label"))
    kind = kind_of_title(heading) if heading else None
    if kind is None:
        kind = _SECTION_TYPES.get((section.get("sec-type") or "").split("|")[0].lower(), outer)
    elif outer in ("methods", "results", "discussion", "case") and kind in (
        "case",
        "methods",
        "results",
        "introduction",
    ):
        # "Patients" under Methods, "Treatment" under Results or Discussion: a part of what is around it,
        # unless the case itself begins there.
        kind = kind if re.match(r"(?i)(?:\W|\d)*(?:clinical )?case\b", heading) else outer
    title = heading or outer_title
    line = f"{label} {heading}".strip() if label and not heading.startswith(label) else heading
    builder.add(line, kind, title, new=bool(heading))
    _blocks(section, builder, kind, title)


def _figure(figure: Element, builder: TextBuilder) -> None:
    label = inline(figure.find("label"))
    caption = figure.find("caption")
    text = inline(caption)
    if text:
        builder.add(_labelled(label, text), "caption", label or None, new=True)


def _table(wrap: Element, builder: TextBuilder) -> None:
    label = inline(wrap.find("label")) or None
    builder.add(_labelled(label or "", inline(wrap.find("caption"))), "caption", label, new=True)
    merged: dict[int, tuple[int, str]] = {}
    for row in wrap.iter("tr"):
        cells = _cells(row, merged)
        builder.add("\t".join(cells).rstrip("\t") if any(cells) else "", "table", label)
    for foot in wrap.findall("table-wrap-foot"):
        builder.add(inline(foot), "table", label)


def _cells(row: Element, merged: dict[int, tuple[int, str]]) -> list[str]:
    """The cells of a row, one for each column: a cell over several rows is said in each, one over columns in the first.

    ``merged`` maps columns to the rows that a cell above still reaches and to its words; it is kept up to date.
    """
    cells: list[str] = []
    for cell in [c for c in row if name(c) in ("td", "th")]:
        _from_above(cells, merged)
        rows, columns = _span(cell, "rowspan"), _span(cell, "colspan")
        for words in [inline(cell), *[""] * (columns - 1)]:
            if rows > 1:
                merged[len(cells)] = (rows - 1, words)
            cells.append(words)
    _from_above(cells, merged)
    return cells


def _from_above(cells: list[str], merged: dict[int, tuple[int, str]]) -> None:
    """Add the cells of the next columns that reach down from rows above."""
    while len(cells) in merged:
        rows, words = merged.pop(len(cells))
        if rows > 1:
            merged[len(cells)] = (rows - 1, words)
        cells.append(words)


def _span(cell: Element, side: str) -> int:
    """How many rows or columns a cell takes; what is no small number is one."""
    stated = cell.get(side) or ""
    return min(int(stated), _WIDEST) if re.fullmatch(r"[1-9]\d{0,2}", stated) else 1


def _labelled(label: str, text: str) -> str:
    if not label or not text:
        return label or text
    return f"{label} {text}" if label.endswith((".", ":")) else f"{label}. {text}"


def _back(back: Element, builder: TextBuilder) -> None:
    for child in back:
        tag = name(child)
        if tag in ("sec", "app"):
            _section(child, builder, "body", None)
        elif tag == "app-group":
            _blocks(child, builder, "body", None)
        elif tag in ("ack", "fn-group", "notes", "glossary", "bio"):
            heading = inline(child.find("title")) or None
            builder.add(heading or "", "furniture", heading, new=True)
            _blocks(child, builder, "furniture", heading)


def _article(part: Element, meta: Element | None, journal: Element | None, parent: Article | None) -> Article:
    kind = part.get("article-type") or part.get("response-type")
    stated = language.code(part.get("{http://www.w3.org/XML/1998/namespace}lang"))
    if meta is None:
        return Article(language=stated, publication_types=[kind] if kind else [])
    ids = {item.get("pub-id-type"): inline(item) for item in meta.findall("article-id")}
    pmcid = ids.get("pmc") or ids.get("pmcid")
    subjects = [
        subject
        for group in meta.findall("article-categories/subj-group")
        if group.get("subj-group-type") == "heading"
        for item in group.findall("subject")
        if (subject := inline(item))
    ]
    title = inline(meta.find("title-group/article-title"))
    subtitle = inline(meta.find("title-group/subtitle"))
    named = _journal(journal) if journal is not None else (parent.journal if parent else None)
    return Article(
        title=(f"{title}: {subtitle}" if title and subtitle else title or subtitle) or None,
        journal=named,
        year=_year(meta) or (parent.year if parent else None),
        doi=bibliography.doi(ids.get("doi") or ""),
        pmid=ids.get("pmid"),
        pmcid=pmcid if not pmcid or pmcid.upper().startswith("PMC") else f"PMC{pmcid}",
        authors=_authors(meta),
        language=stated or (parent.language if parent else None),
        publication_types=list(dict.fromkeys([kind, *subjects] if kind else subjects)),
    )


def _journal(meta: Element) -> str | None:
    for path in ("journal-title-group/journal-title", "journal-title", "journal-title-group/abbrev-journal-title"):
        if found := inline(meta.find(path)):
            return found
    return next((inline(item) for item in meta.findall("journal-id") if item.get("journal-id-type") == "nlm-ta"), None)


def _year(meta: Element) -> int | None:
    years = {}
    for date in meta.findall("pub-date"):
        year = inline(date.find("year"))
        if re.fullmatch(r"(?:1[89]|20)\d\d", year):
            years[date.get("pub-type") or date.get("publication-format") or date.get("date-type") or "pub"] = int(year)
    return next((years[kind] for kind in _DATES if kind in years), next(iter(years.values()), None))


def _authors(meta: Element) -> list[str]:
    authors = []
    for contributor in meta.findall("contrib-group/contrib"):
        if contributor.get("contrib-type") not in (None, "author"):
            continue
        person = contributor.find("name")
        if person is None:
            person = contributor.find("name-alternatives/name")
        if person is not None:
            parts = (inline(person.find("given-names")), inline(person.find("surname")), inline(person.find("suffix")))
            authors.append(" ".join(part for part in parts if part))
        elif group := inline(contributor.find("collab")) or inline(contributor.find("string-name")):
            authors.append(group)
    return authors


def _identifier(article: Article, fallback: str, parent: Article | None) -> str:
    if article.pmcid and not (parent and parent.pmcid == article.pmcid):
        return identifier(article.pmcid)
    if article.pmid and not (parent and parent.pmid == article.pmid):
        return identifier("pmid", article.pmid)
    if article.doi and not (parent and parent.doi == article.doi) and not parent:
        return identifier("doi", article.doi)
    return fallback
