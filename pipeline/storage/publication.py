"""Makes a staged run the dataset: writes its files aside, then renames them, the manifest last."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.paths import DatasetPaths, FhirVersion


def publish(
    paths: DatasetPaths,
    *,
    options: Mapping[str, Any],
    profiles: Mapping[FhirVersion, Sequence[dict[str, Any]]],
    validation: Mapping[str, Any],
) -> dict[str, Any]:
    """Publish what ``Staging(paths)`` holds, less what it refused, and return the manifest.

    ``options``: the JSON-able options that shape the content (not the number of workers); they go into the manifest and
    the fingerprints.  ``profiles``: our own definitions by FHIR version; its keys are the versions that are published.
    ``validation``: ``validation.suites.to_json``'s document, written to ``validation/results.json``.
    The same staged content, options and versions give the same bytes, manifest included: it holds no clock.

    Raises RunFailed when the files cannot be written; the old dataset then stays as it was.
    """
    raise NotImplementedError
