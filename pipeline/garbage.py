"""How memory is looked through and given back: settings of Python, the C library and Arrow for the processes of a run.

Belongs here: these settings.  Does not belong here: freeing anything in particular.
"""

import ctypes
import gc
import sys
from contextlib import suppress
from typing import Final

import pyarrow as pa

_YOUNG: Final = 100_000
"""New objects that set off a look (Python: 700 or 2,000): records and rows by the hundred thousand hold no cycles."""
_M_MMAP_THRESHOLD: Final = -3
"""Of glibc's ``mallopt``, in ``malloc.h``: from how many bytes on a block is a mapping of its own."""
_LARGE: Final = 1 << 18


def loaded() -> None:
    """To be called once something big has been loaded that stays (models, Great Expectations): it is not looked through
    any more, and what comes after it seldom. A quarter of the time of checks and publication went there.
    """
    gc.freeze()
    gc.set_threshold(_YOUNG, 20, 20)


def give_back() -> None:
    """To be called when a run begins: large blocks go back to the system as soon as they are free.

    Batches and frames come and go by the ten megabytes; what glibc and Arrow's own allocator keep of them lies in
    pieces that the next ones do not fit into (a tenth of the coordinator's peak).  Nothing happens without glibc.
    """
    pa.set_memory_pool(pa.system_memory_pool())
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE)
