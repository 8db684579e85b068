"""The written pages: which files there are, what they hold, and that nothing of a report becomes markup."""

import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest
from lxml import html

from pipeline.errors import RunFailed, UsageError
from pipeline.paths import DatasetPaths, ReviewPaths
from pipeline.records import Refused, Source, decode_case
from pipeline.review import facts, index, pages, reading
from pipeline.storage import Dataset
from tests.unit.fhir.fhir_samples import rich
from tests.unit.review.review_samples import ATTACKS, harmless, hostile, make_dataset, rich_material
from tests.unit.storage.storage_samples import files

ALLOWED = {"static/case.js", "static/index.js", "cases.js"}
WARNING = {
    "suite": "drugs",
    "success": False,
    "expectations": [
        {
            "id": "drugs.coded",
            "severity": "warning",
            "description": "a drug has a code",
            "success": False,
            "failing": [{"report_id": "report-1", "case_id": "report-1-1", "drug_id": "drug-2"}],
        }
    ],
}
WITHHELD = Refused(
    stage="validation",
    reason="cases.key-unique",
    message="Expected: unique ids",
    report_id="report-2",
    case_id="report-2-1",
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hostile case, one with a warning, one that is withheld; pages in ``review``."""
    root = tmp_path_factory.mktemp("dataset") / "out"
    make_dataset(root, [hostile(), harmless(1), harmless(2)], withheld=[WITHHELD], results=[WARNING])
    pages.write(root)
    return root


def page_of(dataset: Path, case: str) -> Any:
    paths = ReviewPaths(DatasetPaths(dataset).review)
    return html.document_fromstring(paths.case(pages.case_key(case, f"{case}-1")).read_text(encoding="utf-8"))


def document(text: str) -> Any:
    return html.document_fromstring(text)


def test_the_folder_holds_an_index_a_page_per_case_and_what_they_use(dataset: Path) -> None:
    found = set(files(dataset / "review"))
    cases = {name for name in found if name.startswith("cases/")}
    assert len(cases) == 3
    assert all(re.fullmatch(r"cases/[0-9a-f]{2}/c[0-9a-f]{24}\.html", name) for name in cases)
    assert found - cases == {
        "index.html", "cases.js", "review.json", "static/case.js", "static/index.js", "static/review.css",
    }  # fmt: skip


def test_the_dataset_itself_is_as_it_was(dataset: Path) -> None:
    assert Dataset.open(dataset).damaged() == []


def test_the_same_dataset_gives_the_same_bytes(dataset: Path, tmp_path: Path) -> None:
    written = pages.write(dataset, tmp_path / "again")
    assert (written.cases, written.withheld) == (3, 1)
    assert files(tmp_path / "again") == files(dataset / "review")


def test_every_page_says_which_dataset_it_shows(dataset: Path, tmp_path: Path) -> None:
    copy = tmp_path / "out"
    shutil.copytree(dataset, copy)
    DatasetPaths(copy).run_record.write_text('{"ended": "2026-11-21T23:29:09+01:00"}')
    pages.write(copy)
    paths = ReviewPaths(DatasetPaths(copy).review)
    for path in paths.root.rglob("*.html"):
        (shown,) = document(path.read_text(encoding="utf-8")).xpath("//footer//*[@id='shown']")
        assert "".join(shown.itertext()) == f"dataset {pages.state(copy)[:12]}, run of 2026-11-21 22:29 UTC"
    assert pages.current(copy, paths)
    manifest = DatasetPaths(copy).manifest
    manifest.write_bytes(manifest.read_bytes() + b"\n")
    assert not pages.current(copy, paths)
    assert not pages.current(copy, ReviewPaths(tmp_path / "none"))


def test_pages_are_replaced_as_a_whole_and_nothing_is_left_beside_them(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "pages"
    pages.write(dataset, out)
    (out / "cases" / "stale.html").touch()
    pages.write(dataset, out)
    assert files(out) == files(dataset / "review")
    assert [path.name for path in tmp_path.iterdir()] == ["pages"]


def test_a_folder_of_someone_else_is_left_alone(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(UsageError, match="holds no review pages"):
        pages.write(dataset, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_in_the_place_of_the_folder(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "pages").touch()
    with pytest.raises(UsageError, match="is a file"):
        pages.write(dataset, tmp_path / "pages")


def test_a_folder_without_a_dataset(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"manifest\.json"):
        pages.write(tmp_path)


def test_a_dataset_that_changes_meanwhile_is_not_shown_half(dataset: Path, tmp_path: Path) -> None:
    copy = tmp_path / "out"
    shutil.copytree(dataset, copy)
    before = files(copy / "review")

    def change(done: int, total: int) -> None:
        manifest = DatasetPaths(copy).manifest
        manifest.write_bytes(manifest.read_bytes() + b"\n")

    with pytest.raises(RunFailed, match="has changed"):
        pages.write(copy, progress=change)
    assert files(copy / "review") == before


def test_every_file_has_a_policy_that_allows_nothing_inline_and_nothing_from_elsewhere(dataset: Path) -> None:
    for path in (dataset / "review").rglob("*.html"):
        page = document(path.read_text(encoding="utf-8"))
        (policy,) = page.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
        assert policy == pages.POLICY
        assert page.xpath("//head/*[1]/@charset") == ["utf-8"]
        scripts = page.xpath("//script")
        assert all(not (script.text or "").strip() for script in scripts)
        assert {script.get("src").removeprefix("../../") for script in scripts} <= ALLOWED
        assert page.xpath("//style | //iframe | //object | //embed | //base | //form[@action] | //img") == []
        assert page.xpath("//@style") == []
        assert [name for element in page.iter() for name in element.attrib if name.startswith("on")] == []
        for address in page.xpath("//@href | //@src"):
            assert not re.match(r"(?i)\s*(javascript|https?|//)", address), address
    assert "unsafe" not in pages.POLICY


def test_attacks_are_shown_as_text(dataset: Path) -> None:
    case, report, _ = hostile()
    page = page_of(dataset, report.report_id)
    (narrative,) = page.xpath("//*[@id='narrative']")
    shown = "".join("".join(stretch.itertext()) for stretch in narrative.xpath(".//*[@data-start]"))
    for attack in ATTACKS[:10]:
        assert attack in shown
    assert page.body.get("data-report-id").startswith('r<1>"&')
    assert "\u202e" not in "".join(page.xpath("//body//text()[not(ancestor::template)]"))
    assert page.xpath("//mark[contains(@class, 'hidden-character')][. = 'U+202E']")
    (term,) = page.xpath("//*[@data-fact='reactions/0']//*[contains(@class, 'value')]//bdi")
    assert term.text == case.reactions[0].term


def test_the_script_of_the_index_cannot_be_ended_by_a_name(dataset: Path) -> None:
    script = (dataset / "review" / "cases.js").read_text(encoding="ascii")
    assert "<" not in script
    literal = script.removeprefix("window.case2fhirCases = JSON.parse(").removesuffix(");\n")
    table = json.loads(json.loads(literal))
    assert len(table["rows"]) == 3
    assert any(ATTACKS[0] in name for name in table["drugs"])


def test_the_contract_with_other_scripts(dataset: Path) -> None:
    case, report = rich()
    page = page_of(dataset, "report-1")
    assert page.body.get("data-case-id") == "report-1-1"
    assert page.body.get("data-report-id") == "report-1"
    assert page.body.get("data-case-key") == pages.case_key("report-1", "report-1-1")
    assert page.body.get("data-text-sha256") == hashlib.sha256(report.text.encode()).hexdigest()
    (record,) = page.xpath("//template[@id='case-record']")
    named = msgspec.structs.replace(case, case_id="report-1-1", report_id="report-1")
    assert decode_case(record.text) == named
    shown = {element.get("data-fact"): element for element in page.xpath("//*[@id='facts']//*[@data-fact]")}
    for fact in facts.read(case):
        element = shown.pop(fact.pointer)
        assert "fact" in element.get("class").split()
        assert element.get("data-kind") == fact.kind
        assert element.get("data-value") == fact.value
        assert element.get("data-evidence", "") == fact.spans
        assert ("absent" in element.get("class").split()) is fact.absent
    assert shown == {}
    pointers = {fact.pointer for fact in facts.read(case)}
    assert set(page.xpath("//@data-for")) <= pointers
    (narrative,) = page.xpath("//*[@id='narrative']")
    assert int(narrative.get("data-length")) == len(report.text)


def test_stretches_give_back_the_text_character_by_character(dataset: Path) -> None:
    for text, report_id in ((rich()[1].text, "report-1"), (hostile()[1].text, hostile()[1].report_id)):
        (narrative,) = page_of(dataset, report_id).xpath("//*[@id='narrative']")
        stretches = narrative.xpath(".//*[@data-start]")
        starts = [int(stretch.get("data-start")) for stretch in stretches]
        for stretch, start, end in zip(stretches, starts, [*starts[1:], len(text)], strict=True):
            shown = "".join(stretch.itertext())
            if "hidden-character" in (stretch.get("class") or ""):
                assert shown == f"U+{ord(text[start]):04X}"
                assert end == start + 1
            else:
                assert shown == text[start:end]


def test_a_withheld_case_has_a_page_that_says_why(dataset: Path) -> None:
    page = page_of(dataset, "report-2")
    (notice,) = page.xpath("//*[@id='checks']")
    words = " ".join("".join(notice.itertext()).split())
    assert "in quarantine" in words
    assert "cases.key-unique" in words
    assert "Expected: unique ids" in words
    assert page.xpath("//details[@class='resource']")


def test_a_warning_is_on_the_page_of_its_case_only(dataset: Path) -> None:
    (notice,) = page_of(dataset, "report-1").xpath("//*[@id='checks']")
    words = " ".join("".join(notice.itertext()).split())
    assert "1 failed check" in words
    assert "drugs.coded" in words
    assert "drug_id drug-2" in words
    assert page_of(dataset, hostile()[1].report_id).xpath("//*[@id='checks']") == []


def test_pages_lead_to_their_neighbours_and_back(dataset: Path) -> None:
    review = dataset / "review"
    for path in review.glob("cases/*/*.html"):
        page = document(path.read_text(encoding="utf-8"))
        for address in page.xpath("//nav[@aria-label='Cases']//@href"):
            assert (path.parent / address).resolve().is_file(), address


def test_what_was_refused_is_on_the_index(tmp_path: Path) -> None:
    refused = [Refused(stage="sources", reason="empty", message=m, source=Source(path=m, format="x")) for m in ATTACKS]
    paths = ReviewPaths(tmp_path)
    pages.write_index(paths, index.Table(), 0, refused)
    page = document(paths.index.read_text(encoding="utf-8"))
    rows = page.xpath("//section[@id='refused']//tbody/tr")
    assert len(rows) == len(ATTACKS)
    assert rows[0].xpath("string(td[2])") == ATTACKS[0]


def test_a_report_that_was_withheld_as_a_whole_is_read_from_its_document(tmp_path: Path) -> None:
    whole = Refused(stage="validation", reason="reports.text-given", message="Expected: text", report_id="report-1")
    make_dataset(tmp_path / "out", [harmless(1), harmless(2)], withheld=[whole])
    materials = {m.case.report_id: m for m in reading.cases(Dataset.open(tmp_path / "out"))}
    assert materials["report-1"].withheld
    assert materials["report-1"].text == rich()[1].text
    assert [check.id for check in materials["report-1"].checks] == ["reports.text-given"]


def test_a_case_without_its_text_says_so() -> None:
    case, _ = rich()
    page = document(pages.case_page(reading.Material(case, None, {})))
    assert page.body.get("data-text-sha256") is None
    assert page.xpath("//*[@id='narrative']") == []
    assert "does not hold the text" in "".join(page.itertext())


class TestServed:
    """A page as a server sends it."""

    def test_it_has_one_more_script_and_may_ask_its_server(self) -> None:
        page = pages.case_page(rich_material())
        served = document(pages.served(page.encode(), "/static/corrections.js").decode())
        (policy,) = served.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
        assert policy == f"{pages.POLICY}; connect-src 'self'"
        assert served.xpath("//script/@src") == ["../../static/case.js", "/static/corrections.js"]

    @pytest.mark.parametrize("page", [b"", b"<html></html>"])
    def test_no_other_page_is_changed(self, page: bytes) -> None:
        with pytest.raises(ValueError, match="not a review page"):
            pages.served(page, "x.js")

    def test_a_report_cannot_pretend_to_be_the_place_of_scripts(self) -> None:
        case, report = rich()
        hook = "<!-- scripts of a server -->"
        material = reading.Material(case, f"{hook} {pages.POLICY}", {})
        served = pages.served(pages.case_page(material).encode(), "x.js")
        assert served.count(b"x.js") == 1
        assert report.text
