"""Case → FHIR R4 and R5 resources, bundles, and the definitions of our own extensions.

Belongs here: what a fact of the Case becomes in FHIR (docs/fhir-mapping.md).  Does not belong here: reading text,
judging causality, checking resources, writing files.  ``common`` holds what R4 and R5 share, ``r4`` and ``r5`` the two
resources that differ; codes, units and definitions are data in ``mappings/fhir``.
"""

from pipeline.fhir.bundles import bundle, delete_bundle, transaction
from pipeline.fhir.cases import build, build_each
from pipeline.fhir.profiles import profiles
from pipeline.fhir.settings import ORDER, Options, Resource, Version

__all__ = [
    "ORDER",
    "Options",
    "Resource",
    "Version",
    "build",
    "build_each",
    "bundle",
    "delete_bundle",
    "profiles",
    "transaction",
]
