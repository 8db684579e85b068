"""How often Python looks for garbage that reference counting leaves behind.

Belongs here: that setting, for all processes of a run.  Does not belong here: freeing anything in particular.
"""

import gc

_YOUNG = 100_000
"""New objects that set off a look (Python: 700 or 2,000): records and rows by the hundred thousand hold no cycles."""


def loaded() -> None:
    """To be called once something big has been loaded that stays (models, Great Expectations): it is not looked through
    any more, and what comes after it seldom. A quarter of the time of checks and publication went there.
    """
    gc.freeze()
    gc.set_threshold(_YOUNG, 20, 20)
