"""Dagster's side of the pipeline: assets, checks, job, schedule, sensor and resources.

Belongs here: when things run, on what, and what is reported about them.  Does not belong here: how reports are read,
extracted, mapped, checked or stored; assets read, call, write and report.  No other package imports Dagster.
"""

import os

# Dagster reports usage to its makers unless told not to; reports may be confidential, so we tell it, before its import.
os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "yes")
