"""Loads a published dataset into a FHIR server, and keeps the server what the dataset is.

``load`` is the whole of it; ``Settings`` says which server and how to talk to it.  Pure of Dagster.  What a dataset
holds is not decided here.
"""

from pipeline.server.bulk import Bulk
from pipeline.server.client import Client
from pipeline.server.errors import Denied, GaveUp, Refused, Unavailable
from pipeline.server.loading import LoadResult, Options, load
from pipeline.server.settings import AUTH_KINDS, AuthKind, Limits, Settings

__all__ = [
    "AUTH_KINDS",
    "AuthKind",
    "Bulk",
    "Client",
    "Denied",
    "GaveUp",
    "Limits",
    "LoadResult",
    "Options",
    "Refused",
    "Settings",
    "Unavailable",
    "load",
]
