"""Readers for vocabularies that users hold a licence for: RxNorm, MedDRA, SNOMED CT, and ontologies in OBO form.

Belongs here: the layout of their release files.  Does not belong here: any of their content.

Each ``read_x(path)`` streams :class:`VocabularyEntry` in file order and raises ``UsageError`` with file and line for
what does not follow the layout.  :func:`discover` finds release files in a folder, or reads a TOML list::

    [[vocabulary]]
    format = "meddra"            # rxnorm, meddra, snomed or obo
    path = "/data/MedDRA_27_1/MedAscii"
"""

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import UsageError
from pipeline.records import Coding
from pipeline.terminology.lexicon import Kind, Semantic
from pipeline.terminology.shipped import code_systems, codings


class VocabularyEntry(NamedTuple):
    """One concept of a vocabulary: its code, preferred term and other terms.

    ``brand``: a product name; its code is not the code of the ingredient it may already be known as.
    """

    name: str
    coding: Coding
    semantic: Semantic
    kind: Kind
    synonyms: tuple[str, ...] = ()
    brand: bool = False


def _cells(path: Path, separator: str, least: int) -> Iterator[list[str]]:
    """The cells of each line. ``UsageError`` where a line has fewer than ``least``, or the file is not UTF-8."""
    try:
        with path.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, 1):
                cells = line.rstrip("\r\n").split(separator)
                if len(cells) < least:
                    raise UsageError(f"{path}, line {number}: {len(cells)} fields, at least {least} expected")
                yield cells
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); give the folder or file of the release") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 near byte {error.start}; use the UTF-8 files of the release") from None


_RXNORM_INGREDIENTS = frozenset({"IN", "MIN"})
_RXNORM_TERMS = _RXNORM_INGREDIENTS | {"BN", "SY", "TMSY"}


def read_rxnorm(path: Path) -> Iterator[VocabularyEntry]:
    """Ingredients (IN), ingredient sets (MIN) and brand names (BN) of ``RXNCONSO.RRF`` or of the folder that holds it.

    Layout: RxNorm technical documentation, "Concept Names and Sources": 18 fields, ``RXCUI`` first, ``SAB`` 12th,
    ``TTY`` 13th, ``STR`` 15th, ``SUPPRESS`` 17th. Terms that are suppressed or of other sources are left out.
    """
    file = path / "RXNCONSO.RRF" if path.is_dir() else path
    names: dict[str, tuple[str, str]] = {}
    synonyms: dict[str, list[str]] = {}
    for cells in _cells(file, "|", 18):
        rxcui, language, source, kind, text, suppressed = cells[0], cells[1], cells[11], cells[12], cells[14], cells[16]
        if source != "RXNORM" or language != "ENG" or kind not in _RXNORM_TERMS or suppressed not in ("N", ""):
            continue
        if kind in _RXNORM_INGREDIENTS or kind == "BN":
            names[rxcui] = (text, kind)
        else:
            synonyms.setdefault(rxcui, []).append(text)
    for rxcui, (text, kind) in names.items():
        brand = kind == "BN"
        yield VocabularyEntry(
            text if brand else text.lower(),
            Coding(system=code_systems()["RXNORM"], code=rxcui, display=text),
            "drug",
            "combination" if kind == "MIN" else "ingredient",
            tuple(synonyms.get(rxcui, ())),
            brand,
        )


def read_meddra(path: Path) -> Iterator[VocabularyEntry]:
    """Preferred terms with their current lowest level terms, from the folder that holds ``pt.asc`` and ``llt.asc``.

    Layout: MedDRA Distribution File Format Document: ``$``-separated; ``pt.asc``: code, name; ``llt.asc``: code, name,
    code of the preferred term, and whether it is current as the 10th field.
    """
    terms: dict[str, list[str]] = {}
    for cells in _cells(path / "llt.asc", "$", 10):
        if cells[9] == "Y":
            terms.setdefault(cells[2], []).append(cells[1])
    for code, name, *_ in _cells(path / "pt.asc", "$", 2):
        coding = Coding(system=code_systems()["MEDDRA"], code=code, display=name)
        others = tuple(term for term in terms.get(code, ()) if term != name)
        yield VocabularyEntry(name.lower(), coding, "disorder", "disorder", others)


_SNOMED_NAME, _SNOMED_SYNONYM = "900000000000003001", "900000000000013009"
_SNOMED_TAG = re.compile(r" \(([^()]+)\)$")
_SNOMED_KINDS: dict[str, tuple[Semantic, Kind]] = {
    "disorder": ("disorder", "disorder"),
    "finding": ("disorder", "sign"),
    "event": ("disorder", "event"),
    "substance": ("drug", "ingredient"),
}


