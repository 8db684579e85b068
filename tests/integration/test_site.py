"""The documentation as a site: no broken link, and nothing is asked of other hosts."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from lxml import html

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = build(ROOT / "mkdocs.yml", folder)
    assert done.returncode == 0, done.stderr
    return folder


def build(configuration: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(configuration), "-d", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_every_page_is_there(site: Path) -> None:
    pages = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    assert pages <= {path.relative_to(site) for path in site.rglob("*.html")}
    assert "case2fhir" in (site / "index.html").read_text(encoding="utf-8")


def test_it_asks_nothing_of_other_hosts(site: Path) -> None:
    for path in site.rglob("*.html"):
        for element in html.fromstring(path.read_bytes()).iter("script", "link", "img", "iframe", "source"):
            address = element.get("src") or element.get("href") or ""
            assert not re.match(r"(?:\w+:)?//", address), f"{path.name}: {address}"
    for path in site.rglob("*.css"):
        assert not re.search(r"(?:@import|url\()\s*['\"]?(?:https?:)?//", path.read_text(encoding="utf-8")), path.name


def test_a_broken_link_fails_the_build(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("[nowhere](nowhere.md)\n", encoding="utf-8")
    ours = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[0].replace("[tools/site.py]", "[]")
    (tmp_path / "mkdocs.yml").write_text(ours, encoding="utf-8")
    done = build(tmp_path / "mkdocs.yml", tmp_path / "site")
    assert done.returncode != 0
    assert "nowhere.md" in done.stderr + done.stdout
