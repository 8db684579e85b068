"""Strings that make a backtracking pattern show how it grows: a part that it repeats, many times, and then an end.

For every repetition in a pattern: what may stand before it, then what it repeats (each kind of character that the
pattern tells apart, each alternative), thousands of times, then what it cannot go on with. Where a pattern can read
one stretch in several ways, or begins anew at each character of it, its time grows with the square of the length at
least.
"""

import re
import time
from collections.abc import Callable, Iterator
from re import _constants as c  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

from tests.fuzz.limit import TooSlow, processor_seconds

Tree = list[tuple[Any, Any]]

SHORT, LONG = 16_000, 64_000
"""Characters. Four times the length takes sixteen times as long where time grows with the square."""
_FAST = 0.03
"""Seconds in which ``SHORT`` characters are read where time is linear; a millisecond is usual."""
_PATIENCE = 3.0
_CHARACTERS = [chr(n) for n in (9, 10, *range(32, 127))] + list("éİ²½–“\u00a0µ")
_REPEATS = (c.MAX_REPEAT, c.MIN_REPEAT, c.POSSESSIVE_REPEAT)
_ONE = (c.LITERAL, c.NOT_LITERAL, c.ANY, c.IN)
_MANY = 10
"""A repetition of fewer is no loop."""


def worst(pattern: re.Pattern[Any], anchored: bool, whole: bool = False) -> str | None:
    """How the pattern is made slow, if it can be.

    ``anchored``: it is only tried at the beginning of a text; ``whole``: it has to match to the end.
    """
    if whole and (slow := _worst(pattern, pattern.fullmatch)):
        return slow
    return _worst(pattern, pattern.match if anchored else lambda text: sum(1 for _ in pattern.finditer(text)))


