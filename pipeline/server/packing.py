"""What is to be sent: the resources of each case, and cases packed into requests.

Belongs here: reading bundles, digests, grouping by size.  Does not belong here: the wire, the ledger.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import orjson

from pipeline.paths import FhirVersion
from pipeline.server.ledger import Known
from pipeline.server.settings import Limits
from pipeline.storage import Dataset
from pipeline.storage.files import read_lines

T = TypeVar("T")


class Item(NamedTuple):
    """One resource: ``reference`` (``Patient/x``), its JSON, a digest of that, and what the ledger says about it."""

    reference: str
    full_url: str | None
    body: bytes
    digest: bytes
    known: Known | None = None

    @property
    def unchanged(self) -> bool:
        """Whether the server is known to hold this very content."""
        return self.known is not None and self.known.digest == self.digest

    @property
    def resource(self) -> dict[str, Any]:
        """The resource, decoded."""
        decoded: dict[str, Any] = orjson.loads(self.body)
        return decoded


class CaseItems(NamedTuple):
    """The resources that come and go together, those first that others refer to: a case, or a definition of ours."""

    case_id: str | None
    report_id: str | None
    items: tuple[Item, ...]


def item(resource: dict[str, Any], full_url: str | None = None) -> Item:
    """The item of a resource; equal resources (in the order of their elements) have equal digests."""
    body = orjson.dumps(resource)
    digest = hashlib.blake2b(body, digest_size=16).digest()
    return Item(f"{resource['resourceType']}/{resource['id']}", full_url, body, digest)


def cases(dataset: Dataset, version: FhirVersion) -> Iterator[CaseItems]:
    """Every case of a dataset with all its resources, in the order of the bundles."""
    for shard in range(dataset.shards):
        ids = dataset.table("cases", shard).select(["case_id", "report_id"]).to_pylist()
        lines = read_lines(dataset.paths.bundles(version, shard, dataset.shards))
        for case, line in zip(ids, lines, strict=True):
            entries = orjson.loads(line).get("entry", ())
            yield CaseItems(**case, items=tuple(item(entry["resource"], entry.get("fullUrl")) for entry in entries))


def packed(groups: Iterable[Sequence[CaseItems]], limits: Limits) -> Iterator[list[CaseItems]]:
    """Groups together in one request as far as the limits allow; a group is never torn apart, however large."""
    request: list[CaseItems] = []
    for group in groups:
        if request and not fits([*request, *group], limits):
            yield request
            request = []
        request = [*request, *group]
    if request:
        yield request


def grouped(cases: Iterable[CaseItems]) -> Iterator[list[CaseItems]]:
    """Neighbours that share a resource (cases of one report share the article): two requests must not race for it."""
    group: list[CaseItems] = []
    references: set[str] = set()
    for case in cases:
        own = {item.reference for item in case.items}
        if group and references.isdisjoint(own):
            yield group
            group, references = [], set()
        group.append(case)
        references |= own
    if group:
        yield group


def fits(cases: Sequence[CaseItems], limits: Limits) -> bool:
    """Whether these may go into one request; a single case always may."""
    sizes = {item.reference: len(item.body) for case in cases for item in case.items}
    within = len(cases) <= limits.cases and len(sizes) <= limits.entries and sum(sizes.values()) <= limits.bytes
    return within or len(cases) == 1


def slices(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Consecutive lists of ``size``, the last one shorter."""
    some: list[T] = []
    for one in items:
        some.append(one)
        if len(some) == size:
            yield some
            some = []
    if some:
        yield some
