"""From a wrong fact to a corrected dataset: in the browser, in the file, in the next run."""

import json
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from pipeline.corrections import read
from pipeline.records import Case, decode_case
from pipeline.review import pages
from pipeline.review.desk import Request, Wish
from pipeline.review.server import Server, open_server
from pipeline.storage import Dataset
from tests.integration.browser import NARROW, WIDE, running, violations
from tests.integration.command import case2fhir
from tests.integration.golden import ROOT
from tests.unit.review.review_samples import harmless, make_dataset
from tests.unit.storage.storage_samples import files

LETTER, OTHER = "imatinib-erythema-multiforme", "imatinib-psoriasis"
RUN = ("--workers", "1", "--no-data-docs", "--json")


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two letters, ``in``, and their dataset, ``ds``."""
    root = tmp_path_factory.mktemp("correcting")
    (root / "in").mkdir()
    for name in (LETTER, OTHER):
        (root / "in" / f"{name}.txt").write_bytes((ROOT / "seeds" / "letters" / f"{name}.txt").read_bytes())
    run(root)
    return root


def run(root: Path, out: str = "ds", *more: str) -> dict[str, Any]:
    result = case2fhir("run", "in", "--out", out, *RUN, *more, cwd=root)
    assert result.code == 0, result.stderr
    summary: dict[str, Any] = json.loads(result.stdout)
    return summary


def case(root: Path, report_id: str = LETTER) -> Case:
    rows = Dataset.open(root / "ds").table("cases", 0).to_pylist()
    return decode_case(next(row["case_json"] for row in rows if row["report_id"] == report_id))


def published(root: Path) -> dict[str, bytes]:
    return {name: content for name, content in files(root).items() if name != "run.json" and "review/" not in name}


def resources(root: Path, version: str, type_: str) -> list[dict[str, Any]]:
    lines = (root / "ds" / "fhir" / version / f"{type_}.ndjson").read_text().splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture
def server(first: Path) -> Iterator[Server]:
    pages.write(first / "ds")
    with open_server(first / "ds", None, first / "ds.corrections.jsonl", 0, "A. Reviewer") as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@contextmanager
def visiting(server: Server) -> Iterator[Page]:
    """The page of the letter, served; nothing may go wrong in it, and it may ask nobody else.

    No run within: both would want this thread's event loop.
    """
    own, wrong = f"http://127.0.0.1:{server.server_port}/", list[str]()
    with running() as browser:
        page = browser.new_page(viewport={"width": WIDE[0], "height": WIDE[1]}, reduced_motion="reduce")
        page.set_default_timeout(15_000)
        page.on("console", lambda message: wrong.extend([message.text] * (message.type == "error")))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: wrong.extend([request.url] * (not request.url.startswith((own, "data:")))))
        page.goto(server.url)
        key = pages.case_key(LETTER, f"{LETTER}-1")
        page.goto(f"{own}cases/{key[1:3]}/{key}.html")
        page.wait_for_selector("body.correctable")
        yield page
        assert not wrong, wrong


def fact(page: Page, pointer: str) -> Any:
    return page.locator(f'#facts [data-fact="{pointer}"]')


def open_(page: Page, pointer: str) -> Any:
    page.locator(f'[data-correct="{pointer}"]').click()
    return page.get_by_role("dialog")


@pytest.mark.browser
@pytest.mark.slow
def test_a_reviewer_corrects_undoes_runs_again_and_sees_the_result(first: Path, server: Server) -> None:
    before = case(first)
    assert (before.reactions[0].outcome, before.assessments[0].dechallenge) == ("recovered", "positive")
    with visiting(server) as page:
        correct(page)
        assert violations(page) == []

    summary = run(first)
    assert summary["corrections"] == {"by_status": {"applied": 3}, "not_applied": []}
    assert summary["changes"]["changed"] == 1
    after = case(first)
    assert after.reactions[0].outcome == "recovering"
    assert after.assessments[0].dechallenge == "negative"
    assert after.assessments[0].naranjo != before.assessments[0].naranjo
    assert after.patient.history[-1].term == "itching"
    for version in ("R4", "R5"):
        made = [r for r in resources(first, version, "Provenance") if "-correction-" in r["id"]]
        assert [r["agent"][0]["type"]["coding"][0]["code"] for r in made] == ["verifier"] * 3
        assert {r["agent"][0]["who"]["display"] for r in made} == {"A. Reviewer"}
    run(first, "fresh", "--corrections", "ds.corrections.jsonl")
    assert published(first / "fresh") == published(first / "ds")

    with visiting(server) as page:
        assert fact(page, "reactions/0/outcome").get_attribute("data-value") == "recovering"
        expect(page.locator(".pending")).to_have_count(0)
        expect(page.locator(".corrections .status")).to_contain_text("All of them are in the dataset")
        page.locator("#narrative mark[role=button]").first.focus()
        page.keyboard.press("ArrowRight")
        words = page.evaluate("document.activeElement.textContent")
        page.get_by_role("button", name="Add a fact…").press("Enter")
        expect(page.get_by_role("dialog")).to_contain_text(f"Stands in the text as: {words}")
        page.keyboard.press("Escape")
        page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
        open_(page, "drugs/0/exposures/0")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert violations(page) == []


def correct(page: Page) -> None:
    """Change, reject and undo, add; by mouse and by keyboard alone."""
    stored = page.locator("[data-correction]")
    dialog = open_(page, "reactions/0/outcome")
    dialog.get_by_label("outcome").select_option("recovering")
    dialog.get_by_label("Why").fill("letter of May <b>")
    dialog.get_by_role("button", name="Save").click()
    expect(fact(page, "reactions/0/outcome").locator(".pending")).to_contain_text("recovering")
    expect(stored).to_contain_text(["letter of May <b>"])

    open_(page, "drugs/0").get_by_role("button", name="Reject the fact").click()
    expect(stored).to_have_count(2)
    page.get_by_role("button", name="Undo last").click()
    expect(stored).to_have_count(1)

    button = page.locator('[data-correct="assessments/0/dechallenge"]')
    button.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.type("negative")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(stored).to_have_count(2)

    page.evaluate(
        """() => {
            const mark = [...document.querySelectorAll('#narrative mark')].find((one) => one.textContent === 'itching');
            document.getSelection().selectAllChildren(mark);
        }"""
    )
    page.get_by_role("button", name="Add a fact…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("kind").select_option("history")
    expect(dialog.get_by_label("term")).to_have_value("itching")
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(stored).to_have_count(3)


@pytest.mark.browser
@pytest.mark.slow
def test_a_typo_that_withholds_a_case_is_undone_in_its_page(first: Path, server: Server) -> None:
    before = case(first).patient.age
    assert before
    wish = Wish(do="change", pointer="patient/age", field="value", value=666)
    server.session.desk.correct(Request(report=LETTER, case=f"{LETTER}-1", by="A. Reviewer", wishes=[wish]))
    told = run(first)["corrections"]
    assert told["by_status"]["case_withheld"] >= 1
    assert "666" not in json.dumps(told)
    own = f"http://127.0.0.1:{server.server_port}/"
    with visiting(server) as page:
        letter = page.url
        page.goto(f"{own}index.html#state=withheld")
        expect(page.locator("#rows .badge.bad")).to_have_text(["withheld"])
        page.locator("#rows a").click()
        assert page.url == letter
        status = page.locator(".corrections .status")
        expect(status).to_contain_text("A check withholds this case")
        typo = page.locator("[data-correction]", has_text="value is 666")
        expect(typo).to_contain_text("a check withholds the case")
        typo.get_by_role("button", name="Undo").click()
        expect(typo).to_contain_text("undone; gone with the next run")
        said = [str(first / "ds.corrections.jsonl"), f"case2fhir run … --out {first / 'ds'}"]
        expect(status.locator("code")).to_have_text(said)
        assert violations(page) == []

        page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        for length, name in ((150, 150), (300, 0)):
            _select(page, length)
            page.get_by_role("button", name="Add a fact…").click()
            value = page.get_by_role("dialog").get_by_label("name").input_value()
            assert "…" not in value
            assert len(value) == name or abs(len(value) - name) < 3  # white space at its ends
            page.keyboard.press("Escape")
    run(first)
    assert case(first).patient.age == before


def _select(page: Page, length: int) -> None:
    """Select the beginning of the narrative, to so many characters."""
    page.evaluate(
        """(length) => {
            const texts = document.createTreeWalker(document.getElementById("narrative"), NodeFilter.SHOW_TEXT);
            const range = document.createRange();
            let passed = 0;
            range.setStart(document.querySelector("#narrative [data-start]"), 0);
            while (texts.nextNode()) {
                const node = texts.currentNode;
                if (!node.parentElement.closest("[data-start]")) continue;
                if (passed + node.length >= length) { range.setEnd(node, length - passed); break; }
                passed += node.length;
            }
            document.getSelection().removeAllRanges();
            document.getSelection().addRange(range);
        }""",
        length,
    )


@pytest.mark.slow
def test_a_correction_whose_text_has_changed_is_told_and_not_applied(first: Path, tmp_path: Path) -> None:
    """Without a browser: the file alone."""
    letter = tmp_path / "in" / f"{LETTER}.txt"
    letter.parent.mkdir()
    letter.write_bytes((first / "in" / letter.name).read_bytes())
    run(tmp_path)
    found = case(tmp_path)
    entry = {
        "do": "change", "id": "c1", "at": "2026-11-21T19:05:00Z", "by": "A. Reviewer", "report": LETTER,
        "text": _text_hash(tmp_path), "case": found.case_id,
        "fact": {"kind": "reaction", "at": found.reactions[0].evidence[:2]}, "field": "outcome", "value": "fatal",
    }  # fmt: skip
    (tmp_path / "ds.corrections.jsonl").write_text(json.dumps(entry) + "\n")
    assert run(tmp_path)["corrections"]["by_status"] == {"applied": 1}
    assert case(tmp_path).reactions[0].outcome == "fatal"

    letter.write_text(letter.read_text().replace("400 mg/day", "500 mg/day"))
    told = run(tmp_path)["corrections"]
    assert told["by_status"] == {"text_changed": 1}
    assert [(one["correction_id"], one["status"]) for one in told["not_applied"]] == [("c1", "text_changed")]
    assert case(tmp_path).reactions[0].outcome == found.reactions[0].outcome
    record = json.loads((tmp_path / "ds" / "run.json").read_bytes())
    assert record["corrections"] == told
    assert json.dumps(told).count("erythema") == 2  # ids only: of the report and the case

    path = tmp_path / "ds.corrections.jsonl"
    kept = path.read_bytes()
    path.rename(tmp_path / "elsewhere.jsonl")
    lost = case2fhir("run", "in", "--out", "ds", *RUN, cwd=tmp_path)
    assert lost.code == 2
    assert "ds holds 1 corrections, and no file of them is given" in lost.stderr
    assert run(tmp_path, "ds", "--no-corrections")["corrections"]["by_status"] == {}
    path.write_bytes(kept.replace(b'"fatal"', b'"dead"'))
    wrong = case2fhir("run", "in", "--out", "ds", *RUN, cwd=tmp_path)
    assert wrong.code == 2
    for words in ("ds.corrections.jsonl", "line 1 (entry c1)", "field value: reaction outcome is one of: recovered"):
        assert words in wrong.stderr
    assert read(tmp_path / "elsewhere.jsonl")[0].id == "c1"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--serve", "--port", "{taken}"), "choose another --port"),
        (("--by", "A. Reviewer"), "--corrections and --by go with --serve"),
        (("--serve", "--corrections", "ds/c.jsonl"), "lies in the dataset"),
        (("--serve", "--corrections", "wrong.jsonl"), "line 1: field do"),
        (("--serve", "--corrections", "nowhere/c.jsonl"), "nowhere/c.jsonl cannot be written"),
    ],
)
def test_a_wrong_call_says_what_is_wrong_before_pages_are_made(
    tmp_path: Path, options: tuple[str, ...], words: str
) -> None:
    make_dataset(tmp_path / "ds", [harmless(1)])
    (tmp_path / "wrong.jsonl").write_text('{"do": "nothing"}\n')
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        options = tuple(option.replace("{taken}", port) for option in options)
        done = case2fhir("review", "ds", "--quiet", *options, cwd=tmp_path)
    assert done.code == 2
    assert words in done.stderr
    assert not (tmp_path / "ds" / "review").exists()


def test_a_program_that_starts_the_server_is_told_the_address_in_one_line_of_json(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "ds", [harmless(1)])
    command = [sys.executable, "-m", "pipeline.cli", "review", str(root), "--serve", "--port", "0", "--json", "--quiet"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            told = json.loads(process.stdout.readline())
            opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
            assert b"case2fhir review" in opener.open(told["url"], timeout=20).read()
        finally:
            process.kill()  # also where a runner has its children ignore SIGTERM
        assert process.stdout.read() == ""
    assert told["cases"] == 1
    assert told["corrections"] == str(tmp_path / "ds.corrections.jsonl")


def _text_hash(root: Path) -> str:
    from pipeline.corrections import digest
    from pipeline.records import Report

    (row,) = Dataset.open(root / "ds").table("reports", 0).to_pylist()
    return digest(Report(report_id=row["report_id"], text=row["text"]))
