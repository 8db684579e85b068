"""Groups: the names of one thing within one patient's story, and what the record needs of them.

Belongs here: the shape shared by the modules that fill a case.  Does not belong here: which names belong together
(``cases``).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter

from pipeline.extraction.candidates import Candidate
from pipeline.extraction.document import Found, Sentence, bare
from pipeline.extraction.signs import covers, wider
from pipeline.extraction.zones import TOLD
from pipeline.records import Coding, Evidence

_MAX_VERBATIM = 12
_start = attrgetter("start")
SIGNS = frozenset({"sign", "laboratory", "event"})
"""Kinds of disorder that a diagnosis usually explains."""
VAGUE = SIGNS | {"class"}
"""Kinds that name a thing less well than others do."""


@dataclass(eq=False)
class Group:
    """Candidates that name one thing; ``score`` is that of the best."""

    members: list[Candidate]
    score: float = 0.0

    def take(self, members: Iterable[Candidate]) -> None:
        """Add members; what was known of those there were is forgotten."""
        self.members += members
        for name in ("keys", "mentions", "best"):
            self.__dict__.pop(name, None)

    @cached_property
    def keys(self) -> frozenset[str]:
        """The keys of all members."""
        return frozenset(member.key for member in self.members)

    @cached_property
    def mentions(self) -> list[Found]:
        """All mentions, in order."""
        return sorted((m for member in self.members for m in member.mentions), key=_start)

    def told(self, sentences: Sequence[Sentence]) -> list[Found]:
        """Mentions that are facts of the case; ``sentences`` are those of the document. All, if none is."""
        own = [m for m in self.mentions if sentences[m.sentence].zone in TOLD and m.assertion != "negated"]
        return own or self.mentions

    @cached_property
    def best(self) -> Candidate:
        """The member that names the thing best: known, an ingredient or a diagnosis, explaining others, likely."""
        if len(self.members) == 1:
            return self.members[0]
        keys = self.keys
        wide = {key for m in self.members for key in wider(m.key)}
        return max(
            self.members,
            key=lambda m: (
                m.entry is not None,
                m.key not in wide,
                m.entry is None or m.entry.kind not in VAGUE,
                len(covers(m.key) & keys),
                m.score,
            ),
        )


def name(candidate: Candidate) -> str:
    """The preferred name of a concept, or the words of its first mention."""
    return candidate.entry.name if candidate.entry else bare(candidate.mentions[0].text)


def codings(candidate: Candidate) -> list[Coding]:
    """The codes of a concept."""
    return list(candidate.entry.codings) if candidate.entry else []


def verbatim(mentions: Iterable[Found]) -> list[str]:
    """Surface forms, each once, in order."""
    return list(dict.fromkeys(" ".join(m.text.split()) for m in mentions))[:_MAX_VERBATIM]


def evidence(mentions: Iterable[Found]) -> Evidence:
    """Where the mentions stand."""
    return [m.span for m in mentions]
