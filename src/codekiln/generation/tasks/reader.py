"""Takes the text of a task in any of its forms, gives a core Task.

Raises nothing but UsageError, whatever the text. Does not open files besides the task itself.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from codekiln.core import ContextFile, Task
from codekiln.core.errors import UsageError
from codekiln.generation.tasks.draft import Draft
from codekiln.generation.tasks.fits import returns_text
from codekiln.generation.tasks.json_form import read_json
from codekiln.generation.tasks.language_stub import LanguageStub, read_language_stub
from codekiln.generation.tasks.names import (
    Interface,
    bare_calls,
    class_in_examples,
    interface_of_signature,
    language_named,
    named_in_examples,
    named_in_text,
    speaks_of_change,
    speaks_of_class,
    speaks_of_printing,
    speaks_of_returning,
)
from codekiln.generation.tasks.resolve import Setting, resolve
from codekiln.generation.tasks.scan import scan
from codekiln.generation.tasks.sections import split_sections
from codekiln.generation.tasks.stub_form import Stub, read_stub, without_examples
from codekiln.languages import (
    Language,
    get_language,
    language_of_fence,
    language_of_path,
    syntax_errors,
)

MAX_CHARS = 200_000

_JSON_START = re.compile(r'\s*\{\s*(?:"|\}|$)')
_CODE_FENCE = re.compile(r"(?ms)^[ \t]*(`{3,}|~{3,})([^\n`]*)\n(.*?)^[ \t]*\1[ \t]*$\n?")


def read_task(
    text: str,
    *,
    language: str | None = None,
    origin: str = "the task",
    context: Sequence[ContextFile] = (),
) -> Task:
    """A Task from a plain sentence, Markdown with sections, JSON or a stub.

    A stub is code whose body is missing: Python's, or that of the language that `language` or a
    fence around it names.

    `language` (a registry name) wins over what the text says; `origin` names the text in errors.
    Raises UsageError for an empty text, malformed JSON and an unknown language.

    >>> task = read_task("Write `add` so that add(1, 2) -> 3.")
    >>> task.entry_point, task.examples[0].call, task.examples[0].expected
    ('add', 'add(1, 2)', '3')
    """
    plain = _cleaned(text, origin)
    chosen = get_language(language) if language is not None else None
    if _JSON_START.match(plain):
        return _with_context(_from_json(plain, chosen, origin), context)
    if chosen is None or chosen.name == "python":
        stub = read_stub(_without_outer_fence(plain))
        if stub is not None:
            return _with_context(_from_stub(stub), context)
    elif (found := read_language_stub(_without_outer_fence(plain), chosen)) is not None:
        return _with_context(_from_language_stub(found, chosen), context)
    return _with_context(_from_text(plain, chosen, origin), context)


def read_task_file(
    path: Path | str,
    *,
    language: str | None = None,
    context: Sequence[ContextFile] = (),
) -> Task:
    """A Task from a file: `.json` must be JSON, `.py` a stub; everything else goes by content.

    The suffix of another language's code names the language, unless `language` does.

    Raises UsageError when the file cannot be read or is not UTF-8 text.
    """
    file = Path(path)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise UsageError(
            f"the task file {file} cannot be read: {error.strerror or error}", "Check the path"
        ) from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"the task file {file} is not UTF-8 text (byte {error.start})", "Save it as UTF-8"
        ) from error
    origin = str(file)
    suffix = file.suffix.casefold()
    if suffix == ".json":
        chosen = get_language(language) if language is not None else None
        return _with_context(_from_json(_cleaned(text, origin), chosen, origin), context)
    if suffix in (".py", ".pyi"):
        stub = read_stub(_cleaned(text, origin))
        if stub is None:
            raise UsageError(
                f"{file} holds no Python function or class that parses",
                "Give a stub with its docstring, or describe the task in a .md or .txt file",
            )
        return _with_context(_from_stub(stub), context)
    named = language_of_path(file) if language is None else None
    if named is not None and named.kind in ("programming", "shell", "query"):
        language = named.name
    return read_task(text, language=language, origin=origin, context=context)


def _cleaned(text: str, origin: str) -> str:
    plain = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    # Lone surrogates and null bytes survive neither UTF-8 nor a parser.
    plain = plain.encode("utf-8", errors="replace").decode().replace("\x00", "\ufffd")
    if not plain.strip():
        raise UsageError(f"{origin} is empty", "Say in a sentence what the code should do")
    if len(plain) > MAX_CHARS:
        raise UsageError(
            f"{origin} has {len(plain):,} characters, the limit is {MAX_CHARS:,}",
            "Give long files as context instead",
        )
    return plain


def _from_json(text: str, chosen: Language | None, origin: str) -> Task:
    fields = read_json(text, origin)
    texts = fields.texts
    if not texts["description"].strip() and not texts["skeleton"].strip():
        raise UsageError(f"{origin} has no description", 'Add the key "description"')
    named = chosen or (get_language(texts["language"]) if texts["language"] else None)
    stub = read_stub(texts["skeleton"]) if texts["skeleton"].strip() else None
    interface = stub.interface if stub else Interface()
    if texts["signature"].strip():
        interface = interface_of_signature(texts["signature"])
        interface = replace(interface, signature=texts["signature"])
    if texts["entry_point"]:
        interface = replace(interface, entry_point=texts["entry_point"])
    task = _assemble(
        texts["description"] or (stub.description if stub else "") or "Complete the code.",
        named,
        fields.drafts,
        stub=stub,
        interface=interface,
        constraints=fields.constraints,
    )
    return replace(
        task,
        skeleton=task.skeleton or texts["skeleton"],
        context=fields.context,
        notes=(*fields.notes, *task.notes),
    )


def _from_stub(stub: Stub) -> Task:
    return _assemble(stub.description, get_language("python"), (), stub=stub)


def _from_language_stub(found: LanguageStub, language: Language) -> Task:
    return _assemble(found.stub.description, language, found.drafts, stub=found.stub)


def _from_text(text: str, chosen: Language | None, origin: str) -> Task:
    sections = split_sections(text)
    named = chosen
    if named is None and sections.language:
        named = get_language(sections.language)
    drafts = scan(sections.examples, prose=False, first_block=1000)
    description, stub = sections.description, None
    if named is None or named.name == "python":
        description, stub = _stub_within(description)
    if stub is None and (within := _language_stub_within(description, named)) is not None:
        description, found, named = within
        stub = found.stub
        drafts = [*found.drafts, *drafts]
    if not description:
        description = stub.description if stub else _fallback_description(sections.signature)
    if not description and not drafts:
        raise UsageError(f"{origin} has no description", "Say in a sentence what to write")
    interface = Interface()
    if sections.signature:
        interface = interface_of_signature(sections.signature)
        interface = replace(interface, signature=sections.signature)
    return _assemble(
        description or "Write code that fulfils the examples.",
        named,
        drafts,
        stub=stub,
        interface=interface,
        constraints=sections.constraints,
    )


def _assemble(
    description: str,
    language: Language | None,
    drafts: Sequence[Draft],
    *,
    stub: Stub | None = None,
    interface: Interface | None = None,
    constraints: tuple[str, ...] = (),
) -> Task:
    """The Task of these parts; the description and the stub's docstrings may add examples."""
    notes: list[str] = []
    if language is None:
        language = language_named(description)
        if language is not None:
            notes.append(f"Language taken from the description: {language.display_name}.")
    language = language or get_language("python")
    found = _read_docstrings(stub) if stub else []
    if stub is None or not any(without_examples(doc) == description for doc in stub.docstrings):
        found += scan(description, prose=True, first_block=2000)
    found += drafts
    known = interface if interface and interface.entry_point else None
    known = known or (stub.interface if stub else None)
    known = known or _deduced(description, found, interface or Interface())
    stateful = _is_stateful(known, description, found)
    words = "\n".join([description, *(stub.docstrings if stub else ())])
    setting = Setting(
        stateful=stateful,
        defined=stub.defined if stub else frozenset(),
        bound=stub.bound if stub else frozenset(),
        prints=_prints(known, words),
        in_place=speaks_of_change(words),
    )
    resolved = resolve(found, known, language, setting)
    return Task(
        description=description,
        language=language.name,
        examples=resolved.examples,
        constraints=constraints,
        entry_point=known.entry_point,
        # One that was given is the user's own, whatever it is written in.
        signature=interface.signature
        if interface and interface.signature
        else _in_language(known.signature, language),
        skeleton=stub.skeleton if stub else "",
        notes=(*notes, *resolved.notes),
    )


