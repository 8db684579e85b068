"""Brings cases to the server, each exactly once, whatever happens on the way; and takes resources away again.

Belongs here: transactions, and what follows when one fails.  Does not belong here: which cases (``loading``).

A transaction is all or nothing.  When its answer is lost, the server is asked what it holds before anything is sent
again.  When it is refused, it is halved until the case at fault stands alone.  PUT makes a resource of the same id at
worst a second time the same.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from pipeline import fhir
from pipeline.server.client import Client, outcome_words
from pipeline.server.errors import Denied, GaveUp, Refused, Unavailable
from pipeline.server.ledger import Known
from pipeline.server.packing import CaseItems, Item, fits
from pipeline.server.reading import entries_of, read, same, version_of
from pipeline.server.settings import Limits

_BUSY: Final = (425, 429, 503)
"""Statuses that speak of the server, not of the request."""
_INTERNAL_ERRORS: Final = 2
"""Attempts on a request that the server answers with 500: some servers say so of content they cannot take."""
_CONFLICTS: Final = 2
"""Conflicts until one is final: another client may be writing the same resource, or we ourselves did unheard."""


@dataclass(frozen=True)
class Failure:
    """What could not be done, in the server's words. ``transient``: the next load may succeed without any change."""

    case_id: str | None
    report_id: str | None
    references: tuple[str, ...]
    action: str
    message: str
    transient: bool
    status: int | None = None


@dataclass
class Outcome:
    """What became of the cases of one request (or of several). ``stop``: why nothing more can be sent."""

    rows: dict[str, Known] = field(default_factory=dict)
    """Resources that the server has confirmed, by reference."""
    in_doubt: set[str] = field(default_factory=set)
    """References that were sent without an answer."""
    held: set[str] = field(default_factory=set)
    """References that the server held before anything was sent."""
    gone: list[str] = field(default_factory=list)
    """References that the server does not hold any more."""
    done: Counter[str] = field(default_factory=Counter)
    """Resources created, updated, unchanged, deleted."""
    failures: list[Failure] = field(default_factory=list)
    stop: Exception | None = None

    def lacks(self, case: CaseItems) -> list[Item]:
        """Resources of a case that the server has not confirmed."""
        return [item for item in case.items if item.reference not in self.rows]


