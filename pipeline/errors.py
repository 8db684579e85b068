"""The errors users see, by what can be done about them.

Belongs here: the exception classes that cross package borders.  Does not belong here: handling.  Every message says
which file, which line or field, what was expected, and what to do; none quotes report text, which may be confidential.
"""


class Case2FhirError(Exception):
    """Base of every error raised on purpose."""


class UsageError(Case2FhirError):
    """The call itself is wrong: a missing input, a foreign or unwritable output folder (exit code 2)."""


class BadInput(Case2FhirError):
    """One file or record cannot be read; it is quarantined and the run goes on.

    ``reason`` is a stable slug for counting (``"truncated"``, ``"not-text"`` …), ``place`` says where in the file
    (``"line 12"``, ``"member a/b.xml"``, ``"byte 1042"``), the message says what was expected.
    """

    def __init__(self, message: str, *, reason: str, place: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.place = place


class RunFailed(Case2FhirError):
    """The run as a whole failed (exit code 1): nothing is left to publish, or the machine refused (disk, memory)."""


class TransientError(Case2FhirError):
    """May work when tried again: a busy server, a time-out."""


class PermanentError(Case2FhirError):
    """Will fail again however often it is tried: refused content, missing rights."""
