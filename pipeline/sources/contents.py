"""One digest over everything that is read, so that a run over unchanged input need not read it.

Belongs here: hashing names and bytes.  Does not belong here: what they mean.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from pipeline.records import Refused, encode
from pipeline.sources.containers import files


def digest(inputs: Sequence[Path]) -> str:
    """SHA-256 over path and content of every file that ``read(inputs)`` looks at, in its order.

    Content counts, not times: neither a clock set back nor a file that was touched misleads it.  A file that cannot be
    read counts with the reason.
    """
    whole = hashlib.sha256()
    for path in files(list(inputs)):
        whole.update(encode(path) if isinstance(path, Refused) else f"\0{path}\0".encode(errors="surrogateescape"))
        if isinstance(path, Path):
            whole.update(_content(path))
    return whole.hexdigest()


def _content(path: Path) -> bytes:
    if not path.is_file():
        return b"no regular file"
    try:
        with path.open("rb") as content:
            return hashlib.file_digest(content, "sha256").digest()
    except OSError as error:
        return str(error.errno).encode()
