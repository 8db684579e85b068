"""Every size at which a source is refused. Belongs here: nothing but these numbers. Sizes are bytes unless named."""

HEAD = 1 << 16
"""Looked at to recognise a format."""

CHUNK = 1 << 16
"""Read at once from a stream."""

TEXT = 5_000_000
"""One report's text (characters, and bytes of a plain text file): a long book chapter has 200,000."""

RECORD = 32_000_000
"""One line of JSON Lines or one XML article, mark-up included."""

IN_MEMORY = 256_000_000
"""A Parquet file or zip that cannot be read in place because it lies inside a compressed file or archive."""

RATIO = 200
RATIO_FROM = 100_000_000
"""A stream that inflates more than ``RATIO`` times beyond ``RATIO_FROM`` bytes is taken for a decompression bomb."""

XZ_MEMORY = 256 << 20
"""Dictionary memory that an xz stream may ask for."""

TAR_HEADER = 1_000_000
"""Extended header of a tar member (its name and attributes)."""

PARQUET_ROWS = 256
"""Rows of Parquet held at once."""

IDENTIFIER = 100
"""Characters of a report id; longer ones are cut and end in a hash."""
