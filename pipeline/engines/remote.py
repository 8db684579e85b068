"""What engines on clusters have in common: how a batch gets to a worker, and what runs there.

Belongs here: what travels.  Does not belong here: whose workers they are (``dask``, ``spark``).

Batches travel as Arrow streams of at most about a megabyte, and results come back in the same way: the coordinator
alone reads the input and writes the dataset, and workers touch no file of either.  A worker keeps ``Children``, as the
local engine does, so a report that kills a process does not kill the worker; they end after a minute without work.
Each compares versions with those of the coordinator before it works, because other code, data or libraries would write
other bytes.
"""

import os
import pickle
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from typing import Final, TypeAlias

import pyarrow as pa

from pipeline.engines import Limits, Task
from pipeline.engines.children import Children, Outcome
from pipeline.engines.worker import Hello, write

IDLE: Final = 60.0
"""Seconds without work after which a process on a cluster's worker ends: nobody may ever come back to it."""

Done: TypeAlias = Outcome | Exception
"""What comes back; an exception is a value, so that no engine tries again what must fail, or logs what it was given."""


@dataclass(frozen=True)
class Settings:
    """What processes on a worker need to know; equal settings share processes."""

    hello: Hello
    environment: tuple[tuple[str, str], ...]


@dataclass(frozen=True, repr=False)
class Parcel:
    """One batch on its way. Engines log what they could not run, so its representation holds no content."""

    settings: Settings
    function: bytes
    batch: bytes
    rows: int

    def __repr__(self) -> str:
        return f"Parcel({self.rows} rows, {len(self.batch)} bytes)"


def settings(limits: Limits) -> Settings:
    """What workers need to know to make the bytes that this process would make."""
    # Here and not at the top: workers import this module, and need no more than what they start processes with.
    from pipeline.storage.manifest import versions
    from pipeline.terminology import VARIABLE

    hello = Hello(limits, IDLE, pickle.dumps(versions()))
    return Settings(hello, ((VARIABLE, os.environ.get(VARIABLE, "")),))


def pack(task: Task, batch: pa.RecordBatch, settings: Settings) -> Parcel:
    """A batch for a worker."""
    return Parcel(settings, pickle.dumps(task.function), write(batch), batch.num_rows)


def work(parcel: Parcel) -> Done:
    """What a worker does with a batch."""
    try:
        return _children(parcel.settings).run(parcel.function, parcel.batch, parcel.rows)
    except Exception as error:
        return error


def here(parcel: Parcel) -> Outcome:
    """What ``work`` does, on this machine: for a batch that workers did not survive."""
    with closing(Children(parcel.settings.hello, dict(parcel.settings.environment))) as children:
        return children.run(parcel.function, parcel.batch, parcel.rows)


def unpack(done: Done) -> Outcome:
    """What came back; raises the exception, if it is one."""
    if isinstance(done, Exception):
        raise done
    return done


@cache
def _children(settings: Settings) -> Children:
    return Children(settings.hello, dict(settings.environment))
