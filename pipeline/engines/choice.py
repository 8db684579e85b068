"""Opens an engine by its name.

Belongs here: which engines there are, what each needs to be installed, which settings go together.
"""

from importlib.util import find_spec
from typing import Final, Literal, get_args

from pipeline.engines import Engine, Limits
from pipeline.engines.local import InlineEngine, LocalEngine, cores
from pipeline.errors import UsageError

EngineName = Literal["local", "dask", "spark"]

NAMES: Final[tuple[EngineName, ...]] = get_args(EngineName)
_PACKAGES: Final = {"dask": "distributed", "spark": "pyspark"}
"""What must be there to import, by engine; each is an optional extra of the same name."""


def check(name: EngineName, address: str | None, workers: int) -> None:
    """Raise UsageError where settings do not go together, or an extra is not installed."""
    package = _PACKAGES.get(name)
    if package and find_spec(package) is None:
        raise UsageError(f"The engine {name} needs an extra: pip install 'case2fhir[{name}]'.")
    if address and not package:
        raise UsageError("An engine address goes with dask and spark; the engine local is this machine.")
    if address and workers:
        raise UsageError(f"The cluster at {address} has the workers that it has: leave their number out.")


def open_engine(name: EngineName, *, address: str | None = None, workers: int = 0, limits: Limits) -> Engine:
    """The engine, as a context manager; nothing is started before the first batch.

    ``address``: of a Dask scheduler or a Spark master; without one, this machine is used.  ``workers``: on this
    machine; 0: one per core; 1 with ``local``: this very process.  Raises UsageError where ``check`` does.
    """
    check(name, address, workers)
    number = workers or cores()
    if name == "dask":
        from pipeline.engines.dask import DaskEngine

        return DaskEngine(address or None, number, limits)
    if name == "spark":
        from pipeline.engines.spark import SparkEngine

        return SparkEngine(address or None, number, limits)
    return InlineEngine() if workers == 1 else LocalEngine(number, limits)
