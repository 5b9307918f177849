from __future__ import annotations

import random
import re
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from synthetic_runs import draft, outcome, write_run

from codekiln.core.errors import CodekilnError, MissingExtraError, UsageError
from codekiln.evals import Outcome, Stored, store, summarise
from codekiln.evals.report import html_report, markdown_report, write_report
from codekiln.evals.report.measured import COLOURS, mark_of, measure
from codekiln.evals.report.reliability import calibration_error, reliability
from codekiln.evals.report.tables import (
    command_of,
    escape_markdown,
    ledger_table,
    scores_table,
    verdict_table,
)

HOSTILE = '<script>alert("x")</script> & $\\alpha$ | `b` -- >'


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Stored]:
    """A greedy, a sample and a verified run of ten problems."""
    tmp_path = tmp_path_factory.mktemp("runs")
    rng = random.Random(0)
    rights = [[rng.random() < 0.5 for _ in range(4)] for _ in range(10)]
    plain = [outcome(f"p{i}", found) for i, found in enumerate(rights)]
    answers = [
        outcome(f"p{i}", found, chosen=found.index(max(found)), confidence=rng.random())
        for i, found in enumerate(rights)
    ]
    greedy = [replace(item, candidates=item.candidates[:1]) for item in plain]
    return [
        write_run(tmp_path, greedy, mode="greedy", id="g", settings={"n": 1, "temperature": 0.0}),
        write_run(tmp_path, plain, mode="sample", id="s"),
        write_run(tmp_path, answers, mode="verified", id="v", settings={"n": 4}),
    ]


@pytest.fixture(scope="module")
def page(runs: list[Stored]) -> str:
    return html_report(runs)


