"""Stops what takes too long."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


class TooSlow(BaseException):
    """Not an Exception, so that nothing under test handles it."""


@contextmanager
def processor_seconds(limit: float) -> Iterator[None]:
    """Raise TooSlow inside the block when it has used that much time of the processor; ``re`` can be stopped too."""
    before = signal.signal(signal.SIGVTALRM, _stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, limit)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _stop(_signal: int, _frame: object) -> None:
    raise TooSlow
