"""Checks of one FHIR resource: fhir.resources' models, and the rules of the specification that they lack."""

from typing import Any

from pipeline.paths import FhirVersion


def check(resource: dict[str, Any], version: FhirVersion) -> list[str]:
    """What is wrong with ``resource``, each as ``"path: rule"`` without values; empty for a valid one."""
    raise NotImplementedError
