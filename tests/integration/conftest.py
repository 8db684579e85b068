"""What several integration tests start from."""

from pathlib import Path

import pytest

from tests.integration.command import case2fhir

SEEDS = Path(__file__).parents[2] / "seeds"


@pytest.fixture(scope="session")
def seeds_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset of ``seeds/``, in both FHIR versions; not to be changed."""
    out = tmp_path_factory.mktemp("seeds") / "out"
    done = case2fhir("run", str(SEEDS), "--out", str(out), "--no-data-docs")
    assert done.code == 0, done.stderr
    return out
