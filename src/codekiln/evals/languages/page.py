"""docs/languages.md: the registry, the toolchains, and what was measured, as Markdown. Pure.

Takes finished measurements; a language that was not measured has dashes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from statistics import median
from typing import TYPE_CHECKING, Any

from codekiln.evals.languages.folder import Measured
from codekiln.evals.languages.summary import ArmCounts, LanguageCounts, total
from codekiln.evals.report.svg import WIDTH_IN, Picture, picture
from codekiln.languages import Language, all_languages
from codekiln.languages.recipes import recipe_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CHART = "languages"
# Okabe and Ito's.
_PLAIN, _CODEKILN = "#E69F00", "#0072B2"
_HEAD = """# Languages

<!-- Written by bench/languages_page.py from the registry and results/languages. -->

codekiln knows {languages} languages: {programming} of programs and shells, {others} of queries,
markup and data. Answers in all of them are parsed before they are returned; what does not parse is
repaired or labelled. In {runs} of them answers are built and **run on the examples** in the
sandbox, where the tools in the table are installed: `codekiln setup LANGUAGE` installs them,
`codekiln doctor` and `codekiln languages` tell what is there.

| level | means |
|---|---|
| parse | a grammar finds no error in the answer |
| compile | its own compiler takes the answer, and nothing is run |
| run | its own compiler or interpreter builds it, calls it, and the results are compared |

