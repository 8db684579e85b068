"""Finds known names in text and resolves names to concepts with codes.

Belongs here: the concept, the match, and how names are searched.  Does not belong here: where the names come from
(``shipped``, ``vocabularies``) or what a match means in its sentence (extraction).
"""

import re
from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Literal, NamedTuple

from ahocorasick_rs import BytesAhoCorasick, Implementation

from pipeline.records import Coding
from pipeline.terminology.folding import fold, fold_name, plurals, singulars, spellings

if TYPE_CHECKING:
    from pipeline.terminology.vocabularies import VocabularyEntry

Semantic = Literal["drug", "disorder"]
Kind = Literal[
    "ingredient", "combination", "class", "regimen", "vaccine", "herb", "contrast", "substance", "analyte", "therapy",
    "disorder", "sign", "laboratory", "event", "masked",
]  # fmt: skip


class Entry(NamedTuple):
    """One concept. ``name`` is the preferred name: the INN in lower case without salt, or the disorder.

    ``kind`` of drugs: ``ingredient``; ``combination`` and ``regimen`` (``members`` are names of their ingredients);
    ``class``; ``vaccine``, ``herb``, ``contrast`` (medium), ``substance`` (of abuse, poison, food); ``therapy``
    (treatment that is no substance: radiotherapy, transfusion); ``analyte``: given as a medicine but far more often
    measured in a laboratory (glucose, potassium), to be judged by context.  Of disorders: ``disorder``, ``sign``,
    ``laboratory``, ``event``.  ``masked`` entries are never returned: phrases that contain a name but do not mean it
    (``insulin-dependent``).
    """

    name: str
    kind: Kind
    semantic: Semantic
    codings: tuple[Coding, ...] = ()
    members: tuple[str, ...] = ()


class Match(NamedTuple):
    """``text[start:end]`` (code points) is a name of ``entry``."""

    start: int
    end: int
    entry: Entry


class Name(NamedTuple):
    """One way to write a concept: ``pattern`` as ``fold_name`` gives it, ``exact`` the only capitalisation allowed."""

    pattern: str
    entry: Entry
    exact: str | None = None


_SALTS = re.compile(
    rb"(?: (?:hydro(?:chloride|bromide|iodide)|di(?:hydrochloride|sodium|hydrate|phosphate|maleate|propionate)|hcl|hbr"
    rb"|mono(?:hydrate|sodium|hydrochloride|nitrate)|tri(?:hydrate|sodium)|hemi(?:hydrate|fumarate)|sodium|potassium"
    rb"|calcium|magnesium|zinc|meglumine|tromethamine|trometamol|lysine|arginine|acetate|acetonide|aspartate|benzoate"
    rb"|besil?yl?ate|besilate|bitartrate|bromide|carbonate|chloride|citrate|decanoate|dipropionate|edisylate|embonate"
    rb"|enant?hate|estolate|ethylsuccinate|fumarate|furoate|gluconate|hyclate|hydroxide|isethionate|lactate|lactobionate"
    rb"|malate|maleate|mesil?yl?ate|mesilate|methylsulfate|methylsulphate|mofetil|mucate|napsylate|nitrate|oxalate"
    rb"|palmitate|pamoate|phosphate|pivoxil|propionate|proxetil|salicylate|stearate|succinate|sulfate|sulphate|tartrate"
    rb"|teoclate|theoclate|tosil?yl?ate|tosilate|undecanoate|valerate|xinafoate|axetil|medoxomil|cilexetil|besylate"
    rb"|mesylate|tosylate))+(?= )"
)
"""Words that name the salt or ester of the ingredient before them; they belong to the mention, not to the INN."""
_TAILS = {"ingredient": _SALTS, "class": re.compile(rb" (?:agent|drug|medication)s?(?= )")}
"""What may follow a name of a kind and still belongs to the mention: ``phenytoin sodium``, ``antipsychotic drugs``."""
LONGEST_ACRONYM = 4
_SHORTEST_NEW_NAME = 3
_SEARCHED = 12
"""Bytes of a name that the automaton holds; the rest is compared. Halves the time to build it, costs none to search."""
_SPACE, _S = b" s"
_SHORTEST_PLURAL = 3
"""A name of fewer letters has no plural: ``as`` is not the plural of ``a``."""


