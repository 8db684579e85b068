"""What the server holds of ours, and whether it is what we would send.

Belongs here: reading by id, comparing.  Does not belong here: sending.  Reads by id see every commit at once; searches
need not (HAPI serves a search again for a minute, hosted servers index with delay).
"""

from collections.abc import Iterable
from typing import Any, Final

import orjson
from lxml import etree

from pipeline.server.client import Client, outcome_words
from pipeline.server.errors import Refused, Unavailable
from pipeline.server.packing import slices

READS: Final = 100
"""Resources asked for in one request."""
_ABSENT: Final = ("404", "410")
_OF_THE_SERVER: Final = ("versionId", "lastUpdated", "source")
"""Elements of ``meta`` that servers write."""


def read(client: Client, references: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Those of the resources that the server holds, by reference.

    Raises Refused, Denied, GaveUp; asks again while the server is away.
    """
    found: dict[str, dict[str, Any]] = {}
    for some in slices(dict.fromkeys(references), READS):
        found |= client.patiently(lambda some=some: _batch(client, some))  # type: ignore[misc]
    return found


def version_of(resource: dict[str, Any]) -> str | None:
    """``meta.versionId``."""
    version = resource.get("meta", {}).get("versionId")
    return version if isinstance(version, str) else None


def same(ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
    """Whether both say the same, but for what servers add in ``meta``, and how they spell a narrative's XHTML."""
    return _plain(ours) == _plain(theirs)


def _plain(resource: dict[str, Any]) -> dict[str, Any]:
    meta = {name: value for name, value in resource.get("meta", {}).items() if name not in _OF_THE_SERVER}
    rest = {name: value for name, value in resource.items() if name != "meta"}
    if (narrative := rest.get("text")) is not None:
        rest["text"] = narrative | {"div": _canonical(narrative.get("div", ""))}
    return rest | ({"meta": meta} if meta else {})


def _canonical(xhtml: str) -> str:
    """One spelling of equal XHTML; text that is none as it is."""
    try:
        return str(etree.canonicalize(xhtml))
    except etree.XMLSyntaxError:
        return xhtml


def _batch(client: Client, references: list[str]) -> dict[str, dict[str, Any]]:
    entries = [{"request": {"method": "GET", "url": reference}} for reference in references]
    asked = orjson.dumps({"resourceType": "Bundle", "type": "batch", "entry": entries})
    answered = entries_of(client.ask("POST", "", asked, once=True).content, len(references))
    found = {}
    for reference, entry in zip(references, answered, strict=True):
        status = str(entry.get("response", {}).get("status", ""))
        if status.startswith("2") and "resource" in entry:
            found[reference] = entry["resource"]
        elif not status.startswith(_ABSENT):
            said = f"{status}: {outcome_words(entry.get('response', {}).get('outcome')) or 'no reason given'}"
            if status.startswith(("5", "429")):
                raise Unavailable(said, maybe_done=False, status=int(status[:3]))
            raise Refused(f"{reference} cannot be read: {said}", status=int(status[:3] or 0))
    return found


def entries_of(content: bytes, expected: int) -> list[dict[str, Any]]:
    """The entries of an answered bundle. Raises Unavailable for an answer that was cut short or is none."""
    try:
        entries: list[dict[str, Any]] = orjson.loads(content).get("entry", [])
    except (orjson.JSONDecodeError, AttributeError) as error:
        raise Unavailable("the answer is no bundle", maybe_done=True) from error
    if len(entries) != expected:
        raise Unavailable(f"the answer has {len(entries)} entries instead of {expected}", maybe_done=True)
    return entries