class Sender:
    """Sends to one server. Safe to use from several threads; ``send`` and ``delete`` never raise for what servers do.

    ``overwrite``: replace also what someone else has changed on the server since our last load.
    """

    def __init__(self, client: Client, limits: Limits, *, overwrite: bool = False) -> None:
        self._client = client
        self._limits = limits
        self._overwrite = overwrite

    def send(self, cases: Sequence[CaseItems]) -> Outcome:
        """Create or update the resources of these cases."""
        outcome = Outcome()
        try:
            self._send(cases, outcome, unsure=_any_unknown(cases))
        except (GaveUp, Denied) as error:
            self._stopped(cases, outcome, error)
        return outcome

    def foresee(self, cases: Sequence[CaseItems]) -> Outcome:
        """What ``send`` would do; changes nothing."""
        outcome = Outcome()
        try:
            held = self._held(cases, outcome) if _any_unknown(cases) else {}
            left = {item.reference: item for case in cases for item in outcome.lacks(case)}
            for reference, item in left.items():
                outcome.done["updated" if item.known or reference in held else "created"] += 1
        except (Refused, GaveUp, Denied) as error:
            self._stopped(cases, outcome, error)
        return outcome

    def delete(self, references: Sequence[str], case_id: str | None = None) -> Outcome:
        """Delete resources, those first that refer to others; what is not there counts as deleted."""
        outcome = Outcome()
        try:
            self._delete(list(references), outcome, case_id)
        except (GaveUp, Denied) as error:
            left = tuple(reference for reference in references if reference not in set(outcome.gone))
            outcome.failures.append(Failure(case_id, None, left, "delete", str(error), isinstance(error, GaveUp)))
            outcome.stop = error
        return outcome

    def _send(self, cases: Sequence[CaseItems], outcome: Outcome, *, unsure: bool) -> None:
        if not fits(cases, self._limits):
            self._halves(cases, outcome, unsure=unsure)
            return
        attempt = conflicts = 0
        every = False
        held: dict[str, str | None] = {}
        expected: dict[str, str] = {}
        while True:
            try:
                if unsure:
                    held = self._held(cases, outcome, every=every)
                    unsure = False
                items = {item.reference: item for case in cases for item in outcome.lacks(case)}
                expected = {} if self._overwrite else _expected_versions(items, held)
                if items:
                    self._put(list(items.values()), expected, _case_of(cases), outcome)
                return
            except Unavailable as error:
                attempt += 1
                unsure |= error.maybe_done
                most = _INTERNAL_ERRORS if error.status == 500 else self._limits.attempts
                if attempt >= most and error.maybe_done and error.status not in _BUSY and self._alive():
                    self._split(cases, outcome, str(error), error.status, transient=True)
                    return
                self._client.pace.failed(error, attempt)
            except Refused as error:
                conflicts += 1
                outdated = error.status == 412 and bool(expected)  # without a version, HAPI's word for invalid content
                if conflicts < _CONFLICTS and (error.status == 409 or outdated):
                    unsure = every = True
                    continue
                self._split(cases, outcome, str(error), error.status, transient=error.status == 409)
                return

    def _split(
        self, cases: Sequence[CaseItems], outcome: Outcome, message: str, status: int | None, *, transient: bool
    ) -> None:
        """Half by half; a case that stands alone is at fault."""
        if len(cases) == 1:
            (case,) = cases
            left = tuple(item.reference for item in outcome.lacks(case))
            outcome.failures.append(Failure(case.case_id, case.report_id, left, "load", message, transient, status))
        else:
            self._halves(cases, outcome, unsure=transient)

    def _halves(self, cases: Sequence[CaseItems], outcome: Outcome, *, unsure: bool) -> None:
        """One after the other, as they may share resources."""
        middle = len(cases) // 2
        for half in (cases[:middle], cases[middle:]):
            self._send(half, outcome, unsure=unsure)

    def _held(self, cases: Sequence[CaseItems], outcome: Outcome, *, every: bool = False) -> dict[str, str | None]:
        """Confirm what the server holds already; versions of what it holds with other content, by reference.

        The last resource of a case that is new speaks for the case, as they come in one transaction: where it is
        missing, the rest need not be asked for.  ``every``: ask for all.
        """
        suspects: dict[str, Item] = {}
        witnesses: dict[str, CaseItems] = {}
        for case in cases:
            left = outcome.lacks(case)
            if every or any(item.known is not None for item in left):
                suspects |= {item.reference: item for item in left}
            elif left:
                witnesses[left[-1].reference] = case
        for reference in read(self._client, witnesses):
            suspects |= {item.reference: item for item in outcome.lacks(witnesses[reference])}
        held: dict[str, str | None] = {}
        case_of = _case_of(cases)
        for reference, theirs in read(self._client, suspects).items():
            if same(suspects[reference].resource, theirs):
                outcome.rows[reference] = Known(suspects[reference].digest, version_of(theirs), case_of[reference])
                if reference in outcome.in_doubt:
                    outcome.done["updated" if suspects[reference].known else "created"] += 1
                else:
                    outcome.held.add(reference)
                    outcome.done["unchanged"] += 1
            else:
                held[reference] = version_of(theirs)
        return held

    def _put(
        self, items: Sequence[Item], expected: dict[str, str], case_of: dict[str, str | None], outcome: Outcome
    ) -> None:
        """One transaction. Raises Unavailable, Refused."""
        entries = [_entry(item, expected.get(item.reference)) for item in items]
        body = orjson.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries})
        references = {item.reference for item in items}
        outcome.in_doubt |= references
        try:
            answered = entries_of(self._client.ask("POST", "", body, changes=True, once=True).content, len(items))
        except Refused:
            outcome.in_doubt -= references
            raise
        responses = [entry.get("response", {}) for entry in answered]
        for response in responses:
            status = str(response.get("status", ""))
            if not status.startswith("2"):
                raise Refused(f"{status}: {outcome_words(response.get('outcome'))}", status=int(status[:3] or 0))
        for item, response in zip(items, responses, strict=True):
            version = _version(response)
            outcome.rows[item.reference] = Known(item.digest, version, case_of[item.reference])
            created = str(response["status"]).startswith("201")
            kept = version is not None and version == expected.get(item.reference)
            outcome.done["created" if created else "unchanged" if kept else "updated"] += 1

    def _delete(self, references: Sequence[str], outcome: Outcome, case_id: str | None) -> None:
        try:
            body = orjson.dumps(fhir.delete_bundle(references))
            self._client.ask("POST", "", body, changes=True)
        except Refused as error:
            if len(references) > 1:
                middle = len(references) // 2
                self._delete(references[:middle], outcome, case_id)
                self._delete(references[middle:], outcome, case_id)
                return
            if error.status not in (404, 410):
                failure = Failure(
                    case_id, None, tuple(references), "delete", str(error), error.status == 409, error.status
                )
                outcome.failures.append(failure)
                return
        outcome.gone += references
        outcome.done["deleted"] += len(references)

    def _alive(self) -> bool:
        """Whether the server answers at all."""
        try:
            self._client.ask("GET", "metadata", once=True)
        except (Unavailable, Refused):
            return False
        return True

    def _stopped(self, cases: Iterable[CaseItems], outcome: Outcome, error: Exception) -> None:
        """Name what was left when nothing more could be sent."""
        named = {failure.case_id for failure in outcome.failures}
        for case in cases:
            if case.case_id not in named and (left := outcome.lacks(case)):
                outcome.failures.append(not_tried(case, error, left))
        outcome.stop = error


