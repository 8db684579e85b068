"""MkDocs hook: pages of the site that lie outside ``docs/``, where people look for them in a checkout."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
PAGES = {"README.md": "index.md", "CONTRIBUTING.md": "CONTRIBUTING.md", "CHANGELOG.md": "CHANGELOG.md"}
OTHERS = {"LICENSE": "LICENSE.txt"}
"""Files that a page links to."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the checkout's root, with links as they are below ``docs/``."""
    for name, target in (PAGES | OTHERS).items():
        text = (ROOT / name).read_text(encoding="utf-8").replace("](docs/", "](")
        files.append(File.generated(config, target, content=_moved(text, "")))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Links from ``docs/`` to those pages."""
    return _moved(markdown, "../")


def _moved(text: str, up: str) -> str:
    for name, target in (PAGES | OTHERS).items():
        text = text.replace(f"]({up}{name})", f"]({target})")
    return text
