"""Takes the picture that the README shows: ``python -m tests.integration.screenshot DATASET REPORT PNG``."""

import sys
from pathlib import Path

from pipeline.paths import DatasetPaths, ReviewPaths
from pipeline.review.pages import case_key
from tests.integration.browser import running, visiting

SIZE = (1440, 1010)


def main(dataset: str, report_id: str, picture: str) -> None:
    """The first case of a report, with the words of a re-exposure lit."""
    page_of = ReviewPaths(DatasetPaths(Path(dataset)).review).case(case_key(report_id, f"{report_id}-1"))
    with running() as browser, visiting(browser, page_of, size=SIZE) as page:
        page.locator(".picture .glyph-back .sign").hover()
        page.locator("#narrative .lit").first.wait_for()
        page.screenshot(path=picture)


if __name__ == "__main__":
    main(*sys.argv[1:])
