"""Options of the test run."""

import os

import pytest

os.environ["DAGSTER_DISABLE_TELEMETRY"] = "yes"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="rewrite the expected outputs under tests/data instead of comparing",
    )