class Tags(HTMLParser):
    """Checks that elements close in order, and keeps their attributes."""

    VOID = frozenset({"meta"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.names: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "href", "xlink:href", "data", "srcset"):
                self.links.append(value or "")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parsed(page: str) -> Tags:
    tags = Tags()
    tags.feed(page)
    tags.close()
    assert tags.open == []
    return tags


def test_the_page_asks_for_nothing_else(page: str) -> None:
    tags = parsed(page)
    assert all(link.startswith("#") for link in tags.links)
    assert not tags.names & {"script", "link", "img", "iframe", "object", "base"}
    assert not re.search(r"url\((?!#)|@import|@font-face", page)
    assert set(re.findall(r"https?://[^\s\"'<)]+", page)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }


def test_ids_of_the_pictures_are_used_once_and_found(page: str) -> None:
    tags = parsed(page)
    assert len(tags.ids) == len(set(tags.ids))
    wanted = {link[1:] for link in tags.links} | set(re.findall(r"url\(#([^)]+)\)", page))
    assert wanted <= set(tags.ids)


def test_the_page_is_light_and_dark_and_fits_a_phone(page: str) -> None:
    assert "prefers-color-scheme: dark" in page
    assert "width=device-width" in page
    assert page.count("<svg") == 5
    assert "currentColor" in page
    assert "#010203" not in page


def test_equal_runs_make_equal_files(runs: list[Stored], page: str) -> None:
    assert html_report(runs) == page


def test_texts_of_a_run_are_only_text(tmp_path: Path) -> None:
    run = write_run(
        tmp_path,
        [outcome("p0", [True, False], chosen=0)],
        mode="verified",
        model=HOSTILE,
        note=HOSTILE,
    )
    other = write_run(tmp_path, [outcome("p0", [True])], mode="greedy", id="other")
    page = html_report([run, other])
    assert "script" not in parsed(page).names
    assert "&lt;script&gt;" in page
    text = markdown_report([run, other])
    assert "<script>" not in "".join(
        line for line in text.splitlines(keepends=True) if not line.startswith("    ")
    )
    tables = [line for line in text.splitlines() if line.startswith("|")]
    cells = {len(re.findall(r"(?<!\\)\|", line)) for line in tables}
    assert len(cells) <= 3


def test_markdown_keeps_text_on_one_line_as_it_stands() -> None:
    assert escape_markdown("a|b\n*c* <d>") == "a\\|b \\*c\\* \\<d\\>"
    assert escape_markdown("1\u202f000 in a_name") == "1\u202f000 in a_name"


def test_the_scores_table_tells_what_the_summaries_do(runs: list[Stored]) -> None:
    measured = measure(runs)
    table = scores_table(measured)
    by_mode = {row[table.heads.index("mode")]: row for row in table.rows}
    summary = measured[2].summary
    assert summary.selected is not None
    verified = dict(zip(table.heads, by_mode["verified"], strict=True))
    assert verified["selected"].startswith(f"{100 * summary.selected:.1f} (")
    assert verified["verified"] == "10"
    greedy = dict(zip(table.heads, by_mode["greedy"], strict=True))
    assert "(" in greedy["greedy"]
    assert greedy["selected"] == greedy["verified"] == "–"


def test_runs_that_differ_in_a_seed_alone_get_a_column_of_names(tmp_path: Path) -> None:
    found = [outcome("p0", [True, False])]
    runs = [write_run(tmp_path, found, settings={"seed": s}, id=f"seed{s}") for s in (0, 1)]
    table = scores_table(measure(runs))
    assert table.heads[0] == "run"
    assert [row[0] for row in table.rows] == ["sample · seed 0", "sample · seed 1"]


def test_the_ledger_counts_tokens_per_right_answer(tmp_path: Path) -> None:
    found = [outcome("p0", [True, False], chosen=0), outcome("p1", [False, False], chosen=1)]
    table = ledger_table(measure([write_run(tmp_path, found, mode="verified")]))
    row = dict(zip(table.heads, table.rows[0], strict=True))
    assert (row["tokens"], row["tokens per problem"], row["tokens per right answer"]) == (
        "40",
        "20",
        "40",
    )
    assert row["checks run"] == "6"


def test_the_verdict_table_counts_right_candidates_that_were_passed_over(tmp_path: Path) -> None:
    found = [
        outcome("p0", [True, False], chosen=1),
        outcome("p1", [False, False], chosen=0),
        outcome("p2", [True, False], chosen=0),
    ]
    table = verdict_table(measure([write_run(tmp_path, found, mode="verified")]))
    assert table.heads == ("run", "right", "wrong output", "right one passed over")
    assert table.rows[0][1:] == ("1", "2", "1")


def test_confidence_is_held_against_what_was_right() -> None:
    told = [(0.95, True), (0.91, False), (1.0, True), (0.05, False), (0.1, True)]
    outcomes = [
        outcome(f"p{i}", [right], chosen=0, confidence=c) for i, (c, right) in enumerate(told)
    ]
    bins = reliability([*outcomes, outcome("none", [True], chosen=0)])
    assert [item.count for item in bins] == [1, 1, 0, 0, 0, 0, 0, 0, 0, 3]
    assert bins[9].right == pytest.approx(2 / 3)
    assert bins[9].confidence == pytest.approx((0.95 + 0.91 + 1.0) / 3)
    gap = 3 * abs(bins[9].confidence - 2 / 3) + 0.05 + 0.9
    assert calibration_error(bins) == pytest.approx(gap / 5)


def test_more_runs_than_colours_are_told_apart_by_dash_and_marker() -> None:
    marks = {(mark.colour, mark.dash, mark.marker) for mark in map(mark_of, range(20))}
    assert len(marks) == 20
    assert mark_of(0).colour == mark_of(len(COLOURS)).colour


def test_the_command_measures_the_same_again(runs: list[Stored]) -> None:
    assert command_of(runs[2].run) == (
        "codekiln eval run humaneval --model tiny --mode verified --max-tokens 1024 -n 4 "
        "--temperature 0.8 --top-p 1.0 --seed 0 --form evalplus"
    )
    limited = replace(
        runs[0].run, language="rust", settings={**runs[0].run.settings, "limit": 5}, model="a b"
    )
    assert "--model 'a b' --mode greedy --language rust" in command_of(limited)
    assert "--limit 5" in command_of(limited)
    assert "-n" not in command_of(limited).split()


def test_the_report_says_what_was_measured(runs: list[Stored], page: str) -> None:
    for text in (markdown_report(runs), page):
        run = runs[2].run
        for fact in (run.dataset, run.weights_sha256, run.code, "Model 8488C", "torch 2.13.0"):
            assert fact in text
        assert command_of(run) in text
        assert "exact McNemar p" in text


def test_markdown_needs_no_matplotlib_and_the_page_names_the_extra(
    runs: list[Stored], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    write_report(runs, tmp_path / "report.md", None)
    assert (tmp_path / "report.md").read_text().startswith("# tiny on humaneval\n")
    with pytest.raises(MissingExtraError, match=r"drawing pictures needs .* 'eval'"):
        write_report(runs, tmp_path / "other.md", tmp_path / "report.html")
    assert not (tmp_path / "other.md").exists()


def test_files_are_written_whole_and_folders_made(runs: list[Stored], tmp_path: Path) -> None:
    write_report(runs[:1], tmp_path / "new" / "r.md", tmp_path / "new" / "r.html")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["r.html", "r.md"]
    (tmp_path / "file").touch()
    with pytest.raises(CodekilnError, match="cannot be written"):
        write_report(runs[:1], tmp_path / "file" / "r.md", None)


def test_pictures_alone_are_files_that_stand_by_themselves(
    runs: list[Stored], tmp_path: Path
) -> None:
    write_report(runs, None, None, tmp_path / "pictures")
    files = sorted((tmp_path / "pictures").iterdir())
    assert {"cost.svg", "pass-at-k.svg", "verdicts.svg"} <= {file.name for file in files}
    for file in files:
        drawing = ElementTree.parse(file).getroot()
        assert drawing.tag == "{http://www.w3.org/2000/svg}svg"
        style = drawing[0].text or ""
        assert all(f"{name}:#" in style for name in ("color", "--rule", "--paper"))


def test_a_report_needs_a_finished_run(runs: list[Stored], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no run to report"):
        markdown_report([])
    begun = store.open_run(replace(runs[0].run, id="begun"), tmp_path / "begun")
    with pytest.raises(UsageError, match="begun has 0 of 10 problems done"):
        markdown_report([*runs, begun])


def test_a_run_given_twice_is_shown_once(runs: list[Stored]) -> None:
    assert len(measure(runs)) == 3
    assert markdown_report([*runs, runs[0]]) == markdown_report(runs)


def test_a_run_of_repeats_is_told_without_a_test(tmp_path: Path) -> None:
    answers = [outcome(f"p{i}", [True, True], chosen=1, confidence=0.9) for i in range(3)]
    repeated = write_run(tmp_path, answers, mode="verified", id="r", settings={"repeat": 3})
    text = markdown_report([repeated])
    assert "humaneval (1 problem, 3 times), verified: 100.0\u00a0% right." in text
    assert "McNemar" not in text
    named = write_run(tmp_path, answers, id="n", settings={"repeat": 3, "problem": "sort"})
    assert "(sort, 3 times)" in markdown_report([named])


@pytest.mark.parametrize(("count", "p99"), [(1, 1), (2, 2), (100, 99), (150, 149), (1000, 990)])
def test_the_p99_is_the_smallest_time_that_99_percent_do_not_exceed(count: int, p99: int) -> None:
    times = [replace(outcome(f"p{i}", [True]), seconds=float(i)) for i in range(count, 0, -1)]
    found = summarise(times, "greedy")
    assert found.seconds_p99 == p99
    assert found.seconds_median is not None
    assert found.seconds_median <= p99


def test_samples_have_a_table_of_pass_at_k(tmp_path: Path) -> None:
    answers = [outcome(f"p{i}", [True, i < 2, True, False]) for i in range(4)]
    text = markdown_report([write_run(tmp_path, answers, mode="sample")])
    assert "## pass@k" in text
    assert "| run | pass@1 | pass@2 | pass@3 |" in text


def test_few_problems_have_no_interval(tmp_path: Path) -> None:
    answers = [outcome(f"p{i}", [False, True], chosen=1) for i in range(3)]
    text = markdown_report([write_run(tmp_path, answers, mode="verified")])
    assert "+100.0 points (too few for an interval, exact McNemar p = 0.25)" in text


def test_many_runs_leave_room_for_the_picture(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    runs = [
        write_run(tmp_path, [outcome("p", [True])], id=f"r{number}", note=f"n{number}")
        for number in range(24)
    ]
    html_report(runs)
    assert not [warning for warning in recwarn if "layout" in str(warning.message)]


def test_odd_runs_still_make_a_page(tmp_path: Path) -> None:
    nothing = [Outcome("p0", (), None), Outcome("p1", (), None)]
    empty = write_run(tmp_path, nothing, mode="verified", id="no candidates")
    all_right = write_run(
        tmp_path,
        [outcome("p0", [True], chosen=0, confidence=1.0, tokens=0)],
        mode="stepwise",
        suite="mbpp",
        language="rust",
        id="one",
    )
    no_greedy = write_run(
        tmp_path, [Outcome("p0", (draft(0, False), draft(1, True)))], suite="kilnlogic", id="warm"
    )
    for runs in ([empty], [empty, all_right, no_greedy]):
        parsed(html_report(runs))
        assert markdown_report(runs)