def read_snomed(path: Path) -> Iterator[VocabularyEntry]:
    """Disorders, findings, events and substances of a SNOMED CT RF2 snapshot, English terms.

    ``path`` is the folder of the release, or its ``sct2_Description_Snapshot…txt``; with a
    ``sct2_Concept_Snapshot…txt`` in the same folder, retired concepts are left out. Layout: SNOMED CT Release File
    Specification: tab-separated with a header; the semantic tag closes the fully specified name.
    """
    file = _only(path, "sct2_Description_Snapshot*.txt") if path.is_dir() else path
    retired: set[str] = set()
    for concepts in file.parent.glob("sct2_Concept_Snapshot*.txt"):
        retired |= {cells[0] for cells in _cells(concepts, "\t", 5) if cells[2] == "0"}
    names: dict[str, str] = {}
    synonyms: dict[str, list[str]] = {}
    for cells in _cells(file, "\t", 9):
        concept, language, kind, term = cells[4], cells[5], cells[6], cells[7]
        if cells[2] != "1" or language != "en" or concept in retired:
            continue
        if kind == _SNOMED_NAME:
            names[concept] = term
        elif kind == _SNOMED_SYNONYM:
            synonyms.setdefault(concept, []).append(term)
    for concept, name in names.items():
        tag = _SNOMED_TAG.search(name)
        if tag and tag[1] in _SNOMED_KINDS:
            bare = name[: tag.start()]
            coding = Coding(system=code_systems()["SNOMEDCT"], code=concept, display=bare)
            others = tuple(term for term in synonyms.get(concept, ()) if term != bare)
            yield VocabularyEntry(bare.lower(), coding, *_SNOMED_KINDS[tag[1]], others)


_OBO_SYNONYM = re.compile(r'"((?:[^"\\]|\\.)*)" EXACT\b')


def read_obo(path: Path) -> Iterator[VocabularyEntry]:
    """Terms of an ontology of signs or disorders in OBO form (HPO, MONDO) with their exact synonyms.

    Layout: OBO Flat File Format 1.4. Obsolete terms, and those imported from ontologies that ``code_systems.tsv`` does
    not list, are left out.
    """
    term: dict[str, list[str]] | None = None
    for cells in _cells(path, "\n", 1):
        line = cells[0]
        if line.startswith("["):
            yield from _obo_entry(term)
            term = {} if line == "[Term]" else None
        elif term is not None and ": " in line:
            tag, value = line.split(": ", 1)
            term.setdefault(tag, []).append(value)
    yield from _obo_entry(term)


def _obo_entry(term: dict[str, list[str]] | None) -> Iterator[VocabularyEntry]:
    if not term or "name" not in term or "id" not in term or term.get("is_obsolete") == ["true"]:
        return
    identifier, name = term["id"][0], term["name"][0]
    if identifier.partition(":")[0] in code_systems():
        coding = Coding(system=codings(identifier)[0].system, code=identifier, display=name)
        others = tuple(found[1] for text in term.get("synonym", ()) if (found := _OBO_SYNONYM.match(text)))
        kind: Kind = "sign" if identifier.startswith("HP:") else "disorder"
        yield VocabularyEntry(name.lower(), coding, "disorder", kind, others)


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.rglob(pattern))
    if len(found) != 1:
        raise UsageError(f"{folder}: {len(found)} files {pattern}, one expected; name the file of one release")
    return found[0]


Reader = Callable[[Path], Iterator[VocabularyEntry]]
READERS: dict[str, Reader] = {
    "rxnorm": read_rxnorm,
    "meddra": read_meddra,
    "snomed": read_snomed,
    "obo": read_obo,
}
_SIGNS: tuple[tuple[str, Reader, bool], ...] = (
    ("RXNCONSO.RRF", read_rxnorm, False),
    ("llt.asc", read_meddra, True),
    ("sct2_Description_Snapshot*.txt", read_snomed, False),
    ("*.obo", read_obo, False),
)
"""File names that give a release away, its reader, and whether that wants the folder."""


def discover(path: Path) -> list[tuple[Reader, Path]]:
    """The vocabularies in a folder, searched with its sub folders, or in a TOML list, in order of path.

    ``UsageError`` if there is none or the list does not follow its form.
    """
    if path.suffix == ".toml":
        return list(_listed(path))
    found = [
        (reader, file.parent if folder else file)
        for pattern, reader, folder in _SIGNS
        for file in sorted(path.rglob(pattern) if path.is_dir() else [path] if path.match(pattern) else [])
    ]
    if not found:
        known = ", ".join(pattern for pattern, _, _ in _SIGNS)
        raise UsageError(f"{path}: no vocabulary found; looked for {known}, or give a list in a .toml file")
    return found


def _listed(path: Path) -> Iterator[tuple[Reader, Path]]:
    try:
        items = tomllib.loads(path.read_text(encoding="utf-8")).get("vocabulary", [])
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path}: {error}") from None
    for number, item in enumerate(items, 1):
        if item.get("format") not in READERS or "path" not in item:
            raise UsageError(f"{path}, vocabulary {number}: needs a path and a format of {', '.join(READERS)}")
        yield READERS[item["format"]], path.parent / item["path"]


def read(paths: Iterable[Path]) -> Iterator[VocabularyEntry]:
    """Everything in the vocabularies that :func:`discover` finds under each path."""
    for path in paths:
        for reader, file in discover(path):
            yield from reader(file)
