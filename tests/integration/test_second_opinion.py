"""A server that shares no code with HAPI takes the bundles too: Medplum's validation and FHIR router, R4."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration import java

PROJECT = java.TESTS / "second-opinion"
ABSENT = [command for command in ("node", "npm") if shutil.which(command) is None]

pytestmark = [pytest.mark.server, pytest.mark.skipif(bool(ABSENT), reason=f"Medplum needs {', '.join(ABSENT)}")]


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    """Medplum's packages, fetched when they are not there in the version that ``package.json`` names."""
    wanted, done = PROJECT / "package.json", PROJECT / "node_modules" / ".package-lock.json"
    if not done.exists() or done.stat().st_mtime < wanted.stat().st_mtime:
        java.execute("npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", cwd=PROJECT)


def accept(dataset: Path) -> subprocess.CompletedProcess[str]:
    command = ["node", "accept.cjs", str(dataset)]
    return subprocess.run(command, cwd=PROJECT, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def test_it_takes_every_bundle_of_the_seeds(seeds_dataset: Path) -> None:
    done = accept(seeds_dataset)
    assert done.returncode == 0, done.stderr
    bundles = (seeds_dataset / "fhir" / "R4" / "bundles.ndjson").read_bytes().splitlines()
    assert re.search(rf": {len(bundles)} bundles, \d+ resources, 0 refused", done.stdout)


def test_it_refuses_a_broken_one(seeds_dataset: Path, tmp_path: Path) -> None:
    folder = tmp_path / "fhir" / "R4"
    folder.mkdir(parents=True)
    lines = (seeds_dataset / "fhir" / "R4" / "bundles.ndjson").read_text(encoding="utf-8")
    (folder / "bundles.ndjson").write_text(lines.replace('"actuality":"actual"', '"actuality":["actual"]', 1))
    done = accept(tmp_path)
    assert done.returncode == 1
    assert "actuality" in done.stderr
