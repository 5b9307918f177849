"""Splits a Markdown task into its sections by headings, bold headings, labels or 【】."""

from __future__ import annotations

import re
from dataclasses import dataclass

from codekiln.generation.tasks.wording import section_of

MAX_HEADING_CHARS = 400

_FENCE = re.compile(r"^\s*(`{3,}|~{3,})")
_ATX = re.compile(r"^\s{0,3}(#{1,6})\s*(?P<name>[^#].*?)\s*#*\s*$")
_BOLD = re.compile(r"^\s*(?:\*\*|__)(?P<name>[^*_]+?)(?:\*\*|__)\s*[:：]?\s*(?P<rest>.*)$")
_BRACKET = re.compile(r"^\s*【(?P<name>[^】]+)】\s*[:：]?\s*(?P<rest>.*)$")
_LABEL = re.compile(r"^\s*(?P<name>[^\s:：][^:：\n]{0,40}?)\s*[:：]\s*(?P<rest>.*)$")
_UNDERLINE = re.compile(r"^\s{0,3}(?:=+|-{3,})\s*$")
_NUMBERED_EXAMPLE = re.compile(r"\d|[一二三四五六七八九十]$")
_BULLET = re.compile(r"^\s*(?:[-*+•·]|\(?\d{1,3}[.)、])\s+(?P<item>.*)$")


@dataclass(frozen=True, slots=True)
class Sections:
    """The text of each section; `named` is False when no heading was recognised."""

    description: str
    examples: str
    constraints: tuple[str, ...]
    signature: str
    language: str
    named: bool


@dataclass(frozen=True, slots=True)
class _Heading:
    """A line that begins a section: which one (None: of the user's own), what else it says."""

    section: str | None
    title: str
    rest: str


def split_sections(text: str) -> Sections:
    """Text by section. What stands before the first heading, and sections with headings of the
    user's own, belong to the description."""
    parts: dict[str, list[str]] = {
        name: [] for name in ("description", "examples", "constraints", "signature", "language")
    }
    current, named = "description", False
    lines = text.splitlines()
    fence = ""
    index = 0
    while index < len(lines):
        line = lines[index]
        mark = _FENCE.match(line)
        if mark and (not fence or line.strip().startswith(fence)):
            fence = "" if fence else mark[1]
        following = lines[index + 1] if index + 1 < len(lines) else ""
        heading = None if fence or mark else _heading(line, following, current)
        index += 1
        if heading is None:
            parts[current].append(line)
            continue
        if _UNDERLINE.match(following) and heading.section and not heading.rest:
            index += 1
        if heading.section is None:
            current = "description"
            parts[current].append(heading.title)
            continue
        named = True
        if heading.section == "examples" and _NUMBERED_EXAMPLE.search(heading.title):
            parts["examples"].append(heading.title)
        current = heading.section
        if heading.rest:
            parts[current].append(heading.rest)
    return Sections(
        description="\n".join(parts["description"]).strip(),
        examples="\n".join(parts["examples"]).strip("\n"),
        constraints=_items("\n".join(parts["constraints"])),
        signature=_unfenced("\n".join(parts["signature"])),
        language=" ".join(_unfenced("\n".join(parts["language"])).split()),
        named=named,
    )


def _heading(line: str, following: str, current: str) -> _Heading | None:
    if len(line) > MAX_HEADING_CHARS:
        return None
    atx = _ATX.match(line)
    if atx:
        name, _, rest = atx["name"].partition("：" if "：" in atx["name"] else ":")
        section = section_of(atx["name"]) or section_of(name)
        if section:
            return _Heading(section, f"{name.strip(' *_')}:", rest.strip(" *"))
        # Inside the examples, "### Input" is a label and "### A name" a caption.
        spaced = line.lstrip()[len(atx[1]) :].startswith(" ")
        if not spaced or (current == "examples" and len(atx[1]) > 2):
            return None
        return _Heading(None, atx["name"], "")
    for pattern in (_BOLD, _BRACKET, _LABEL):
        match = pattern.match(line)
        section = section_of(match["name"]) if match else None
        if match and section:
            # Within the examples "Test: ..." or "Example 2: ..." stays with them as it is.
            rest = match["rest"].strip()
            return _Heading(section, f"{match['name'].strip()}:", rest)
    if _UNDERLINE.match(following) and (section := section_of(line)):
        return _Heading(section, line.strip(), "")
    return None


def _items(text: str) -> tuple[str, ...]:
    """List items, or paragraphs where there is no list; indented lines continue an item."""
    items: list[str] = []
    fresh = True
    for line in text.splitlines():
        bullet = _BULLET.match(line)
        if bullet:
            items.append(bullet["item"].strip())
        elif not line.strip():
            fresh = True
            continue
        elif items and not fresh and (line.startswith((" ", "\t")) or items[-1].endswith(",")):
            items[-1] = f"{items[-1]} {line.strip()}"
        else:
            items.append(line.strip())
        fresh = False
    return tuple(
        item
        for item in items
        if not _FENCE.match(item) and item.strip(" .。").casefold() not in ("", "none", "无")
    )


def _unfenced(text: str) -> str:
    lines = [line for line in text.splitlines() if not _FENCE.match(line)]
    return "\n".join(lines).strip().strip("`")
