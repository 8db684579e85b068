"""Fuzzing of everything that reads what others wrote: ``make fuzz SECONDS=600``.

Belongs here: what is done with arbitrary bytes and must then hold (``targets``), and the run of a coverage-guided
fuzzer over it (``__main__``, needs atheris).  What it found lies in ``tests/data/fuzz/<target>/`` and is read again by
``tests/unit/test_fuzz_findings.py``, without atheris.
"""