def _in_language(signature: str, language: Language) -> str:
    """A signature that prose spelled, where it can be put in the task's language."""
    if language.name == "python" or not signature:
        return signature
    if language.name not in ("javascript", "typescript"):
        return ""
    try:
        [function] = ast.parse(f"{signature} ...").body
    except (SyntaxError, ValueError):
        return ""
    if not isinstance(function, ast.FunctionDef):
        return ""
    names = ", ".join(argument.arg for argument in function.args.args)
    header = f"function {function.name}({names})"
    # Names of one language may be words of the other.
    return "" if syntax_errors(language, f"{header} {{}}") else header


def _deduced(description: str, drafts: Sequence[Draft], given: Interface) -> Interface:
    in_text = named_in_text(description)
    in_examples = named_in_examples(drafts)
    # What is called in every example is what must be there; a class with bare methods is not.
    of_methods = in_text.is_class or (in_text.signature and speaks_of_class(description))
    # "fib(n) with F(0) = 0" speaks in formulas of what it has named before.
    is_formula = len(in_examples) == 1 and bool(in_text.signature)
    if in_examples and in_examples != in_text.entry_point and not (of_methods or is_formula):
        in_text = Interface(in_examples, is_class=in_examples == class_in_examples(drafts))
    elif not in_text.entry_point and speaks_of_class(description):
        in_text = Interface(class_in_examples(drafts), is_class=bool(class_in_examples(drafts)))
    return replace(in_text, signature=given.signature or in_text.signature)