def _worst(pattern: re.Pattern[Any], read: Callable[[Any], object]) -> str | None:
    for head, unit, end in _texts(pattern):

        def seconds(size: int, head: str = head, unit: str = unit, end: str = end) -> float:
            text = head + unit * (size // len(unit)) + end
            return _seconds(lambda: read(text.encode() if isinstance(pattern.pattern, bytes) else text))

        short = min(seconds(SHORT), seconds(SHORT)) if seconds(SHORT) > _FAST else 0.0
        if short > _FAST and (long := seconds(LONG)) > min(8 * short, _PATIENCE):
            return f"{head!r} + {unit!r} * n + {end!r}: {short:.2f} s, then {long:.2f} s for four times the length"
    return None


def _seconds(work: Callable[[], object]) -> float:
    """Processor seconds; more than ``_PATIENCE`` where that was not enough."""
    begin = time.process_time()
    try:
        with processor_seconds(_PATIENCE):
            work()
    except TooSlow:
        return _PATIENCE + 1
    return time.process_time() - begin


def _texts(pattern: re.Pattern[Any]) -> Iterator[tuple[str, str, str]]:
    seen = set()
    for head, unit in _Reader(pattern).loops():
        for text in ((head, unit), ("", head + unit), ("", unit)):
            if text not in seen:
                seen.add(text)
                yield (*text, "\0")
                yield (*text, unit[0] + "!")


class _Reader:
    """Reads the syntax tree of a pattern."""

    def __init__(self, pattern: re.Pattern[Any]) -> None:
        source = pattern.pattern
        self._tree: Tree = parser.parse(source, pattern.flags & ~re.DEBUG)
        self._flags = pattern.flags
        atoms = list(_atoms(self._tree))[:400]
        told_apart: dict[tuple[bool, ...], str] = {}
        for character in _CHARACTERS:
            told_apart.setdefault(tuple(self._fits(atom, character) for atom in atoms), character)
        self._characters = list(told_apart.values())

    def loops(self) -> list[tuple[str, str]]:
        """What stands before a repetition, and what it repeats."""
        found: list[tuple[str, str]] = []
        self._walk(self._tree, "", found)
        return found

    def _walk(self, tree: Tree, head: str, found: list[tuple[str, str]]) -> None:
        for op, value in tree:
            if op in _REPEATS:
                if value[1] is c.MAXREPEAT or value[1] >= _MANY:
                    found += [(head, unit) for unit in self._units(value[2]) if unit]
                self._walk(value[2], head, found)
                head += self._example(value[2]) * max(value[0], 1)
                continue
            if op is c.BRANCH:
                for branch in value[1]:
                    self._walk(branch, head, found)
            elif op is c.SUBPATTERN:
                self._walk(value[3], head, found)
            elif op is c.ATOMIC_GROUP:
                self._walk(value, head, found)
            elif op in (c.ASSERT, c.ASSERT_NOT):
                self._walk(value[1], head, found)
            head += self._example([(op, value)])

    def _units(self, tree: Tree) -> list[str]:
        while len(tree) == 1 and tree[0][0] is c.SUBPATTERN:
            tree = tree[0][1][3]
        if len(tree) == 1 and tree[0][0] in _ONE:
            return [one for one in self._characters if self._fits(tree[0], one)] or [self._example(tree)]
        if len(tree) == 1 and tree[0][0] is c.BRANCH:
            return [self._example(branch) for branch in tree[0][1][1]]
        full = "".join(
            self._example(value[2]) * max(1, value[0]) if op in _REPEATS else self._example([(op, value)])
            for op, value in tree
        )
        return list(dict.fromkeys([self._example(tree), full]))

    def _example(self, tree: Tree) -> str:
        """A short string that a tree matches, if what stands around it is left out of account."""
        parts = []
        for op, value in tree:
            if op in _ONE:
                fitting = (one for one in reversed(self._characters) if self._fits((op, value), one))
                every = (chr(n) for n in range(0x3000) if self._fits((op, value), chr(n)))
                parts.append(next(fitting, None) or next(every, ""))
            elif op is c.BRANCH:
                parts.append(min((self._example(branch) for branch in value[1]), key=len))
            elif op is c.SUBPATTERN:
                parts.append(self._example(value[3]))
            elif op is c.ATOMIC_GROUP:
                parts.append(self._example(value))
            elif op in _REPEATS:
                parts.append(self._example(value[2]) * value[0])
        return "".join(parts)

    def _fits(self, atom: tuple[Any, Any], character: str) -> bool:
        op, value = atom
        forms = {character, character.lower(), character.upper()} if self._flags & re.IGNORECASE else {character}
        points = {ord(form) for form in forms if len(form) == 1}
        if op is c.LITERAL:
            return value in points
        if op is c.NOT_LITERAL:
            return value not in points
        if op is c.ANY:
            return character != "\n" or bool(self._flags & re.DOTALL)
        negated = value[0][0] is c.NEGATE
        return negated != any(_in(part, character, points) for part in value)


def _in(part: tuple[Any, Any], character: str, points: set[int]) -> bool:
    op, value = part
    if op is c.LITERAL:
        return value in points
    if op is c.RANGE:
        return any(value[0] <= point <= value[1] for point in points)
    if op is c.CATEGORY:
        kinds = {
            "DIGIT": character.isdigit(),
            "SPACE": character.isspace(),
            "WORD": character.isalnum() or character == "_",
        }
        return kinds[str(value).rpartition("_")[2]] != ("NOT" in str(value))
    return False


def _atoms(tree: Tree) -> Iterator[tuple[Any, Any]]:
    for op, value in tree:
        if op in _ONE:
            yield op, value
        elif op is c.BRANCH:
            for branch in value[1]:
                yield from _atoms(branch)
        elif op is c.SUBPATTERN:
            yield from _atoms(value[3])
        elif op in _REPEATS:
            yield from _atoms(value[2])
        elif op in (c.ASSERT, c.ASSERT_NOT):
            yield from _atoms(value[1])
        elif op is c.ATOMIC_GROUP:
            yield from _atoms(value)
