"""A real browser for tests: Chromium of the system, without network, through Playwright."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

Scheme = Literal["light", "dark"]

WIDE, NARROW = (1440, 960), (390, 844)


def chromium() -> str:
    """Path of the browser; skips the test where there is none."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("needs Chromium: apt-get install -y --no-install-recommends chromium")
    return path


@contextmanager
def running() -> Iterator[Browser]:
    """The browser, for as long as the block."""
    path = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visiting(
    browser: Browser, address: str | Path, *, scheme: Scheme = "light", size: tuple[int, int] = WIDE
) -> Iterator[Page]:
    """The page at ``address``. Leaving it, nothing may have gone wrong in it, and no request may have left its folder.

    Whatever the browser's console calls an error counts: scripts that failed, files that are missing, what the policy
    of the page forbade.
    """
    url = address.resolve().as_uri() if isinstance(address, Path) else address
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, reduced_motion="reduce"
    )
    page = context.new_page()
    page.set_default_timeout(10_000)
    wrong: list[str] = []
    page.on("console", lambda message: wrong.extend([message.text] * (message.type == "error")))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: wrong.append(f"dialog: {dialog.message}"))
    own = url.split("/cases/")[0].rpartition("/")[0] if "index.html" in url else url.split("/cases/")[0]
    page.on("request", lambda request: wrong.extend([request.url] * (not _within(request.url, own))))
    try:
        page.goto(url)
        yield page
        assert not wrong, wrong
    finally:
        context.close()


def _within(url: str, folder: str) -> bool:
    return url.startswith((folder + "/", "data:,", "blob:"))


def violations(page: Page) -> list[tuple[str, list[str]]]:
    """What axe-core finds wrong with the page as it is: rule and places."""
    from axe_playwright_python.sync_playwright import Axe

    options = {"preload": False}  # it would ask for the style sheet, which the policy forbids
    found: list[dict[str, Any]] = Axe().run(page, options=options).response["violations"]
    return [(v["id"], [str(node["html"])[:160] for node in v["nodes"][:3]]) for v in found]