def not_tried(case: CaseItems, error: Exception, left: Collection[Item] | None = None) -> Failure:
    """The failure of a case that ``error`` left no chance."""
    references = tuple(item.reference for item in (case.items if left is None else left))
    return Failure(case.case_id, case.report_id, references, "load", str(error), isinstance(error, GaveUp))


def _any_unknown(cases: Iterable[CaseItems]) -> bool:
    """Whether the ledger leaves open what the server holds of something."""
    return any(item.known is None or item.known.digest is None for case in cases for item in case.items)


def _case_of(cases: Iterable[CaseItems]) -> dict[str, str | None]:
    """The case that brings each resource; for a shared one, the first."""
    found: dict[str, str | None] = {}
    for case in cases:
        for item in case.items:
            found.setdefault(item.reference, case.case_id)
    return found


def _expected_versions(items: dict[str, Item], held: dict[str, str | None]) -> dict[str, str]:
    """The versions that may be replaced: those of our last load, or else those that were just read."""
    found = {
        reference: item.known.version if item.known and item.known.version else held.get(reference)
        for reference, item in items.items()
    }
    return {reference: version for reference, version in found.items() if version}


def _entry(item: Item, version: str | None) -> dict[str, Any]:
    request = {"method": "PUT", "url": item.reference} | ({"ifMatch": f'W/"{version}"'} if version else {})
    return ({"fullUrl": item.full_url} if item.full_url else {}) | {
        "resource": orjson.Fragment(item.body),
        "request": request,
    }


def _version(response: dict[str, Any]) -> str | None:
    """Version of an answered entry: ``W/"2"``, or the end of ``Patient/x/_history/2``."""
    etag = str(response.get("etag") or "").removeprefix("W/").strip('"')
    location = str(response.get("location") or "")
    return etag or (location.rpartition("/_history/")[2] if "/_history/" in location else None) or None