A conformance suite of {programs} small programs, right ones and subtly wrong ones, holds every
language that is run to account (`tests/verify/programs`); five valid and three broken snippets
hold every grammar (`tests/languages/snippets`).
"""


def languages_page(
    measured: Sequence[Measured], programs: int, parsing: Mapping[str, Any] | None = None
) -> str:
    """The page; `programs` is how many programs the conformance suite has.

    `parsing` is what bench/parse_speed.py measured.
    """
    languages = all_languages()
    code = [one for one in languages if one.kind in ("programming", "shell")]
    runs = [one for one in languages if one.can_run]
    head = _HEAD.format(
        languages=len(languages),
        programming=len(code),
        others=len(languages) - len(code),
        runs=len(runs),
        programs=programs,
    )
    compiled = [one for one in languages if one.has_tools and not one.can_run]
    parts = [head, "## Run\n", _tools_table(runs)]
    if compiled:
        parts += ["## Compiled\n", _tools_table(compiled)]
    for one in measured:
        parts += [f"## Measured with {one.manifest['model']}\n", _measured(one)]
    if measured:
        parts.insert(1, f"![Answers that are right, by language](pictures/{CHART}.svg)\n")
    if parsing:
        parts.append(_parsing(parsing))
    parts += ["## Which fall short, and why\n", *_short(languages, measured)]
    parts += ["## All languages\n", _all_table(languages)]
    return "\n".join(parts)


def languages_chart(measured: Measured) -> Picture:
    """Shares of right answers in the languages that are run, plainly and through codekiln."""
    return picture(
        CHART,
        "Right answers by language",
        "Dots: the share of the tasks whose answer passes all examples; orange as the model "
        "writes it, blue through codekiln.",
        _draw,
        measured,
    )


def _draw(measured: Measured) -> Figure:
    from matplotlib.figure import Figure as NewFigure

    shown = sorted(
        (one for one in measured.languages if one.codekiln.run),
        key=lambda one: one.codekiln.passed / one.codekiln.tasks,
    )
    figure = NewFigure(figsize=(WIDTH_IN, 0.6 + 0.22 * len(shown)))
    axes = figure.subplots()
    for place, one in enumerate(shown):
        before, after = (arm.passed / arm.tasks for arm in (one.plain, one.codekiln))
        axes.plot([before, after], [place, place], color="#999999", zorder=1)
        axes.plot(before, place, "o", color=_PLAIN, label="" if place else "plain")
        axes.plot(after, place, "D", color=_CODEKILN, label="" if place else "codekiln")
    axes.set_yticks(range(len(shown)), [one.language for one in shown])
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel(f"share of right answers, {measured.manifest['model']}")
    axes.legend(loc="lower right")
    return figure


def _tools_table(languages: Iterable[Language]) -> str:
    def row(language: Language) -> tuple[str, ...]:
        if language.name == "python":
            return language.display_name, "the Python that runs codekiln", ""
        recipe = recipe_of(language.name)
        packages = (f"{source}: {', '.join(names)}" for source, names in recipe.install.items())
        return language.display_name, recipe.needs, "; ".join(packages)

    return _table(("language", "needs", "packages"), map(row, languages))


def _measured(measured: Measured) -> str:
    counts, manifest = measured.languages, measured.manifest
    plain, checked = total(one.plain for one in counts), total(one.codekiln for one in counts)
    whole = sum(one.codekiln.parse == one.codekiln.tasks for one in counts)
    text = [
        f"{checked.tasks:,} tasks in {len(counts)} languages, greedy as the model writes them and "
        f"through codekiln with up to {manifest['options']['n']} candidates, checks and repair. "
        f"**{_share(plain.parse, plain.tasks)} of the plain answers parse, and "
        f"{_share(checked.parse, checked.tasks)} of codekiln's**; in {whole} languages all of "
        f"codekiln's parse. Where a compiler or interpreter looks, it takes "
        f"{_share(plain.built, plain.compiled)} and {_share(checked.built, checked.compiled)}.\n",
        f"{manifest['machine'].get('processor', '')}; weights "
        f"`{manifest['weights_sha256'][:12]}`, tasks `{manifest['tasks_sha256'][:12]}`.\n",
        f"    codekiln eval languages --model {manifest['model']} --out results/languages/"
        f"{manifest['model']}\n",
        "Each cell has the plain answers first, then codekiln's. Seconds are medians from question "
        "to answer, with 16 tasks under way together.\n",
    ]
    head = ("language", "tasks", "parse", "built", "ran", "right", "tokens", "seconds", "check ms")
    rows = [_measured_row(one) for one in sorted(counts, key=lambda one: one.language)]
    return "\n".join([*text, _table(head, rows)])


def _measured_row(one: LanguageCounts) -> tuple[str, ...]:
    def both(cell: Callable[[ArmCounts], object]) -> str:
        return f"{cell(one.plain)} → {cell(one.codekiln)}"

    compiled, run = one.codekiln.compiled, one.codekiln.run
    return (
        one.language,
        str(one.codekiln.tasks),
        both(lambda arm: arm.parse),
        both(lambda arm: arm.built) + f" of {compiled}" if compiled else "-",
        both(lambda arm: arm.ran) + f" of {run}" if run else "-",
        both(lambda arm: arm.passed),
        both(lambda arm: arm.tokens),
        both(lambda arm: "-" if arm.seconds is None else f"{arm.seconds:.1f}"),
        f"{one.check_ms:.1f}",
    )


def _parsing(parsing: Mapping[str, Any]) -> str:
    taken: Mapping[str, float] = parsing["milliseconds"]
    slowest = sorted(taken, key=lambda name: -taken[name])[:3]
    told = ", ".join(f"{name} {taken[name]:.1f}" for name in slowest)
    return (
        f"Parsing {parsing['lines']} lines takes **{median(taken.values()):.1f} ms** in the median "
        f"language; slowest are {told} ms ({parsing['processor']}).\n\n"
        "    python bench/parse_speed.py\n"
    )


def _short(languages: Sequence[Language], measured: Sequence[Measured]) -> Iterator[str]:
    by_name = {language.name: language for language in languages}
    for one in measured:
        behind = [
            f"{by_name[counts.language].display_name} ({counts.codekiln.parse} of "
            f"{counts.codekiln.tasks})"
            for counts in one.languages
            if counts.codekiln.parse < counts.codekiln.tasks
        ]
        listed = ", ".join(behind) or "none"
        yield f"Answers of {one.manifest['model']} that do not all parse: {listed}.\n"
    yield "Grammars that refuse some valid code, so that what they find only warns:\n"
    for language in languages:
        if language.gaps:
            yield f"- **{language.display_name}**: {language.notes}"
    yield ""


def _all_table(languages: Sequence[Language]) -> str:
    rows = (
        (
            language.display_name,
            f"`{language.name}`",
            language.kind,
            language.validity.value,
            ", ".join((*language.extensions, *language.filenames)),
            "" if language.gaps else language.notes,
        )
        for language in languages
    )
    return _table(("language", "name", "kind", "level", "files", "notes"), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    return "\n".join([line(head), "|" + "---|" * len(head), *map(line, rows), ""])


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"
