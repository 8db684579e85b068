"""What Dagster loads (``workspace.yaml``): assets, job, schedule, sensor and resources of case2fhir."""

from typing import Any

import dagster as dg

from pipeline.orchestration import assets, jobs
from pipeline.orchestration.resources import Engine, Inputs, LogProgress, Output


def build_defs(**resource_overrides: Any) -> dg.Definitions:
    """The definitions, with some resources replaced.

    Resources by name: ``inputs`` (``Inputs``), ``output`` (``Output``), ``engine`` (``Engine``), ``inbox`` (``Inbox``),
    ``progress`` (``Progress``).
    """
    return dg.Definitions(
        assets=assets.build_assets(),
        jobs=[jobs.case2fhir_job],
        schedules=[jobs.daily],
        sensors=[jobs.inbox_sensor],
        resources={
            "inputs": Inputs(),
            "output": Output(),
            "engine": Engine(),
            "inbox": jobs.Inbox(),
            "progress": LogProgress(),
            **resource_overrides,
        },
    )


defs = build_defs()
