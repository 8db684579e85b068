"""One load of a dataset into a server: definitions, cases, deletions, and what is to be said about them.

Belongs here: the order of things, the ledger, the list of failures.  Does not belong here: single requests
(``sending``), files of a dataset (``pipeline.storage``).
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import httpx
import orjson

from pipeline.errors import UsageError
from pipeline.fhir import ORDER
from pipeline.paths import DatasetPaths, FhirVersion
from pipeline.server import packing
from pipeline.server.bulk import Bulk
from pipeline.server.client import Client
from pipeline.server.definitions import definitions, sendable
from pipeline.server.errors import Denied, GaveUp, Refused
from pipeline.server.ledger import Ledger
from pipeline.server.packing import CaseItems
from pipeline.server.reading import read
from pipeline.server.sending import Failure, Outcome, Sender, not_tried
from pipeline.server.settings import Settings
from pipeline.storage import Dataset, exclusive
from pipeline.storage.files import read_lines, write_lines

_SLICE: Final = 200
"""Cases looked up in the ledger at a time."""
_SAMPLE: Final = 40
"""Resources asked for to see whether the server still is the one of the ledger."""
_HELLO_PATIENCE: Final = 30.0
"""Seconds to wait for the first answer at most: a wrong address should not take minutes."""
_VERSIONS: Final[dict[str, FhirVersion]] = {"4.0": "R4", "4.3": "R4", "5.0": "R5"}
"""By FHIR version of the server; R4 output is valid in R4B."""
STAGE: Final = "load"

Progress = Callable[[str, int], None]


@dataclass
class LoadResult:
    """What a load did (or, when ``dry_run``, would do). JSON-able by ``to_json``.

    ``cases``: loaded, unchanged, failed.  ``resources``: created, updated, unchanged, deleted, failed; definitions of
    ours count as resources.  ``stopped``: why the load ended early.  ``transient``: whether what failed may succeed
    without any change.  Seconds of wall time.
    """

    server: str
    fhir: FhirVersion
    dry_run: bool
    cases: dict[str, int]
    resources: dict[str, int]
    requests: int
    retries: int
    seconds: float
    stopped: str | None = None
    transient: bool = False

    @property
    def ok(self) -> bool:
        """Whether the server now holds the dataset, and nothing else of ours."""
        return not (self.stopped or self.cases["failed"] or self.resources["failed"])

    @property
    def sent(self) -> int:
        """Resources that were created or updated."""
        return self.resources["created"] + self.resources["updated"]

    def to_json(self) -> dict[str, Any]:
        """Names and values."""
        return {"ok": self.ok} | asdict(self)


@dataclass(frozen=True)
class Options:
    """What a caller may choose about one load.

    ``verify``: compare everything with the server instead of trusting the ledger.  ``overwrite``: replace what someone
    else has changed on the server since.  ``delete``: remove what the dataset no longer contains.  ``bulk``: let the
    server fetch the cases (``$import``).
    """

    dry_run: bool = False
    verify: bool = False
    overwrite: bool = False
    delete: bool = True
    bulk: Bulk | None = None


_DEFAULTS: Final = Options()


def load(
    folder: Path,
    settings: Settings,
    *,
    fhir: FhirVersion | None = None,
    options: Options = _DEFAULTS,
    progress: Progress = lambda stage, done: None,
    transport: httpx.BaseTransport | None = None,
) -> LoadResult:
    """Make the server hold the dataset in ``folder``: create, update and delete what is needed, and nothing more.

    ``fhir``: by default the version that the server speaks.  What could not be loaded is in ``load/failed.ndjson``;
    another call goes on from there.  ``transport``: to watch or replace the wire.

    Raises UsageError when server, dataset and ``fhir`` do not fit or another run holds the folder; GaveUp (transient)
    or Denied (permanent) when not even the server's metadata can be had: nothing was tried then.
    """
    started = time.perf_counter()
    Dataset.open(folder)
    root = DatasetPaths(folder)
    with exclusive(root), Client(settings, transport) as client:
        dataset = Dataset.open(folder)
        version = _version(client, dataset, fhir)
        with Ledger(root.ledger, settings.url, version, read_only=options.dry_run) as ledger:
            run = _Load(dataset, root, settings, version, options, client, ledger, progress)
            run.run()
            return run.result(time.perf_counter() - started)


def _version(client: Client, dataset: Dataset, asked: FhirVersion | None) -> FhirVersion:
    """The FHIR version to load. Raises UsageError where server, dataset and request do not agree."""
    client.pace.patience, patience = min(client.pace.patience, _HELLO_PATIENCE), client.pace.patience
    try:
        capabilities = orjson.loads(client.ask("GET", "metadata").content)
        spoken = str(capabilities["fhirVersion"])
    except (Refused, orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise UsageError(f"There is no FHIR server at this address: its metadata cannot be read ({error}).") from error
    client.pace.patience = patience
    version = _VERSIONS.get(spoken[:3])
    if version is None:
        raise UsageError(f"The server speaks FHIR {spoken}; case2fhir writes R4 and R5.")
    if asked is not None and asked != version:
        raise UsageError(f"The server speaks FHIR {spoken}, not {asked}.")
    if version not in dataset.versions:
        raise UsageError(
            f"The server speaks FHIR {spoken}, and the dataset holds {' and '.join(dataset.versions)} only: "
            f"run again with --fhir {version} or --fhir both."
        )
    return version


@dataclass
class _Load:
    """State of one load."""

    dataset: Dataset
    root: DatasetPaths
    settings: Settings
    version: FhirVersion
    options: Options
    client: Client
    ledger: Ledger
    progress: Progress
    cases: Counter[str] = field(default_factory=Counter)
    resources: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    stop: Exception | None = None

    def __post_init__(self) -> None:
        self.sender = Sender(self.client, self.settings.limits, overwrite=self.options.overwrite)
        self.send = self.sender.foresee if self.options.dry_run else self.sender.send

    def run(self) -> None:
        """All of it; returns when nothing more can be done."""
        try:
            if self.options.verify or not self._recognised():
                self.ledger.doubt()
            self._definitions()
        except (GaveUp, Denied) as error:
            self.stop = error
        changed = packing.grouped(self._changed(packing.cases(self.dataset, self.version)))
        if self.options.bulk is not None and self.stop is None and not self.options.dry_run:
            self._bulk(self.options.bulk, changed)
        else:
            self._send_all(packing.packed(changed, self.settings.limits))
        if self.options.delete and self.stop is None:
            self._delete()
        if not self.options.dry_run:
            self._write_failures()

    def result(self, seconds: float) -> LoadResult:
        """The figures."""
        failed = sum(len(failure.references) for failure in self.failures)
        return LoadResult(
            server=self.settings.url,
            fhir=self.version,
            dry_run=self.options.dry_run,
            cases={name: self.cases[name] for name in ("loaded", "unchanged", "failed")},
            resources={name: self.resources[name] for name in ("created", "updated", "unchanged", "deleted")}
            | {"failed": failed},
            requests=self.client.requests,
            retries=self.client.pace.retries,
            seconds=round(seconds, 3),
            stopped=str(self.stop) if self.stop else None,
            transient=isinstance(self.stop, GaveUp)
            or (self.stop is None and any(failure.transient for failure in self.failures)),
        )

    def _recognised(self) -> bool:
        """Whether the server still holds what the ledger says, as far as a sample tells."""
        sample = self.ledger.sample(_SAMPLE)
        return len(read(self.client, sample)) == len(sample)

    def _definitions(self) -> None:
        """Send our own definitions, ahead of what uses them. Raises GaveUp, Denied."""
        changed = list(self._changed(definitions(self.dataset, self.version), count=False))
        if not changed:
            return
        send, foreign, failures = sendable(self.client, changed)
        self.resources["unchanged"] += len(foreign)
        self.failures += failures
        for some in packing.slices(send, self.settings.limits.cases):
            self._settle([], self.send(some))

    def _changed(self, cases: Iterable[CaseItems], *, count: bool = True) -> Iterator[CaseItems]:
        """The cases with those of their resources that the server may lack; counts and drops those without."""
        seen = 0
        for some in packing.slices(cases, _SLICE):
            references = [item.reference for case in some for item in case.items]
            self.ledger.present(references)
            known = self.ledger.known(references)
            unchanged: set[str] = set()
            for case in some:
                items = tuple(item._replace(known=known.get(item.reference)) for item in case.items)
                left = tuple(item for item in items if not item.unchanged)
                unchanged.update(item.reference for item in items if item.unchanged)
                if left:
                    yield case._replace(items=left)
                elif count:
                    self.cases["unchanged"] += 1
            self.resources["unchanged"] += len(unchanged)
            seen += len(some)
            if count:
                self.progress(STAGE, seen)

    def _send_all(self, requests: Iterable[list[CaseItems]]) -> None:
        """Send requests on all connections, and settle each as it comes back; the next ones wait ready."""
        connections = self.settings.limits.connections
        under_way: dict[Future[Outcome], list[CaseItems]] = {}
        with ThreadPoolExecutor(connections, "load") as pool:
            try:
                for cases in requests:
                    if self.stop is not None:
                        self._not_tried(cases, self.stop)
                        continue
                    under_way[pool.submit(self.send, cases)] = cases
                    while len(under_way) >= 2 * connections:
                        self._settle_first(under_way)
                while under_way:
                    self._settle_first(under_way)
            except BaseException:
                self.client.pace.stop()
                while under_way:
                    self._settle_first(under_way)
                raise

    def _settle_first(self, under_way: dict[Future[Outcome], list[CaseItems]]) -> None:
        done, _ = wait(under_way, return_when=FIRST_COMPLETED)
        for future in done:
            cases = under_way[future]
            outcome = future.result()
            del under_way[future]
            self._settle(cases, outcome)

    def _settle(self, cases: list[CaseItems], outcome: Outcome) -> None:
        """Write down what the server has confirmed."""
        if outcome.rows and not self.options.dry_run:
            self.ledger.record(outcome.rows)
        if outcome.gone:
            self.ledger.forget(outcome.gone)
        self.resources.update(outcome.done)
        self.failures += outcome.failures
        failed = {failure.case_id for failure in outcome.failures}
        for case in cases:
            kept = all(item.reference in outcome.held for item in case.items)
            self.cases["failed" if case.case_id in failed else "unchanged" if kept else "loaded"] += 1
        self.stop = self.stop or outcome.stop

    def _not_tried(self, cases: Iterable[CaseItems], error: Exception) -> None:
        for case in cases:
            self.failures.append(not_tried(case, error))
            self.cases["failed"] += 1

    def _bulk(self, bulk: Bulk, groups: Iterable[list[CaseItems]]) -> None:
        """Have the server fetch the cases."""
        with bulk.spool(self.root, self.dataset, self.version) as spool:
            for group in groups:
                spool.add(group)
            outcome = bulk.run(self.client, spool)
        self._settle(spool.cases, outcome)

    def _delete(self) -> None:
        """Delete what the dataset does not contain any more, but of cases that failed: what remains may refer to it."""
        failed = {failure.case_id for failure in self.failures if failure.case_id}
        references = {reference: case for reference, case in self.ledger.absent() if case not in failed}
        if self.options.dry_run:
            self.resources["deleted"] += len(references)
            return
        rank = {kind: i for i, kind in enumerate(ORDER)}

        def place(reference: str) -> tuple[int, str]:
            kind, _, name = reference.partition("/")
            return -rank.get(kind, len(rank)), name.partition("-")[0]

        together = [list(some) for _, some in groupby(sorted(references, key=place), key=place)]
        for some in _joined(together, self.settings.limits.entries // 5):
            if self.stop is not None:
                error = self.stop
                message, transient = str(error), isinstance(error, GaveUp)
                self.failures.append(Failure(references[some[0]], None, tuple(some), "delete", message, transient))
            else:
                self._settle([], self.sender.delete(some, references[some[0]]))

    def _write_failures(self) -> None:
        """Put the failures of this load in the place of earlier ones of the same server."""
        mine = {"server": self.settings.url, "fhir": self.version}
        kept = [line for line in read_lines(self.root.failed) if not mine.items() <= orjson.loads(line).items()]
        lines = [orjson.dumps(mine | asdict(failure)) for failure in self.failures]
        write_lines(self.root.failed, [*kept, *lines])


def _joined(lists: Iterable[list[str]], size: int) -> Iterator[list[str]]:
    """Lists joined up to about ``size``, none torn apart."""
    joined: list[str] = []
    for some in lists:
        joined += some
        if len(joined) >= size:
            yield joined
            joined = []
    if joined:
        yield joined
