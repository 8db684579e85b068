"""How far a run is, how fast it goes and how long it will take.

Belongs here: measuring.  Does not belong here: showing it (``pipeline.console``, ``pipeline.orchestration``).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

INTERVAL: Final = 10.0
"""Seconds between two readings of one stage."""


class Progress(Protocol):
    """Hears how far each stage is."""

    def __call__(self, stage: str, done: int, total: int | None = None) -> None:
        """``done`` items of ``stage`` are through, of ``total`` where that is known."""


@dataclass(frozen=True)
class Reading:
    """How far a stage is after ``seconds``; rate in items a second, time left in seconds where ``total`` is known."""

    stage: str
    done: int
    total: int | None
    seconds: float

    @property
    def rate(self) -> float | None:
        """Items a second since the stage began; None at its beginning."""
        return self.done / self.seconds if self.done and self.seconds > 0 else None

    @property
    def left(self) -> float | None:
        """Seconds left at this rate."""
        return (self.total - self.done) / self.rate if self.total is not None and self.rate else None

    def __str__(self) -> str:
        """``"1,200 of 10,000, 95/s, 1 min 33 s left"``."""
        parts = [f"{self.done:,}" + (f" of {self.total:,}" if self.total is not None else "")]
        if self.rate is not None:
            parts.append(f"{self.rate:,.0f}/s" if self.rate >= 10 else f"{self.rate:.1f}/s")
        if self.left is not None:
            parts.append(f"{duration(self.left)} left")
        return ", ".join(parts)


class Meter:
    """Takes every tick of a run and gives a reading now and then: when a stage begins, and every ``INTERVAL``."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._stage = ""
        self._began = self._said = clock()

    def __call__(self, stage: str, done: int, total: int | None = None) -> Reading | None:
        """A reading where one is due."""
        now = self._clock()
        if stage != self._stage:
            self._stage, self._began = stage, now
        elif now - self._said < INTERVAL:
            return None
        self._said = now
        return Reading(stage, done, total, now - self._began)


def duration(seconds: float) -> str:
    """Seconds in words: ``"45 s"``, ``"1 min 33 s"``, ``"2 h 5 min"``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
