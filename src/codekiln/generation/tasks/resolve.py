"""Turns drafts into core Examples: calls from inputs, sessions, imports, and notes for the user."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from codekiln.core import Example
from codekiln.generation.tasks.draft import Draft
from codekiln.generation.tasks.fits import is_just_right, misfit
from codekiln.generation.tasks.names import Interface
from codekiln.generation.tasks.source import (
    bound_names,
    called_names,
    has_ellipsis,
    normalised,
    parse_expression,
    parse_statements,
    provided_names,
    source_of,
    undefined_names,
)
from codekiln.generation.tasks.value_shapes import has_placeholder
from codekiln.languages import Language
from codekiln.verify.programs.neutral import neutral_call, neutral_value
from codekiln.verify.programs.wire import NotNeutralError

MAX_NOTES = 5


@dataclass(frozen=True, slots=True)
class Resolved:
    """Examples, with remarks on those that stayed text."""

    examples: tuple[Example, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Setting:
    """What the task tells besides its examples, as far as it tells.

    `stateful`: bare calls are methods of one object, so they share a namespace per block.
    `defined` are the functions and classes of code that was given, `bound` all of its names.
    `prints`: what is asked for prints (True) or returns (False) what it has to say; `in_place`:
    it changes its argument and returns nothing.
    """

    stateful: bool = False
    defined: frozenset[str] = frozenset()
    bound: frozenset[str] = frozenset()
    prints: bool | None = None
    in_place: bool = False


def resolve(
    drafts: Sequence[Draft], interface: Interface, language: Language, setting: Setting
) -> Resolved:
    """The examples that these drafts are, for this entry point."""
    if not language.can_run:
        return _as_texts([draft for draft in drafts if draft.unless_fit != "drop"], language)
    meant = [draft for draft in drafts if draft.unless_fit != "drop" or _is_fit(draft, interface)]
    called = [_called(draft, interface) for draft in meant]
    settled = [_settled(draft, setting.prints) for draft in called]
    ready = _without_repeats([_fitting(draft, interface, setting) for draft in settled])
    if interface.is_class:
        ready = _without_results_of(ready, interface.entry_point)
    resolved = _in_sessions(ready, interface, setting.stateful)
    return resolved if language.name == "python" else _neutral(resolved, language)


def _neutral(resolved: Resolved, language: Language) -> Resolved:
    """The examples that a driver of another language can make: single calls with plain values."""
    examples = tuple(_neutral_example(example) for example in resolved.examples)
    lost = [
        example.why_not
        for before, example in zip(resolved.examples, examples, strict=True)
        if before.call is not None and example.call is None
    ]
    if not lost:
        return Resolved(examples, resolved.notes)
    counted = "1 example stays" if len(lost) == 1 else f"{len(lost)} examples stay"
    note = f"{counted} text, which {language.display_name} cannot be asked for: {lost[0]}"
    return Resolved(examples, (*resolved.notes, note))


def _neutral_example(example: Example) -> Example:
    if example.call is None:
        return example
    why = "it shares a state with others" if example.session else ""
    if not example.is_check:
        why = "it prepares something"
    if not why:
        try:
            neutral_call(example.call)
            if example.expected is not None:
                neutral_value(example.expected)
        except NotNeutralError as error:
            why = str(error)
    return Example(example.text, why_not=why) if why else example


def _as_texts(drafts: Sequence[Draft], language: Language) -> Resolved:
    reason = f"examples of {language.display_name} are not run"
    examples = tuple(Example(d.text, why_not=d.why_not or reason) for d in drafts if d.text)
    if not examples:
        return Resolved((), ())
    counted = "1 example goes" if len(examples) == 1 else f"{len(examples)} examples go"
    return Resolved(examples, (f"{counted} into the prompt as text only: {reason} yet.",))


def _is_fit(draft: Draft, interface: Interface) -> bool:
    """True when the arguments of the draft are just the parameters."""
    call = f"{interface.entry_point}({_unpacked(draft.arguments or '', interface)})"
    return not interface.is_class and is_just_right(call, interface.signature)


def _unpacked(arguments: str, interface: Interface) -> str:
    """`(1, 2)` as `1, 2` for a function of two parameters."""
    node = parse_expression(arguments)
    is_tuple = isinstance(node, ast.Tuple) and arguments.startswith("(")
    if is_tuple and len(interface.parameters) != 1 and parse_expression(arguments[1:-1]):
        return arguments[1:-1]
    return arguments


def _settled(draft: Draft, prints: bool | None) -> Draft:
    """A draft that was read as printed or returned, as one of both."""
    if draft.expected is None or draft.stdout is None:
        return draft
    likely = draft.likely if prints is None else ("stdout" if prints else "expected")
    if likely == "stdout":
        return replace(draft, expected=None)
    if likely == "expected" and (draft.likely != "stdout" or _is_words(draft.stdout.rstrip("\n"))):
        return replace(draft, stdout=None)
    return _kept_as_text(draft, "it may mean what is printed or what is returned")


def _is_words(text: str) -> bool:
    """True when unquoted text can only be the text itself, not the repr of something."""
    node = parse_expression(text)
    return re.fullmatch(r"[^\W\d_][^\n\[\]{}<>=]*", text) is not None and (
        node is None or isinstance(node, ast.Name)
    )


def _fitting(draft: Draft, interface: Interface, setting: Setting) -> Draft:
    """The draft, or its text when it cannot be about what was asked for."""
    if draft.call is None or draft.is_setup:
        return draft
    name = interface.entry_point
    if draft.raises is None:
        why = misfit(draft.call, draft.expected, name, interface.signature)
        if why:
            return _kept_as_text(draft, why)
    if draft.shared or interface.is_class:
        return draft
    node = parse_expression(draft.call)
    if node is not None and _is_of_another(node, interface, setting):
        return _kept_as_text(draft, f"it does not call `{name}`")
    direct = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
    if setting.in_place and direct and draft.expected not in (None, "None"):
        return _kept_as_text(draft, f"`{name}` may change its argument instead of returning it")
    return draft


def _is_of_another(node: ast.expr, interface: Interface, setting: Setting) -> bool:
    """True when what is called is neither given code nor asked for: `F(0) = 0` beside `fib`."""
    called = called_names(node) - provided_names(node)
    if not setting.defined:
        # Without code only the notation of formulas is told from a second function asked for.
        return bool(interface.signature and called) and all(
            len(name) == 1 and name != interface.entry_point for name in called
        )
    if any(name.islower() for name in called - setting.bound):
        return True
    names = {child.id for child in ast.walk(node) if isinstance(child, ast.Name)}
    names |= {child.attr for child in ast.walk(node) if isinstance(child, ast.Attribute)}
    return setting.defined.isdisjoint(names)


def _called(draft: Draft, interface: Interface) -> Draft:
    """The draft with its arguments made a call, and without the `await` that the check does."""
    if draft.arguments is None:
        return _without_await(draft)
    name = interface.entry_point
    if not name:
        return _kept_as_text(draft, "the name of the function is not known")
    if interface.is_class:
        return _kept_as_text(draft, f"`{name}` is a class, and no method is named")
    call = f"{name}({draft.arguments})"
    plain = call if parse_expression(call) else normalised(call)
    node = parse_expression(plain) if plain else None
    if plain is None or not isinstance(node, ast.Call):
        return _kept_as_text(draft, "its input is not a Python value (put texts in quotes)")
    plain = normalised(plain) or plain
    node = parse_expression(plain)
    if not isinstance(node, ast.Call) or has_ellipsis(node):
        return _kept_as_text(draft, "`...` in its input leaves something out")
    if has_placeholder(node):
        return _kept_as_text(draft, "its input names a type, not a value")
    unknown = {name for argument in node.args for name in undefined_names(argument)}
    unknown |= {name for keyword in node.keywords for name in undefined_names(keyword.value)}
    if unknown:
        return _kept_as_text(
            draft, f"`{sorted(unknown)[0]}` in its input is not a value (put texts in quotes)"
        )
    if draft.unless_fit:
        if not _is_fit(draft, interface):
            return _kept_as_text(draft, f"its arguments are not those of `{name}`")
        call = f"{name}({_unpacked(draft.arguments, interface)})"
        return replace(draft, call=call, arguments=None)
    return _spread(draft, plain, node, interface)


def _without_await(draft: Draft) -> Draft:
    node = parse_expression(draft.call or "")
    if node is None or not any(isinstance(child, ast.Await) for child in ast.walk(node)):
        return draft
    awaited = node.value if isinstance(node, ast.Await) else None
    if awaited is None or any(isinstance(child, ast.Await) for child in ast.walk(awaited)):
        return _kept_as_text(draft, "`await` inside an expression cannot be run")
    return replace(draft, call=source_of((draft.call or "").strip(), awaited))


def _spread(draft: Draft, call: str, node: ast.Call, interface: Interface) -> Draft:
    """One tuple may be one argument or all of them; the signature decides."""
    ready = replace(draft, call=call, arguments=None)
    given = len(node.args)
    if node.keywords:
        names = [keyword.arg for keyword in node.keywords]
        wrong = [name for name in names if name and name not in interface.parameters]
        if interface.parameters and wrong and not given:
            # The labels of the user's text are not the parameters' names; the order still holds.
            values = ", ".join(source_of(call, keyword.value) for keyword in node.keywords)
            return replace(ready, call=f"{interface.entry_point}({values})")
        return ready
    required, single = interface.required, node.args[0] if given == 1 else None
    if isinstance(single, ast.Tuple | ast.List):
        # A list in place of several arguments is what JSON makes of a tuple.
        inner = source_of(call, single).strip()[1:-1]
        if required is not None and required == len(single.elts) and required != 1:
            return replace(ready, call=f"{interface.entry_point}({inner})")
        if required is None and isinstance(single, ast.Tuple):
            return _kept_as_text(
                draft, "its input may be one tuple or several arguments; write it as a call"
            )
    if required is not None and given < required:
        return _kept_as_text(
            draft, f"`{interface.entry_point}` takes {required} arguments, its input gives {given}"
        )
    return ready


def _kept_as_text(draft: Draft, why_not: str) -> Draft:
    return Draft(draft.text, why_not=why_not, block=draft.block)


def _without_repeats(drafts: Sequence[Draft]) -> list[Draft]:
    """The same check in the description and among the examples counts once."""
    seen: set[tuple[object, ...]] = set()
    kept = []
    for draft in drafts:
        key = (draft.call, draft.expected, draft.raises, draft.stdout)
        if draft.call is not None and not draft.shared and not draft.is_setup:
            if key in seen and _mentions_no_state(draft):
                continue
            seen.add(key)
        kept.append(draft)
    return kept


def _mentions_no_state(draft: Draft) -> bool:
    node = parse_expression(draft.call or "")
    return isinstance(node, ast.Call) and bool(node.args or node.keywords)


def _without_results_of(drafts: Sequence[Draft], name: str) -> list[Draft]:
    """`Stack(3) -> None` only makes the object that the bare calls below it are meant for."""
    result = []
    for draft in drafts:
        node = parse_expression(draft.call or "")
        makes = (
            isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
        )
        if makes and draft.expected == "None":
            draft = replace(draft, expected=None)
        result.append(replace(draft, shared=True) if makes and draft.is_setup else draft)
    return result


def _in_sessions(drafts: Sequence[Draft], interface: Interface, stateful: bool) -> Resolved:
    examples: list[Example] = []
    notes: list[str] = []
    sessions: dict[object, int] = {}
    bound: dict[int, set[str]] = {}
    blocks_with_state = {draft.block for draft in drafts if draft.shared or _binds(draft)}
    for draft in drafts:
        if draft.call is None:
            examples.append(Example(draft.text, why_not=draft.why_not))
            notes.append(f"an example stays text, because {draft.why_not}: {_short(draft.text)}")
            continue
        nodes = parse_statements(draft.call) or []
        key = _session_key(draft, interface, stateful, draft.block in blocks_with_state)
        known = bound.get(sessions.get(key, -1), set()) if key is not None else set()
        if draft.is_setup and key is None:
            # A call without a result, alone: it shows how to call and checks nothing.
            examples.append(Example(draft.text, why_not="it says no result"))
            notes.append(f"an example stays text, because it says no result: {_short(draft.text)}")
            continue
        missing = {n for node in nodes for n in undefined_names(node, known)} - bound_names(nodes)
        if missing:
            why = f"`{sorted(missing)[0]}` is not defined"
            examples.append(Example(draft.text or draft.call, why_not=why))
            notes.append(f"an example stays text, because {why}: {_short(draft.text)}")
            continue
        session = 0
        if key is not None:
            session = sessions.setdefault(key, len(sessions) + 1)
            bound.setdefault(session, set()).update(bound_names(nodes))
        examples.append(
            Example(
                text=draft.text,
                call=draft.call,
                expected=draft.expected,
                raises=draft.raises,
                stdout=draft.stdout,
                session=session,
            )
        )
    return Resolved(tuple(examples), _limited(notes))


def _session_key(
    draft: Draft, interface: Interface, stateful: bool, block_has_state: bool
) -> object | None:
    if draft.session is not None:
        return ("given", draft.session) if draft.session else None
    if draft.shared or block_has_state:
        return ("block", draft.block)
    node = parse_expression(draft.call or "")
    if stateful and node is not None and called_names(node) - {interface.entry_point}:
        return ("block", draft.block)
    return None


def _binds(draft: Draft) -> bool:
    return draft.is_setup and bool(bound_names(parse_statements(draft.call or "") or []))


def _limited(notes: Sequence[str]) -> tuple[str, ...]:
    if len(notes) <= MAX_NOTES:
        return tuple(notes)
    return (*notes[:MAX_NOTES], f"{len(notes) - MAX_NOTES} further examples stay text.")


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else line[:59] + "…"
