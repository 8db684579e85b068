"""Finds investigations and what they showed: laboratory values, serology, imaging, tissue.

Belongs here: names and results of tests, as far as the text states a result.  Does not belong here: what a result
means, and the names, which are data: ``mappings/extraction/investigations.tsv``.
"""

import re
from collections.abc import Iterator, Sequence

from pipeline.extraction import cues as phrases
from pipeline.extraction.cues import Cue
from pipeline.extraction.document import Document, Sentence
from pipeline.records import Span, Test

_REACH = 70  # code points between a test and a result in a word
_NEAR = 14  # the same for a result that stands before its test: "elevated serum creatinine"
_MARKED = 60  # between what is looked for and the word that makes it a test
_LONGEST = 120  # code points of a finding
_END = re.compile(
    r"[.;](?=\s|$)|,\s*(?:and|but|which|while|whereas|with|suggesting|therefore|so)\b"
    r"|\b(?:but|whereas|while|and was|and were|and (?:she|he|it|the))\b"
)
_JOINED = re.compile(
    r"\b(?:was|were|is|are|be|been|remained|came back|returned|found|being|tested|all|with)\b|^[\s:(,]*$", re.IGNORECASE
)
_BEFORE = re.compile(r"[\s-]+(?:for\s+)?(?:\w+\s+)?", re.IGNORECASE)
_BORDER = re.compile(r"[;.](?=\s)|\b(?:but|whereas|while|although|except)\b", re.IGNORECASE)
_NUMBER = r"[<>≤≥~]?\s?\d[\d.,]*(?:\s?[×x*]\s?10\s?\^?\(?\d{1,2}\)?)?(?:\s?[-–]\s?\d[\d.,]*)?"
_UNIT = (
    r"(?:%|°C|(?:[mµμunpfkM]?(?:g|mol|Eq|Osm|L|l|kat)|mmHg|mm|cells?|IU|[mµμ]?U|copies|ms|msec|G|K|mcg)"
    r"(?:\s?/\s?(?:[dmµμ]?[Ll]|mm\s?[³3]?|h|hr|min|24\s?h|kg|g|day|d|1\.73\s?m[²2]))*|/\s?(?:mm\s?[³3]|[µμ][Ll]|L|cumm))"
)
_VALUE = re.compile(
    r"(?:\s+(?:levels?|counts?|concentrations?|values?|interval|titer|titre))?(?:\s*\([A-Za-z0-9 ,-]{1,15}\))?"
    r"(?:[\s:=,(]++(?:(?<=\s)(?:was|were|is|of|at|to|had|reached|rose|increased|decreased|dropped|fell|peaked|elevated|"
    r"raised|a|peak|as|high|low|found|be|up|down|with|and|remained)\b)?)*"
    rf"(?P<value>{_NUMBER}\s?{_UNIT})(?![\w])"
)
_COUNT_VALUE = re.compile(
    r"[^.;0-9]{0,30}?(?P<value>\d[\d.,]*(?:\s?[×x]\s?10\s?\^?\d{1,2})?\s?/\s?(?:mm\s?[³3]|[µμ][Ll]|L|cumm))"
)


def find(document: Document, told: Sequence[Sentence]) -> list[Test]:
    """The tests of some sentences with their results, each once, in order.

    A result is a value with its unit, one of the words negative, positive, normal, elevated, low, prolonged, abnormal,
    or what a picture or a biopsy showed, in the words of the text.  Linear in the number of sentences.
    """
    found: dict[tuple[str, str], Test] = {}
    for sentence in told:
        if sentence.zone != "case":
            continue
        for name, result, span in document.once(_tests, sentence):
            known = found.setdefault((name, result), Test(name=name, result=result))
            if span not in known.evidence:
                known.evidence.append(span)
    return list(found.values())


def _tests(document: Document, sentence: Sentence) -> list[tuple[str, str, Span]]:
    """Name, result and place of each test of a sentence."""
    return list(_results(document, sentence))


