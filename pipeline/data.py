"""Finds the data files that travel with the code: ``mappings/`` and ``expectations/``.

In a checkout they are top-level folders; in an installed wheel they sit in ``pipeline/_data``.
"""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def _folder(name: str) -> Path:
    installed = _PACKAGE / "_data" / name
    return installed if installed.is_dir() else _PACKAGE.parent / name


MAPPINGS = _folder("mappings")
EXPECTATIONS = _folder("expectations")
