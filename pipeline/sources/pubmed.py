"""PubMed XML: ``PubmedArticle`` and ``PubmedBookArticle`` elements (NLM DTD of 2019 to 2025).

Belongs here: PubMed's element names.  Does not belong here: parsing (``markup``).
"""

import re

from pipeline.errors import BadInput
from pipeline.records import Article, MeshHeading, Report, SectionKind
from pipeline.sources import bibliography, language
from pipeline.sources.identity import identifier
from pipeline.sources.markup import Element, TextBuilder, inline
from pipeline.sources.sections import kind_of_title, with_inline_headings

_CATEGORIES: dict[str, SectionKind] = {
    "BACKGROUND": "introduction",
    "OBJECTIVE": "introduction",
    "METHODS": "methods",
    "RESULTS": "results",
    "CONCLUSIONS": "conclusion",
}


def report(record: Element, fallback: str) -> Report:
    """Return the report of one record: title and English abstract. Raises BadInput (``no-text``)."""
    book = record.find("BookDocument")
    citation = book if book is not None else record.find("MedlineCitation")
    if citation is None:
        raise BadInput("Expected MedlineCitation or BookDocument inside the record.", reason="no-text")
    main = citation if book is not None else citation.find("Article")
    if main is None:
        raise BadInput("Expected Article inside MedlineCitation.", reason="no-text")
    builder = TextBuilder()
    title = (
        inline(main.find("ArticleTitle")) or inline(main.find("Book/BookTitle")) or inline(main.find("VernacularTitle"))
    )
    builder.add(title, "title")
    loose = _abstract(main, citation, builder)
    text = builder.text()
    if not text:
        raise BadInput("The record has neither title nor abstract.", reason="no-text")
    article = _article(record, citation, main, title or None)
    return Report(
        report_id=_identifier(article, fallback),
        text=text,
        sections=with_inline_headings(text, builder.sections, loose),
        article=article,
    )


def _abstract(main: Element, citation: Element, builder: TextBuilder) -> list[tuple[int, int]]:
    """Add the abstract's parts; return the stretches without labels, in which headings may run inline."""
    loose = []
    pieces = main.findall("Abstract/AbstractText")
    if not pieces:
        english = [other for other in citation.findall("OtherAbstract") if other.get("Language", "eng") == "eng"]
        pieces = [piece for other in english[:1] for piece in other.findall("AbstractText")]
    for piece in pieces:
        text = inline(piece)
        label = (piece.get("Label") or "").strip()
        if not text:
            continue
        if label and label.upper() != "UNLABELLED":
            category = _CATEGORIES.get((piece.get("NlmCategory") or "").upper(), "abstract")
            builder.add(f"{label}: {text}", kind_of_title(label) or category, label, new=True)
        else:
            builder.add(text, "abstract")
            loose.append((builder.position - len(text), builder.position))
    return loose


def _article(record: Element, citation: Element, main: Element, title: str | None) -> Article:
    ids = {
        item.get("IdType"): (item.text or "").strip()
        for path in (
            "PubmedData/ArticleIdList/ArticleId",
            "PubmedBookData/ArticleIdList/ArticleId",
            "BookDocument/ArticleIdList/ArticleId",
        )
        for item in record.findall(path)
    }
    located = next((e.text for e in main.findall("ELocationID") if e.get("EIdType") == "doi"), None)
    pmcid = ids.get("pmc") or ids.get("pmcid")
    return Article(
        title=title,
        journal=inline(main.find("Journal/Title")) or inline(main.find("Journal/ISOAbbreviation"))
        or inline(main.find("Book/BookTitle")) or None,
        year=_year(main),
        doi=bibliography.doi(ids.get("doi") or located or ""),
        pmid=inline(citation.find("PMID")) or ids.get("pubmed") or None,
        pmcid=pmcid if not pmcid or pmcid.upper().startswith("PMC") else f"PMC{pmcid}",
        authors=[name for author in main.findall("AuthorList/Author") if (name := _author(author))],
        language=language.code(inline(main.find("Language"))),
        mesh=[_mesh(heading) for heading in citation.findall("MeshHeadingList/MeshHeading")],
        publication_types=[
            text for path in ("PublicationTypeList/PublicationType", "PublicationType")
            for item in main.findall(path) if (text := inline(item))
        ],
    )  # fmt: skip


def _year(main: Element) -> int | None:
    for path in ("Journal/JournalIssue/PubDate", "Book/PubDate", "ArticleDate", "ContributionDate"):
        date = main.find(path)
        if date is not None and (match := re.search(r"\b(?:1[89]|20)\d\d\b", inline(date))):
            return int(match.group())
    return None


def _author(author: Element) -> str:
    group = inline(author.find("CollectiveName"))
    parts = [inline(author.find(part)) for part in ("ForeName", "LastName", "Suffix")]
    return group or " ".join(part for part in parts if part)


def _mesh(heading: Element) -> MeshHeading:
    descriptor = heading.find("DescriptorName")
    qualifiers = heading.findall("QualifierName")
    parts = qualifiers if descriptor is None else [descriptor, *qualifiers]
    return MeshHeading(
        descriptor=inline(descriptor),
        ui=descriptor.get("UI") if descriptor is not None else None,
        qualifiers=[inline(qualifier) for qualifier in qualifiers],
        major=any(part.get("MajorTopicYN") == "Y" for part in parts),
    )


def _identifier(article: Article, fallback: str) -> str:
    if article.pmid:
        return identifier("pmid", article.pmid)
    if article.pmcid:
        return identifier(article.pmcid)
    return identifier("doi", article.doi) if article.doi else fallback
