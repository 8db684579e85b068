"""The data frames that expectation suites look at: tables with scalar check columns, resources, references."""

from collections.abc import Iterable, Mapping

import pandas as pd
import pyarrow as pa

from pipeline.paths import FhirVersion
from pipeline.storage.staging import CaseResources


def frames(
    tables: Mapping[str, pa.Table], resources: Mapping[FhirVersion, Iterable[CaseResources]]
) -> dict[str, pd.DataFrame]:
    """Frames of one shard by suite name, for those tables given (plus resources and references when given any version).

    The same for a shard in ``Staging`` and for a published one: ``tables`` from ``storage.tables.build`` or
    ``Dataset.tables``.
    """
    raise NotImplementedError
