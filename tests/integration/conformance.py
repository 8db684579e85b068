"""HL7's validator over a dataset: ``python -m tests.integration.conformance DIR [R4 R4B R5]``.

Prints every error and how often each kind of remark occurs; exit code 1 if there is an error.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.integration import java

PROJECT = java.TESTS / "conformance"
VERSIONS = ("R4", "R4B", "R5")


def validate(dataset: Path, versions: Sequence[str] = VERSIONS) -> dict[str, Any]:
    """FHIR version → ``checked`` and ``definitions`` (counts), ``errors`` (texts), ``remarks`` (counted kinds).

    Raises CalledProcessError if the program cannot be built, and RuntimeError if it fails or finds nothing to check.
    """
    found = java.packages(PROJECT)
    with TemporaryDirectory() as folder:
        summary = Path(folder) / "summary.json"
        command = [
            *("java", "-Xmx3g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", java.class_path(PROJECT)),
            *(f"-Dpackages.{v}={','.join(name for name in found if f'.{v.lower()}-' in name)}" for v in ("R4", "R5")),
            *("Validate", str(dataset), str(summary), *versions),
        ]
        done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL)
        if done.returncode not in (0, 1):
            raise RuntimeError(f"the validator ended with {done.returncode}; is {dataset} a dataset with FHIR output?")
        result: dict[str, Any] = json.loads(summary.read_text(encoding="utf-8"))
    return result


def main(arguments: Sequence[str]) -> int:
    """Validate, and print what is not an error too; the validator itself prints errors."""
    if reason := java.missing(PROJECT):
        print(reason, file=sys.stderr)
        return 2
    found = validate(Path(arguments[0]), arguments[1:] or VERSIONS)
    for version, result in found.items():
        print(f"{version}: {result['checked']} checked, {len(result['errors'])} errors")
        for remark in result["remarks"]:
            print(f"  {remark['count']} x {remark['severity']}: {remark['text']} (first: {remark['first']})")
    return 1 if any(result["errors"] for result in found.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
