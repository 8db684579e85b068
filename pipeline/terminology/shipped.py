"""Reads the names that ship with the package: ``mappings/drugs*.tsv``, ``drug_classes.tsv`` and ``reactions/*.tsv``.

Belongs here: the grammar of those files.  Does not belong here: vocabularies that users bring (``vocabularies``).

All files are UTF-8 with one concept a line: ``concept<TAB>kind<TAB>codes<TAB>synonyms[<TAB>members]``.  ``codes`` are
``SYSTEM:code`` separated by ``;`` (systems: ``code_systems.tsv``), synonyms and members separated by ``|``.  Empty
lines and lines that start with ``#`` are comments.  A header line is allowed.  Names of at most four letters and digits that have a capital are
acronyms, found in these capitals only; all other names are found however they are capitalised.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple, cast, get_args

from pipeline.data import MAPPINGS
from pipeline.errors import UsageError
from pipeline.records import Coding
from pipeline.terminology.folding import fold_name, plurals, spellings
from pipeline.terminology.lexicon import Entry, Kind, Name, Semantic

LONGEST_ACRONYM = 4
_HEADER = "concept\tkind\t"
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
    lines = (MAPPINGS / "code_systems.tsv").read_text(encoding="utf-8").splitlines()
    return dict(line.split("\t")[:2] for line in lines if line and not line.startswith("#"))


def codings(codes: str) -> tuple[Coding, ...]:
    """``"MESH:D012345;HP:0001234"`` as codings; ``KeyError`` for an unknown system. HPO codes keep their prefix."""
    result = []
    for code in codes.split(";"):
        prefix, _, value = code.strip().partition(":")
        result.append(Coding(system=code_systems()[prefix], code=f"HP:{value}" if prefix == "HP" else value))
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


def is_short_acronym(text: str) -> bool:
    """Whether a name is found in its own capitals only, because in others it would be a word or something else."""
    return text != text.lower() and sum(map(str.isalnum, text)) <= LONGEST_ACRONYM


def names_of(entry: Entry, texts: Iterable[str], *, expand: bool = True) -> Iterator[Name]:
    """The names under which ``entry`` is found: ``texts`` and, with ``expand``, their other spellings and plurals."""
    for text in texts:
        exact = is_short_acronym(text)
        yield Name(text, entry, exact)
        if expand and not exact:
            folded = fold_name(text)
            for form in spellings(folded):
                if form != folded:
                    yield Name(form, entry)
                for plural in plurals(form):
                    yield Name(plural, entry)


def drug_names() -> Iterator[Name]:
    """Curated names first, then those derived from the source list: the first of two equal names counts.

    A curated concept takes over the derived concepts whose preferred name is among its synonyms (``paracetamol`` that
    of ``acetaminophen``) together with their codes.
    """
    curated = [
        concept
        for file in ("drugs_extra.tsv", "drug_classes.tsv", "drugs_masked.tsv")
        for concept in read_concepts(MAPPINGS / file)
    ]
    owner = {fold_name(text): concept for concept in reversed(curated) for text in (*concept.synonyms, concept.name)}
    derived = list(read_concepts(MAPPINGS / "drugs.tsv"))
    codes: dict[str, tuple[Coding, ...]] = {}
    for concept in derived:
        if concept.codings and (taken := owner.get(fold_name(concept.name))):
            codes.setdefault(taken.place, concept.codings)
            if taken.name == concept.name:
                codes[taken.place] = concept.codings
    entries: dict[str, Entry] = {}
    for concept in curated:
        coded = concept.codings or codes.get(concept.place, ())
        entry = Entry(concept.name, concept.kind, "drug", coded, concept.members)
        entries[concept.place] = entry
        yield from names_of(entry, (concept.name, *concept.synonyms))
    for concept in derived:
        taken = owner.get(fold_name(concept.name))
        entry = entries[taken.place] if taken else Entry(concept.name, concept.kind, "drug", concept.codings)
        yield from names_of(entry, (concept.name, *concept.synonyms), expand=False)


def disorder_names() -> Iterator[Name]:
    """All concepts of ``mappings/reactions/*.tsv``."""
    for path in sorted((MAPPINGS / "reactions").glob("*.tsv")):
        for concept in read_concepts(path):
            semantic: Semantic = "disorder"
            entry = Entry(concept.name, concept.kind, semantic, concept.codings, concept.members)
            yield from names_of(entry, (concept.name, *concept.synonyms))
