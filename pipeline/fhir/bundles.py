"""Transaction bundles: resources that a FHIR server takes in one request, and their removal."""

import hashlib
from collections.abc import Sequence
from typing import Any

from pipeline.fhir.settings import ORDER, Options, Resource

_DEFAULTS = Options()


def bundle(resources: Sequence[Resource], *, options: Options = _DEFAULTS) -> Resource:
    """A transaction that creates or updates (PUT) every resource under its own id; sending it twice changes nothing.

    References stay relative (``Patient/x``), which every loader and bulk import understands.  ``fullUrl`` is the
    absolute ``{base}/fhir/{type}/{id}``, so that within the bundle relative references resolve by the rule of FHIR
    R4 §3.3.3 (*resolving references in bundles*).
    """
    paths = [f"{resource['resourceType']}/{resource['id']}" for resource in resources]
    return transaction(paths, resources, options=options)


def transaction(paths: Sequence[str], contents: Sequence[Any], *, options: Options = _DEFAULTS) -> Resource:
    """``bundle`` of resources by their ``Type/id``; ``contents`` stands for them, ready for whoever writes the JSON."""
    entries = [
        {
            "fullUrl": f"{options.base}/fhir/{path}",
            "resource": content,
            "request": {"method": "PUT", "url": path},
        }
        for path, content in zip(paths, contents, strict=True)
    ]
    return _transaction(paths, entries)


def delete_bundle(references: Sequence[str]) -> Resource:
    """A transaction that deletes ``Type/id`` references, those first that others do not depend on."""
    rank = {type_: i for i, type_ in enumerate(ORDER)}
    ordered = sorted(references, key=lambda path: (-rank.get(path.split("/")[0], len(ORDER)), path))
    return _transaction(ordered, [{"request": {"method": "DELETE", "url": path}} for path in ordered])


def _transaction(paths: Sequence[str], entries: list[Resource]) -> Resource:
    name = hashlib.blake2b("\n".join(paths).encode(), digest_size=12).hexdigest()
    result: Resource = {"resourceType": "Bundle", "id": f"b{name}", "type": "transaction"}
    if entries:
        result["entry"] = entries
    return result
