"""What Dagster loads (``workspace.yaml``): assets, job, schedule, sensor and resources of case2fhir."""

import os
from typing import Any

import dagster as dg

from pipeline.orchestration import assets, jobs
from pipeline.orchestration.resources import Engine, Inputs, LogProgress, Output, Server


def build_defs(**resource_overrides: Any) -> dg.Definitions:
    """The definitions, with some resources replaced.

    Resources by name: ``inputs`` (``Inputs``), ``output`` (``Output``), ``engine`` (``Engine``), ``inbox`` (``Inbox``),
    ``server`` (``Server``), ``progress`` (``Progress``).  With ``CASE2FHIR_SERVER`` in the environment, every run of
    the job, the daily one too, loads its dataset into that server.
    """
    return dg.Definitions(
        assets=assets.build_assets(),
        jobs=[jobs.case2fhir_job],
        schedules=[jobs.daily],
        sensors=[jobs.inbox_sensor],
        loggers={"console": dg.colored_console_logger, "json": dg.json_console_logger},
        resources={
            "inputs": Inputs(),
            "output": Output(),
            "engine": Engine(),
            "inbox": jobs.Inbox(),
            "server": Server(url=os.environ.get("CASE2FHIR_SERVER", "")),
            "progress": LogProgress(),
            "io_manager": dg.mem_io_manager,  # no value travels between assets; without this a folder is made for them
            **resource_overrides,
        },
    )


defs = build_defs()