def is_short_acronym(text: str) -> bool:
    """Whether a name is found in its own capitals only, because in others it would be a word or something else."""
    return text != text.lower() and sum(map(str.isalnum, text)) <= LONGEST_ACRONYM


def names_of(entry: Entry, texts: Iterable[str]) -> Iterator[Name]:
    """The names under which ``entry`` is found: ``texts``, their other spellings, and plurals that are not in ``s``."""
    for text in texts:
        folded = fold_name(text)
        if is_short_acronym(text):
            yield Name(folded, entry, text)
            continue
        for form in spellings(folded):
            yield Name(form, entry)
            for plural in plurals(form):
                yield Name(plural, entry)


class Lexicon:
    """An immutable set of names. Of two entries of one semantic type with the same name the first given wins."""

    def __init__(self, names: Iterable[Name]) -> None:
        by_pattern: dict[str, list[Name]] = {}
        for name in names:
            by_pattern.setdefault(name.pattern, []).append(name)
        by_pattern.pop("", None)
        self._by_pattern = by_pattern
        groups: dict[bytes, list[tuple[bytes, list[Name]]]] = {}
        for pattern, named in by_pattern.items():
            searched = f" {pattern}".encode("latin-1")
            groups.setdefault(searched[:_SEARCHED], []).append((searched, named))
        self._groups = list(groups.values())
        self._automaton = BytesAhoCorasick(groups, implementation=Implementation.ContiguousNFA)
        self._last: tuple[str, list[Match]] = ("", [])  # a text and its matches: several readers of a report ask
        self._looked_up = lru_cache(maxsize=1 << 13)(self._lookup)

    def __len__(self) -> int:
        return len(self._by_pattern)

    def __repr__(self) -> str:
        return f"<Lexicon of {len(self)} names>"

    def names(self) -> Iterator[Name]:
        """Every name, in no particular order."""
        return chain.from_iterable(self._by_pattern.values())

    def find(self, text: str) -> list[Match]:
        """Names in ``text``: leftmost, then longest, without overlap within one semantic type; sorted by start, end.

        A name is found as whole words; hyphen, slash and single line breaks equal a space; a plural ``s`` and the
        salt or ester word after an ingredient belong to the match.  The matches of the last text are remembered.
        """
        last = self._last
        if last[0] != text:
            last = self._last = (text, self._find(text))
        return list(last[1])

    def _find(self, text: str) -> list[Match]:
        folded = b" " + fold(text) + b"  "
        found: list[tuple[int, int, Entry]] = []
        for group, start, _ in self._automaton.find_matches_as_indexes(folded, overlapping=True):
            # The pattern's leading space takes the place of the padding: start is already an offset into the text.
            for pattern, names in self._groups[group]:
                stop = start + len(pattern)
                if not folded.startswith(pattern, start):
                    continue
                if folded[stop] == _SPACE:
                    end = stop - 1
                elif folded[stop] == _S and folded[stop + 1] == _SPACE and stop - start > _SHORTEST_PLURAL:
                    end = stop
                else:
                    continue
                seen: set[str] = set()
                for _, entry, exact in names:
                    if entry.semantic not in seen and (exact is None or _same_letters(text[start:end], exact)):
                        seen.add(entry.semantic)
                        found.append((start, end, entry))
        return self._select(found, folded)

    @staticmethod
    def _select(found: list[tuple[int, int, Entry]], folded: bytes) -> list[Match]:
        """Leftmost-longest of all candidates, masked phrases taken out, salts added."""
        found.sort(key=lambda candidate: (candidate[0], -candidate[1]))
        free = {"drug": 0, "disorder": 0}
        matches = []
        for start, end, entry in found:
            if start < free[entry.semantic]:
                continue
            tail = _TAILS.get(entry.kind)
            if tail and (more := tail.match(folded, end + 1)):
                end = more.end() - 1  # noqa: PLW2901
            free[entry.semantic] = end
            if entry.kind != "masked":
                matches.append(Match(start, end, entry))
        return matches

    def with_vocabularies(self, entries: Iterable["VocabularyEntry"]) -> "Lexicon":
        """A lexicon that also knows ``entries``: codes added to known concepts, other concepts added.

        A known concept is one that already has the entry's preferred name, or else one of its synonyms; it gets the
        code if that comes by its own preferred name, or if no other entry of that code system does. Names that are
        already taken keep their meaning.
        """
        own: dict[tuple[str, str], list[Coding]] = {}
        borrowed: dict[tuple[str, str], list[Coding]] = {}
        added: list[tuple[Entry, VocabularyEntry]] = []
        for new in entries:
            names = (new.name, *new.synonyms)
            known = next((e for text in names if (e := self._named(text, new.semantic))), None)
            entry = known or Entry(new.name, new.kind, new.semantic)
            added.append((entry, new))
            if fold_name(entry.name) == fold_name(new.name):
                own.setdefault((entry.semantic, entry.name), []).append(new.coding)
            elif not new.brand:
                borrowed.setdefault((entry.semantic, entry.name), []).append(new.coding)

        def coded(entry: Entry) -> Entry:
            key = (entry.semantic, entry.name)
            codings = {coding.system: coding for coding in reversed((*own.get(key, ()), *borrowed.get(key, ())))}
            known = {coding.system for coding in entry.codings}
            new = [coding for system, coding in codings.items() if system not in known]
            return entry._replace(codings=(*entry.codings, *new)) if new else entry

        updated = {
            (entry.semantic, entry.name): coded(entry)
            for entry in chain((name.entry for name in self.names()), (entry for entry, _ in added))
            if entry.kind != "masked"
        }
        old_names = (
            name._replace(entry=updated[name.entry.semantic, name.entry.name]) if name.entry.kind != "masked" else name
            for name in self.names()
        )
        new_names = (
            name
            for entry, new in added
            for name in names_of(updated[entry.semantic, entry.name], (new.name, *new.synonyms))
            if len(name.pattern) >= _SHORTEST_NEW_NAME
        )
        return Lexicon(chain(old_names, new_names))

    def _named(self, text: str, semantic: Semantic) -> Entry | None:
        return self._first(self._by_pattern.get(fold_name(text), ()), text, semantic)

    def lookup(self, name: str, semantic: Semantic) -> Entry | None:
        """The concept that ``name`` names, or ``None``.

        Tried in this order: as written; other spellings; singular; without salt; with hyphens and spaces left out.
        Capitals count for short acronyms only.  A name that only a masked phrase has is unknown.
        """
        return self._looked_up(name, semantic)

    def _lookup(self, name: str, semantic: Semantic) -> Entry | None:
        folded = fold_name(name)
        forms = [folded, *singulars(folded)]
        if semantic == "drug":
            forms += [bare for form in forms[:1] if (bare := without_salt(form)) != form]
        candidates = [spelling for form in forms for spelling in spellings(form)]
        for form in candidates:
            if entry := self._first(self._by_pattern.get(form, ()), name, semantic):
                return entry
        for form in candidates:
            bare = form.replace(" ", "")
            named = chain(self._by_pattern.get(bare, ()), self._squashed.get(bare, ()))
            if entry := self._first(named, name, semantic):
                return entry
        return None

    @staticmethod
    def _first(names: Iterable[Name], written: str, semantic: Semantic) -> Entry | None:
        for name in names:
            if name.entry.semantic == semantic and (not name.exact or _same_letters(written, name.exact)):
                return None if name.entry.kind == "masked" else name.entry
        return None

    @cached_property
    def _squashed(self) -> dict[str, list[Name]]:
        """Names of several words by the form without spaces."""
        squashed: dict[str, list[Name]] = {}
        for pattern, names in self._by_pattern.items():
            if " " in pattern:
                squashed.setdefault(pattern.replace(" ", ""), []).extend(names)
        return squashed


def _same_letters(written: str, name: str) -> bool:
    """Whether a short acronym is written with the capitals of ``name``; hyphens, spaces and a plural ``s`` are free."""
    letters = "".join(filter(str.isalnum, written))
    expected = "".join(filter(str.isalnum, name))
    return letters in (expected, expected + "s")


def without_salt(name: str) -> str:
    """A folded name without the salt or ester words at its end."""
    padded = f" {name} ".encode("latin-1")
    first_word = padded.find(b" ", 1)
    while first_word != -1:
        if (salt := _SALTS.match(padded, first_word)) and salt.end() == len(padded) - 1:
            return padded[1:first_word].decode("latin-1")
        first_word = padded.find(b" ", first_word + 1)
    return name
