"""Every code block of the documentation does what its page says."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.storage import Dataset
from tests.integration import documentation
from tests.integration.command import case2fhir
from tests.integration.documentation import PAGES, ROOT, RUN, Block, Session, Wrong
from tests.integration.fake_fhir import FakeFhir, running


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the folder of every session holds at first: reports, their dataset, and texts with annotations."""
    folder = tmp_path_factory.mktemp("documentation")
    shutil.copytree(ROOT / "seeds", folder / "seeds")
    (folder / "reports").symlink_to("seeds")
    shutil.copy(ROOT / "workspace.yaml", folder)
    shutil.copy(ROOT / "seeds" / "letters" / "imatinib-erythema-multiforme.txt", folder / "letter.txt")
    done = case2fhir("run", "reports", "--out", "dataset", cwd=folder)
    assert done.code == 0, done.stderr
    dataset = Dataset.open(folder / "dataset")
    rows = dataset.table("reports", 0).select(["report_id", "text"]).to_pylist()
    texts = [{"id": row["report_id"], "text": row["text"]} for row in rows[:3]]
    mentions = [{"type": "drug", "text": "imatinib"}]
    for name, more in (("texts.jsonl", {}), ("gold.jsonl", {"mentions": mentions})):
        (folder / name).write_text("".join(json.dumps(text | more) + "\n" for text in texts), encoding="utf-8")
    return folder


@pytest.fixture
def session(prepared: Path, tmp_path: Path) -> Iterator[Session]:
    folder = tmp_path / "session"
    shutil.copytree(prepared, folder, symlinks=True)
    with running(FakeFhir()) as fhir:
        yield Session(folder, fhir.url)


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if any(b.language in RUN for b in documentation.blocks(page))])
def test_code_blocks_do_what_the_page_says(page: str, session: Session, request: pytest.FixtureRequest) -> None:
    documentation.check(page, session, update=request.config.getoption("--update-golden"))


@pytest.mark.parametrize("page", PAGES)
def test_blocks_follow_the_convention(page: str) -> None:
    for block in documentation.blocks(page):
        documentation.check_form(block)


class TestTheConvention:
    """What the checks above refuse."""

    @pytest.mark.parametrize(
        ("block", "complaint"),
        [
            (Block("p.md", 3, "", "case2fhir --help\n"), "language"),
            (Block("p.md", 3, "text", "case2fhir --help\n"), "call it bash"),
            (Block("p.md", 3, "bash", "make test\n", "not run: takes long"), "which file covers it"),
            (Block("p.md", 3, "bash", "make test\n", "not run: see tests/nowhere.py"), "does not exist"),
        ],
    )
    def test_form(self, block: Block, complaint: str) -> None:
        with pytest.raises(Wrong, match=rf"p\.md:3: .*{complaint}"):
            documentation.check_form(block)

    @pytest.mark.parametrize(
        ("shown", "remark", "alike"),
        [
            ("a  1\nb 2\n", "output", True),
            ("a 1\n…\n", "output", True),
            ("a 1\n", "output", False),
            ("a 1\nb 3\n", "output", False),
        ],
    )
    def test_output(self, shown: str, remark: str, alike: bool) -> None:
        assert documentation.same(Block("p.md", 3, "text", shown, remark), "a 1\nb 2\n") is alike

    def test_times_may_differ_where_the_page_says_so(self) -> None:
        shown = Block("p.md", 3, "text", "took 1.5 s for 3\n", "output; times differ")
        assert documentation.same(shown, "took 20.25 s for 3\n")
        assert not documentation.same(shown, "took 20.25 s for 4\n")

    def test_outputs_are_written_where_they_belong(self) -> None:
        page = "```text\nold\n```\n\n```text\n```\n"
        outputs = {Block("p.md", 1, "text", "old\n"): "first\nof two \n\n", Block("p.md", 5, "text", ""): "last\n"}
        assert documentation.rewritten(page, outputs) == "```text\nfirst\nof two\n```\n\n```text\nlast\n```\n"

    def test_blocks_of_a_session_build_on_each_other(self, tmp_path: Path) -> None:
        session = Session(tmp_path)
        session.run(Block("p.md", 1, "bash", "mkdir there\ncd there\nexport WORD=hello\n"))
        assert session.run(Block("p.md", 1, "bash", "pwd\necho $WORD\n")) == f"{tmp_path}/there\nhello\n"

    def test_a_command_that_fails_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(Wrong, match=r"p\.md:7 ends with 3"):
            Session(tmp_path).run(Block("p.md", 7, "bash", "true\n(exit 3)\ntrue\n"))
