"""Writing and reading a dataset: staged runs, publication, published datasets.

``Staging`` is a run under way, ``publish`` makes it the dataset, ``Dataset`` reads what was published.  ``tables`` says
what the Parquet tables hold.  What a fact means, or whether it is right, is not decided here.
"""

from pipeline.storage.dataset import Dataset
from pipeline.storage.publication import publish
from pipeline.storage.reuse import current
from pipeline.storage.staging import CaseResources, Staging
from pipeline.storage.swap import exclusive, tidy

__all__ = ["CaseResources", "Dataset", "Staging", "current", "exclusive", "publish", "tidy"]
