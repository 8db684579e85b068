"""What can go wrong between us and a server, by what can be done about it.

One request: ``Unavailable`` (try again) or ``Refused`` (it will be refused again).  The whole load: ``GaveUp`` (call
again later) or ``Denied`` (someone must change something first).
"""

from pipeline.errors import PermanentError, TransientError


class Unavailable(TransientError):
    """The server could not answer now.

    ``maybe_done``: the request may have been carried out all the same.  ``retry_after``: seconds the server asks for.
    ``status``: HTTP status, None where there was no answer.  ``changes``: the request was to change something.
    """

    changes = False

    def __init__(
        self, message: str, *, maybe_done: bool, retry_after: float | None = None, status: int | None = None
    ) -> None:
        super().__init__(message)
        self.maybe_done = maybe_done
        self.retry_after = retry_after
        self.status = status


class Refused(PermanentError):
    """The server understood and said no; the message is in its words."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class GaveUp(TransientError):
    """The server was away for longer than our patience, or the load was interrupted; the load can go on later."""


class Denied(PermanentError):
    """Nothing can be loaded: credentials, rights, certificate or address are wrong."""