def _results(document: Document, sentence: Sentence) -> Iterator[tuple[str, str, Span]]:
    inside = phrases.within(phrases.find(document.folded, "extraction/investigations"), sentence.start, sentence.end)
    if not inside:
        return
    offset = sentence.start
    text = document.text[sentence.start : sentence.end]
    cues = [Cue(cue.start - offset, cue.end - offset, cue.kind) for cue in inside]
    results = [cue for cue in cues if cue.kind.startswith("result")]
    markers = [cue for cue in cues if cue.kind.startswith("marker")]
    given: list[tuple[str, tuple[str, Span]]] = []
    for cue in cues:
        family, _, name = cue.kind.partition(":")
        if family in ("laboratory", "imaging"):
            if any(o.kind == cue.kind and 0 <= cue.start - o.end <= 2 for o in cues):
                continue  # its abbreviation in brackets
            if family == "laboratory":
                answer = _value(text, cue) or _word(text, cue, results)
            else:
                answer = _word(text, cue, [r for r in results if _whole(text, r)]) or _finding(text, cue, cues)
            if answer and not any(answer == told and other.startswith(name) for other, told in given):
                given.append((name, answer))
                yield name, answer[0], _widest(cue, answer[1], offset)
        elif family == "agent":
            near = [m for m in markers if _between(m, cue) <= _MARKED and not _crosses(text, m, cue)]
            answer = _word(text, cue, results)
            if not near or not answer:
                continue
            kinds = {kind for m in near for kind in m.kind.partition(":")[2].split("+")}
            named = sorted(kinds & {"IgG", "IgM"}) or sorted(kinds & {"PCR", "antigen"})[:1]
            for kind in named or ["antibodies" if "antibodies" in kinds else "test"]:
                yield f"{name} {kind}", answer[0], _widest(cue, answer[1], offset, *near)


def _whole(text: str, result: Cue) -> bool:
    """Can the word be the result of a picture? "detected on MRI" says what of nothing."""
    return not text[result.start : result.end].lower().endswith(("detected", "detectable", "identified", "found"))


def _widest(cue: Cue, answer: Span, offset: int, *others: Cue) -> Span:
    starts = [cue.start, answer[0], *(o.start for o in others)]
    ends = [cue.end, answer[1], *(o.end for o in others)]
    return offset + min(starts), offset + max(ends)


def _between(left: Cue, right: Cue) -> int:
    return max(right.start - left.end, left.start - right.end)


def _crosses(text: str, left: Cue, right: Cue) -> bool:
    return bool(_BORDER.search(text, min(left.end, right.end), max(left.start, right.start)))


def _value(text: str, cue: Cue) -> tuple[str, Span] | None:
    """A number with a unit right behind the name."""
    match = _VALUE.match(text, cue.end) or _COUNT_VALUE.match(text, cue.end)
    return (" ".join(match["value"].split()), match.span("value")) if match else None


def _word(text: str, cue: Cue, results: Sequence[Cue]) -> tuple[str, Span] | None:
    """A result in a word: behind the name ("was negative"), or right before it ("negative serology")."""
    for result in results:
        if (
            result.start >= cue.end
            and result.start - cue.end <= _REACH
            and not _BORDER.search(text, cue.end, result.start)
        ):
            gap = text[cue.end : result.start]
            if not _JOINED.search(gap):
                return None
            return result.kind.partition(":")[2], (result.start, result.end)
    for result in reversed(results):
        if (
            result.end <= cue.start
            and cue.start - result.end <= _NEAR
            and _BEFORE.fullmatch(text, result.end, cue.start)
        ):
            return result.kind.partition(":")[2], (result.start, result.end)
    return None


def _finding(text: str, cue: Cue, cues: Sequence[Cue]) -> tuple[str, Span] | None:
    """What a picture or a biopsy showed, in the words of the text."""
    for verb in cues:
        if verb.kind == "shows" and 0 <= verb.start - cue.end <= 40 and not _BORDER.search(text, cue.end, verb.start):
            start = verb.end + len(text[verb.end :]) - len(text[verb.end :].lstrip())
            stop = _END.search(text, start)
            end = stop.start() if stop else len(text.rstrip(" .\n"))
            words = text[start:end].strip()
            if 3 <= len(words) <= _LONGEST:
                return " ".join(words.split()), (start, start + len(words))
            return None
    return None
