"""What can be configured of a run: inputs, output, engine; and who hears of its progress."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Any, Self

import dagster as dg
from pydantic import Field, PrivateAttr

from pipeline import engines, garbage
from pipeline.corrections import locate
from pipeline.engines import choice
from pipeline.errors import RunFailed, UsageError
from pipeline.orchestration import record
from pipeline.paths import FHIR_VERSIONS, DatasetPaths, FhirVersion
from pipeline.progress import Meter
from pipeline.server.settings import Limits, Settings
from pipeline.storage import Staging, exclusive


class Fhir(Enum):
    """FHIR versions to write."""

    R4 = "R4"
    R5 = "R5"
    BOTH = "both"


class EngineName(Enum):
    """What runs the batches."""

    LOCAL = "local"
    DASK = "dask"
    SPARK = "spark"


class Inputs(dg.ConfigurableResource["Inputs"]):
    """What to read: files, archives and folders."""

    paths: list[str] = Field(default=["seeds"], description="Files, archives or folders of reports.")
    corrections: str = Field(
        default="", description="File of corrections; empty: DIR.corrections.jsonl beside the dataset, if it is there."
    )
    uncorrected: bool = Field(default=False, description="Apply no corrections, and drop those of the dataset.")

    def files(self) -> list[Path]:
        """The inputs as paths; raises UsageError for one that is not there."""
        for path in self.paths:
            if not Path(path).exists():
                raise UsageError(f"{path} does not exist; INPUT must be files, archives or folders of reports.")
        return [Path(path) for path in self.paths]

    def corrected(self, dataset: Path) -> Path | None:
        """The file of corrections for a dataset; raises UsageError where it is missing, or lies where it must not."""
        if self.uncorrected:
            return None
        return locate(Path(self.corrections) if self.corrections else None, dataset, self.files())


class Output(dg.ConfigurableResource["Output"]):
    """What to write, and how much of the input may be refused."""

    folder: str = Field(default="out", description="Folder of the dataset: new, empty, or a dataset of case2fhir.")
    fhir: Fhir = Field(default=Fhir.BOTH, description="FHIR versions to write.")
    max_quarantine_rate: float = Field(
        default=0.5, ge=0, le=1, description="Share of the reports that may be refused before the run counts as failed."
    )

    data_docs: bool = Field(
        default=True,
        description="Write Great Expectations' pages on the first shard to validation/docs (some seconds).",
    )
    previews: bool = Field(
        default=True,
        description="Show rows and charts in Dagster, whose database then holds names of drugs and reactions.",
    )
    fresh: bool = Field(default=False, description="Make everything anew, whatever the dataset in the folder holds.")

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Self]:
        """Hold the folder against other runs from the first asset to the last.

        Raises UsageError where the folder is not ours, not writable, or being written by another run.
        """
        garbage.give_back()
        self.paths.claim()
        with exclusive(self.paths):
            yield self

    @property
    def paths(self) -> DatasetPaths:
        """Where everything lies."""
        return DatasetPaths(Path(self.folder))

    @property
    def staging(self) -> Staging:
        """The run under way."""
        return Staging(self.paths)

    @property
    def options(self) -> dict[str, Any]:
        """The options that shape the content."""
        return record.options(self.fhir.value)

    @contextmanager
    def stage(self, name: str) -> Iterator[dict[str, Any]]:
        """Time a stage; what is put into the dict, and ``seconds``, are kept for the record of the run.

        Raises RunFailed, with the file and the reason, where the machine refuses to write.
        """
        figures: dict[str, Any] = {}
        started = time.perf_counter()
        try:
            yield figures
            figures["seconds"] = round(time.perf_counter() - started, 3)
            self.staging.add_figures(name, figures)
        except OSError as error:
            what = error.filename or self.folder
            raise RunFailed(f"{what}: {error.strerror or type(error).__name__}; the dataset is as it was.") from error

    @property
    def versions(self) -> tuple[FhirVersion, ...]:
        """FHIR versions to write, oldest first."""
        return tuple(version for version in FHIR_VERSIONS if self.fhir in (Fhir.BOTH, Fhir(version)))


class Engine(dg.ConfigurableResource["Engine"]):
    """What runs extraction and mapping."""

    name: EngineName = Field(
        default=EngineName.LOCAL, description="local: processes of this machine; dask, spark: docs/engines.md."
    )
    address: str = Field(
        default="", description="Of a Dask scheduler or Spark master; empty: dask and spark run on this machine."
    )
    workers: int = Field(
        default=0,
        ge=0,
        description="Processes of this machine; 0: one per core; 1, of local: the run's own, and no limits.",
    )
    report_timeout: float = Field(
        default=engines.Limits.seconds,
        ge=0,
        description="Seconds of processor time that a report may take; what takes longer is refused; 0: no limit.",
    )
    worker_memory: int = Field(
        default=engines.Limits.megabytes,
        ge=0,
        description="MB that a worker may use; what needs more is refused; 0: no limit.",
    )

    _opened: engines.Engine = PrivateAttr()

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Self]:
        """Keep the engine from the first asset to the last; it starts nothing before there is something to do.

        Raises UsageError where the engine cannot be had.
        """
        limits = engines.Limits(self.report_timeout, self.worker_memory)
        with choice.open_engine(self.name.value, address=self.address, workers=self.workers, limits=limits) as opened:
            self._opened = opened
            yield self

    @property
    def opened(self) -> engines.Engine:
        """What runs tasks."""
        return self._opened


class Auth(Enum):
    """How we say who we are; secrets come from the environment (``pipeline.server.settings``)."""

    NONE = "none"
    BASIC = "basic"
    BEARER = "bearer"
    SMART = "smart"


class Server(dg.ConfigurableResource["Server"]):
    """The FHIR server that datasets are loaded into; without an address nothing is loaded."""

    url: str = Field(default="", description="Base address, such as https://fhir.example.org/fhir; empty: do not load.")
    auth: Auth = Field(default=Auth.NONE, description="none, basic, bearer or smart (SMART Backend Services).")
    ca_file: str = Field(default="", description="Certificates to trust (PEM), for a CA of your own.")
    connections: int = Field(default=4, ge=1, description="Requests side by side.")
    patience: float = Field(default=300.0, ge=0, description="Seconds the server may be away before the load ends.")

    @property
    def settings(self) -> Settings:
        """What ``server.load`` needs; raises UsageError for an address that is none."""
        limits = Limits(connections=self.connections, patience=self.patience)
        return Settings(self.url, self.auth.value, Path(self.ca_file) if self.ca_file else None, limits)


class LogProgress:
    """Progress as log lines, one when a stage begins and one every ten seconds."""

    def __init__(self) -> None:
        self._meter = Meter()

    def __call__(self, stage: str, done: int, total: int | None = None) -> None:
        """See ``Progress``."""
        if reading := self._meter(stage, done, total):
            dg.get_dagster_logger("case2fhir").info("%s: %s", stage, reading)
