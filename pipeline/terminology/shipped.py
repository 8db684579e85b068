"""Reads the names that ship with the package: ``mappings/drugs*.tsv``, ``drug_classes.tsv`` and ``reactions/*.tsv``.

Belongs here: the grammar of those files.  Does not belong here: vocabularies that users bring (``vocabularies``).

All files are UTF-8 with one concept a line: ``concept<TAB>kind<TAB>codes<TAB>synonyms[<TAB>members]``.  ``codes`` are
``SYSTEM:code`` separated by ``;`` (systems: ``code_systems.tsv``), synonyms and members separated by ``|``.  Empty
lines, lines that start with ``#`` and a header line are no concepts.  Names of at most four letters and digits that
have a capital are acronyms, found in these capitals only; all other names are found however they are capitalised.
"""

from collections.abc import Iterator
from functools import cache
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple, cast, get_args

from pipeline.data import MAPPINGS, rows
from pipeline.errors import UsageError
from pipeline.records import Coding
from pipeline.terminology.folding import fold_name, singulars
from pipeline.terminology.lexicon import Entry, Kind, Name, names_of

_HEADER = "concept\tkind\t"
_WITH_PREFIX = frozenset({"HP", "MONDO"})
"""Ontologies whose own identifiers carry the prefix: the code is ``HP:0001234``, not ``0001234``."""
_KINDS = frozenset(get_args(Kind))


class Concept(NamedTuple):
    """One line of a concept file and where it stands (``"drugs.tsv:12"``)."""

    name: str
    kind: Kind
    codings: tuple[Coding, ...]
    synonyms: list[str]
    members: tuple[str, ...]
    place: str


@cache
def code_systems() -> dict[str, str]:
    """FHIR canonical URLs by the short names used in our files (``"MESH"``), from ``mappings/code_systems.tsv``."""
    return {row[0]: row[1] for row in rows(MAPPINGS / "code_systems.tsv")}


def codings(codes: str) -> tuple[Coding, ...]:
    """``"MESH:D012345;HP:0001234"`` as codings; ``KeyError`` for an unknown system."""
    result = []
    for code in codes.split(";"):
        prefix, _, value = code.strip().partition(":")
        result.append(Coding(system=code_systems()[prefix], code=code.strip() if prefix in _WITH_PREFIX else value))
    return tuple(result)


def read_concepts(path: Path) -> Iterator[Concept]:
    """The concepts of one file. ``UsageError`` names file and line of what does not follow the grammar."""
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if line[0] in "#\n" or line.startswith(_HEADER):
                continue
            place = f"{path.name}:{number}"
            name, kind, codes, synonyms, members, *rest = [*line.rstrip("\n").split("\t"), "", "", "", ""]
            if any(rest) or kind not in _KINDS or not name:
                raise UsageError(f"{place}: expected a name, a kind of {', '.join(sorted(_KINDS))}, at most 5 cells")
            try:
                coded = codings(codes) if codes else ()
            except KeyError as error:
                raise UsageError(f"{place}: unknown code system {error}; known: {', '.join(code_systems())}") from None
            yield Concept(
                name,
                cast(Kind, kind),
                coded,
                synonyms.split("|") if synonyms else [],
                tuple(members.split("|")) if members else (),
                place,
            )


def drug_names() -> Iterator[Name]:
    """Curated names first, then those derived from the source list: the first of two equal names counts.

    A curated concept takes over the derived concepts whose preferred name is among its names (``paracetamol`` that of
    ``acetaminophen``) together with their codes.
    """
    curated = [
        concept
        for file in ("drugs_extra.tsv", "drug_classes.tsv", "drugs_masked.tsv")
        for concept in read_concepts(MAPPINGS / file)
    ]
    owner = {fold_name(text): concept for concept in reversed(curated) for text in (*concept.synonyms, concept.name)}
    derived = []
    best: dict[str, tuple[int, tuple[Coding, ...]]] = {}  # codes of the derived concept whose name comes first in ours
    for concept in read_concepts(MAPPINGS / "drugs.tsv"):
        folded = fold_name(concept.name)
        taken = owner.get(folded) or next((owner[form] for form in singulars(folded) if form in owner), None)
        derived.append((folded, concept, taken))
        if taken and concept.codings:
            ranked = [fold_name(text) for text in (taken.name, *taken.synonyms)]
            rank = ranked.index(folded) if folded in ranked else len(ranked)
            best[taken.place] = min(
                best.get(taken.place, (rank, concept.codings)), (rank, concept.codings), key=itemgetter(0)
            )
    entries: dict[str, Entry] = {}
    for concept in curated:
        coded = concept.codings or best.get(concept.place, (0, ()))[1]
        entry = Entry(concept.name, concept.kind, "drug", coded, concept.members)
        entries[concept.place] = entry
        yield from names_of(entry, (concept.name, *concept.synonyms))
    for folded, concept, taken in derived:
        entry = entries[taken.place] if taken else Entry(concept.name, concept.kind, "drug", concept.codings)
        yield Name(folded, entry)
        for synonym in concept.synonyms:  # folded and in all spellings already
            yield Name(synonym, entry)


def disorder_names() -> Iterator[Name]:
    """All concepts of ``mappings/reactions/*.tsv``."""
    for path in sorted((MAPPINGS / "reactions").glob("*.tsv")):
        for concept in read_concepts(path):
            entry = Entry(concept.name, concept.kind, "disorder", concept.codings, concept.members)
            yield from names_of(entry, (concept.name, *concept.synonyms))
