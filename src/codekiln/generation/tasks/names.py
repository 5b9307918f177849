"""Finds the names in a task: the language, the function or class asked for, its signature."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from codekiln.generation.tasks.draft import Draft
from codekiln.generation.tasks.source import (
    bound_names,
    called_names,
    is_exception_name,
    parse_statements,
    provided_names,
)
from codekiln.generation.tasks.wording import any_of, wording
from codekiln.languages import Language, all_languages

_IDENTIFIER = r"[A-Za-z_][A-Za-z0-9_]*"
_KIND = r"(?:functions?|methods?|class|routine|procedure|函数|方法|类)"
_MARKED = re.compile(
    rf"(?<![A-Za-z]){_KIND}\s*(?:(?:that\s+is\s+)?(?:named|called)|名为|叫做|叫|名称为|名叫)?\s*[:：]?\s*"
    rf"[`'\"“‘「]({_IDENTIFIER})(?=[`'\"”’」(])",
    re.IGNORECASE,
)
_NAMED = re.compile(
    rf"(?:(?<![A-Za-z])(?:named|called)\s+|名为\s*|叫做\s*|名叫\s*)[`'\"“‘「]?({_IDENTIFIER})",
    re.IGNORECASE,
)
_PLAIN = re.compile(rf"(?<![A-Za-z]){_KIND}\s+({_IDENTIFIER})(?P<after>\(|\s+\w+|[,:;.]|$)?", re.I)
_VERB = r"(?<![A-Za-z])(?:write|implement|create|define|code|build|编写|实现|写一个|定义)"
_VERB_MARKED = re.compile(rf"{_VERB}\s*(?:`({_IDENTIFIER})(?=[`(])|({_IDENTIFIER})(?=\())", re.I)
_VERB_SHAPE = re.compile(rf"{_VERB}\s*({_IDENTIFIER}\([^()\n]*\))", re.IGNORECASE)
_VERB_SNAKE = re.compile(rf"{_VERB}\s+([A-Za-z0-9]+(?:_[A-Za-z0-9]+)+)(?!\w|\.\w)", re.IGNORECASE)
_CLASS_BEFORE = re.compile(r"(?<![\w-])([A-Z][A-Za-z0-9_]*)\s+class(?![A-Za-z])")
_CHINESE_BEFORE = re.compile(rf"(?<![A-Za-z0-9_])({_IDENTIFIER})\s*(?:函数|方法|类)")
_CHINESE_AFTER = re.compile(rf"(?:函数|方法|类)\s*({_IDENTIFIER})(?![A-Za-z0-9_])")
_NAME_PATTERNS = (
    *(_MARKED, _NAMED, _CLASS_BEFORE, _PLAIN, _VERB_MARKED, _VERB_SNAKE),
    *(_CHINESE_AFTER, _CHINESE_BEFORE),
)
# A line of its own in the middle of prose: `def two_sum(nums, target):`.
_HEADING_LINE = re.compile(
    rf"(?m)^[ \t]*((?:async\s+def|def|class)\s+{_IDENTIFIER}[^\n]*:)\s*(?:\.\.\.|pass)?[ \t]*$"
)
_CALL_SHAPE = re.compile(rf"`(?:def\s+)?({_IDENTIFIER}\([^`\n]*\)(?:\s*->\s*[^`\n:]+)?):?`")


@dataclass(frozen=True, slots=True)
class Interface:
    """What the answer must define; empty texts where the user did not say."""

    entry_point: str = ""
    signature: str = ""
    is_class: bool = False
    required: int | None = None  # positional parameters without a default; None: unknown
    parameters: tuple[str, ...] = ()


def language_named(text: str) -> Language | None:
    """The one programming language, not Python, that a description asks for; None if unclear."""
    if re.search(r"(?<![A-Za-z])python(?![A-Za-z])", text, re.IGNORECASE):
        return None
    found = {
        language.name: language
        for pattern, language in _language_patterns()
        if pattern.search(text)
    }
    return next(iter(found.values())) if len(found) == 1 else None


def named_in_text(text: str) -> Interface:
    """The function or class that prose names, with its signature when it is spelled out."""
    for heading in _HEADING_LINE.finditer(text):
        spelled = interface_of_signature(heading[1])
        if spelled.entry_point and not _is_shown_code(spelled.entry_point, text[heading.end() :]):
            return spelled
    named = _first_name(text)
    shape = None if named.is_class else _shape_in_text(text)
    return shape or named


def _is_shown_code(name: str, after: str) -> bool:
    """True for a test, and for a definition with a body: a helper that is there already."""
    first = next((line for line in after.splitlines() if line.strip()), "")
    body = first.strip()
    has_body = first[:1].isspace() and not body.startswith(("...", "pass", "#", '"', "'", "def "))
    return name.startswith("test_") or has_body


def _first_name(text: str) -> Interface:
    for pattern in _NAME_PATTERNS:
        for match in pattern.finditer(text):
            name = next(group for group in match.groups() if group)
            if pattern is _CLASS_BEFORE and name.casefold() in wording()["prose"]["not_classes"]:
                continue
            if _is_likely_name(name, match, plain=pattern is _PLAIN):
                said = text[: match.end()].casefold()
                about = said[max(0, match.start() - 12) :]
                is_class = pattern is _CLASS_BEFORE or (
                    re.search(r"(?<![a-z])class(?![a-z])|类", about) is not None
                )
                return Interface(name, is_class=is_class)
    return Interface()


def interface_of_signature(signature: str) -> Interface:
    """The interface that a `def` or `class` line spells out; empty when it is neither."""
    lines = signature.strip()
    for candidate in (lines, f"{lines.rstrip(':')}:", f"def {lines.rstrip(':')}:"):
        statements = parse_statements(candidate) or parse_statements(f"{candidate}\n    ...")
        if statements and isinstance(
            statements[-1], ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        ):
            return interface_of(statements[-1], candidate)
    return Interface()


def interface_of(
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, signature: str
) -> Interface:
    """The interface of a definition whose heading is `signature`."""
    if isinstance(node, ast.ClassDef):
        return Interface(node.name, signature, is_class=True)
    positional = [*node.args.posonlyargs, *node.args.args]
    return Interface(
        node.name,
        signature,
        required=len(positional) - len(node.args.defaults),
        parameters=tuple(arg.arg for arg in [*positional, *node.args.kwonlyargs]),
    )


def named_in_examples(drafts: Sequence[Draft]) -> str:
    """The one name that all examples call, or ""."""
    bound: set[str] = set()
    sets: list[set[str]] = []
    for draft in drafts:
        statements = parse_statements(draft.call or "") or []
        names = {
            name
            for statement in statements
            for name in called_names(statement) - provided_names(statement)
            if not is_exception_name(name)
        }
        bound |= bound_names(statements)
        if names - bound:
            sets.append(names - bound)
    if not sets:
        return ""
    shared = set.intersection(*sets)
    return next(iter(shared)) if len(shared) == 1 else ""


def class_in_examples(drafts: Sequence[Draft]) -> str:
    """The one capitalised name that examples call like a class, or ""."""
    names = {
        name
        for draft in drafts
        for statement in parse_statements(draft.call or "") or []
        for name in called_names(statement) - provided_names(statement)
        if name[:1].isupper() and not is_exception_name(name)
    }
    return next(iter(names)) if len(names) == 1 else ""


def bare_calls(drafts: Sequence[Draft]) -> set[str]:
    """Names that examples call without an object."""
    names = set()
    for draft in drafts:
        statements = parse_statements(draft.call or "") or []
        for statement in statements:
            names |= called_names(statement)
    return names


def speaks_of_class(text: str) -> bool:
    """True when prose is about something that keeps state (a class, a cache, a stack, ...)."""
    return _class_words().search(text) is not None


def speaks_of_change(text: str) -> bool:
    """True when prose asks for an argument to be changed, and not for a result."""
    words = any_of(wording()["prose"]["in_place"])
    denied = (
        rf"(?:\bnot|n't|\bnever|\bwithout|不)\b[^.;。；]{{0,40}}?(?:{words})|(?:{words})\s+of\b"
    )
    plain = re.sub(denied, "", text, flags=re.IGNORECASE)
    return re.search(words, plain, re.IGNORECASE) is not None and not speaks_of_returning(plain)


def speaks_of_printing(text: str) -> bool:
    """True when prose asks for something to be printed."""
    return re.search(any_of(wording()["prose"]["printing"]), text, re.IGNORECASE) is not None


def speaks_of_returning(text: str) -> bool:
    """True when prose asks for something to be returned."""
    return re.search(any_of(wording()["prose"]["returning"]), text, re.IGNORECASE) is not None


@cache
def _class_words() -> re.Pattern[str]:
    return re.compile(any_of(wording()["class_words"]["words"]), re.IGNORECASE)


@cache
def _language_patterns() -> tuple[tuple[re.Pattern[str], Language], ...]:
    # Case counts: "in Go" is a language, "in go" is not, and C and R are single letters.
    things = r"(?:function|class|program|method|script|struct|module|实现|函数|程序|代码|类)"
    # Behind "in C" the sentence ends or goes on about the code; "in C order" is something else.
    end = r"(?=\s*(?:$|[.,;:!?，。；：]|\b(?:that|which|to|with|and|for|using)\b|[\u4e00-\u9fff]))"
    patterns = []
    for language in all_languages():
        if language.kind == "programming" and language.name != "python":
            name = re.escape(language.display_name)
            word = rf"(?<![A-Za-z0-9_+#]){name}(?![A-Za-z0-9_+#])"
            pattern = rf"(?:\b[Ii]n|\b[Uu]sing|用|使用)\s*{word}{end}"
            if language.display_name.casefold() not in wording()["prose"]["other_senses"]:
                pattern += rf"|{word}\s*(?:语言)?\s*{things}"
            elif len(language.display_name) == 1:
                continue  # "the vertices in V"
            patterns.append((re.compile(pattern), language))
    return tuple(patterns)


def _shape_in_text(text: str) -> Interface | None:
    """`add(a: int, b: int) -> int` in backticks, where the arguments are names, not values."""
    for match in (*_CALL_SHAPE.finditer(text), *_VERB_SHAPE.finditer(text)):
        shape = match[1].strip()
        if re.search(r"[\"']|\((?:\s*\d|\s*\[)", shape):
            continue
        before = text[max(0, match.start() - 40) : match.start()]
        is_class = re.search(r"(?:class|类)\s*$", before, re.IGNORECASE) is not None
        found = interface_of_signature(shape)
        if found.entry_point and not is_class and "." not in shape.split("(")[0]:
            named = re.search(
                r"(?:function|method|函数|方法)\W*(?:\w+\W+)?$", before, re.IGNORECASE
            )
            if (
                named
                or match.re is _VERB_SHAPE
                or "def " in match[0]
                or (found.parameters and not _is_used(text, found))
            ):
                return found
    return None


def _is_used(text: str, found: Interface) -> bool:
    # Two different shapes in one text describe methods, not the one function asked for.
    names = {shape.split("(")[0] for shape in _CALL_SHAPE.findall(text)}
    return names != {found.entry_point}


def _is_likely_name(name: str, match: re.Match[str], *, plain: bool) -> bool:
    words = wording()["prose"]
    languages = {n for lang in all_languages() for n in (lang.name, lang.display_name.casefold())}
    languages -= set(words["other_senses"])
    if name.casefold() in words["not_names"] or name.casefold() in languages:
        return False
    if not plain:
        return True
    after = (match["after"] or "").strip()
    marked = "_" in name or any(c.isdigit() or c.isupper() for c in name)
    return marked or after == "(" or after.casefold() in words["name_followers"]