def _is_stateful(interface: Interface, description: str, drafts: Sequence[Draft]) -> bool:
    called = bare_calls(drafts) - {interface.entry_point}
    if interface.is_class:
        return bool(called)
    return len(called) > 1 and speaks_of_class(description)


def _prints(interface: Interface, words: str) -> bool | None:
    """Whether what is asked for prints its result or returns it; None when nothing says so."""
    if (says_text := returns_text(interface.signature)) is not None:
        return False if says_text else None
    if speaks_of_printing(words):
        return True
    return False if speaks_of_returning(words) else None


def _read_docstrings(stub: Stub) -> list[Draft]:
    drafts: list[Draft] = []
    for number, docstring in enumerate(stub.docstrings):
        drafts += scan(docstring, prose=True, first_block=10 * number + 1)
    return drafts


def _stub_within(description: str) -> tuple[str, Stub | None]:
    """A stub in a code fence of the description, taken out of it."""
    for match in _CODE_FENCE.finditer(description):
        tagged = language_of_fence(match[2].strip()) if match[2].strip() else None
        if match[2].strip() and (tagged is None or tagged.name != "python"):
            continue
        stub = read_stub(match[3])
        if stub is not None and stub.is_open:
            rest = description[: match.start()] + description[match.end() :]
            return rest.strip(), stub
    return description, None


def _language_stub_within(
    description: str, named: Language | None
) -> tuple[str, LanguageStub, Language] | None:
    """The rest of a description, and the stub of another language in a code fence of it.

    Where nothing else names the language, the fence does, if it is the only one and the words
    around it name no language: "port this to Python" shows code of another.
    """
    fences = list(_CODE_FENCE.finditer(description))
    for match in fences:
        tagged = language_of_fence(match[2].strip()) if match[2].strip() else named
        if tagged is None or (named is not None and tagged.name != named.name):
            continue
        around = description[: match.start()] + description[match.end() :]
        if named is None and (len(fences) > 1 or _speaks_of_another(around, tagged)):
            continue
        found = read_language_stub(match[3], tagged)
        if found is not None:
            return around.strip(), found, tagged
    return None


def _speaks_of_another(text: str, language: Language) -> bool:
    """True when words name Python, a function of their own, or a language that is not this one."""
    if re.search(r"(?<![A-Za-z])python(?![A-Za-z])", text, re.IGNORECASE):
        return True
    other = language_named(text)
    return (other is not None and other.name != language.name) or bool(
        named_in_text(text).entry_point
    )


def _without_outer_fence(text: str) -> str:
    match = _CODE_FENCE.fullmatch(text.strip() + "\n")
    return match[3] if match else text


def _fallback_description(signature: str) -> str:
    return f"Write `{signature.strip()}`." if signature.strip() else ""


def _with_context(task: Task, context: Sequence[ContextFile]) -> Task:
    return replace(task, context=(*task.context, *context))
