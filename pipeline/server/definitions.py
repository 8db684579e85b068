"""Our own StructureDefinitions, CodeSystems and ValueSets on a server that may hold others' of the same name.

Belongs here: which definitions to send.  Does not belong here: their content (``pipeline.fhir``).
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import orjson

from pipeline.paths import FhirVersion
from pipeline.server.client import Client
from pipeline.server.errors import Refused
from pipeline.server.packing import CaseItems, Item, item
from pipeline.server.reading import read
from pipeline.server.sending import Failure
from pipeline.storage import Dataset


def definitions(dataset: Dataset, version: FhirVersion) -> list[CaseItems]:
    """The dataset's definitions for one FHIR version, each on its own, in the manifest's order."""
    prefix = f"{version}-"
    paths = [dataset.paths.root / file["path"] for file in dataset.manifest["files"] if file["kind"] == "profile"]
    ours = [orjson.loads(path.read_bytes()) for path in paths if path.name.startswith(prefix)]
    return [CaseItems(None, None, (item(definition),)) for definition in ours]


def sendable(client: Client, wanted: list[CaseItems]) -> tuple[list[CaseItems], list[CaseItems], list[Failure]]:
    """What may be sent, what the server has from elsewhere, and what it has no room for.

    A definition whose canonical URL the server knows under another id is left to whoever put it there (a complete ICH
    code list, say, in place of our fragment).  An id that belongs to a definition with another URL is not overwritten.
    """
    elsewhere = _elsewhere(client, [case.items[0] for case in wanted])
    left = [case for case in wanted if case.items[0].reference not in elsewhere]
    held = read(client, [case.items[0].reference for case in left])
    send, failures = [], []
    for case in left:
        (ours,) = case.items
        theirs = held.get(ours.reference)
        if theirs is None or theirs.get("url") == ours.resource.get("url"):
            send.append(case)
        else:
            message = f"The server holds another definition under this id: {theirs.get('url')}"
            failures.append(Failure(None, None, (ours.reference,), "load", message, transient=False))
    return send, [case for case in wanted if case.items[0].reference in elsewhere], failures


def _elsewhere(client: Client, ours: list[Item]) -> set[str]:
    """References of definitions that the server knows by URL, but not under our id."""
    by_type: dict[str, dict[str, str]] = defaultdict(dict)
    for one in ours:
        kind, _, _ = one.reference.partition("/")
        by_type[kind][one.resource["url"]] = one.reference
    found: set[str] = set()
    for kind, references in by_type.items():
        ids: dict[str, set[str]] = defaultdict(set)
        for resource in _search(client, kind, list(references)):
            ids[resource.get("url", "")].add(f"{kind}/{resource['id']}")
        found |= {reference for url, reference in references.items() if ids[url] and reference not in ids[url]}
    return found


def _search(client: Client, kind: str, urls: list[str]) -> Iterator[dict[str, Any]]:
    """Definitions with one of these URLs; none from a server that cannot search for them."""
    query = urlencode({"url": ",".join(url.replace(",", r"\,") for url in urls), "_elements": "url", "_count": "200"})
    try:
        bundle = orjson.loads(client.ask("GET", f"{kind}?{query}", headers={"Cache-Control": "no-cache"}).content)
    except (Refused, orjson.JSONDecodeError):
        return
    for entry in bundle.get("entry") or ():
        resource = entry.get("resource", {})
        if resource.get("resourceType") == kind:
            yield resource
