"""Render a model's own chat template (Jinja, in a sandbox) so that contents stay contents.

Takes messages and the model's control tokens, gives text in which a control token can only
come from the template. Covered: control tokens written in a message or in the prefill, whole or
completed by neighbouring template text, trimmed or not. Not covered: a template that cuts
contents apart and puts its own text between the pieces.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NoReturn

from codekiln.core.errors import ModelError
from codekiln.core.prompt import Message
from codekiln.models.extras import local_extra


def render_chat(
    template: str,
    messages: Sequence[Message],
    prefill: str,
    special_texts: Mapping[str, str],
    control_tokens: Iterable[str],
) -> tuple[str, str]:
    """The chat as text, and a mark that must be removed from pieces between control tokens.

    `special_texts` are the template's variables such as `eos_token`. Wherever a content spells a
    control token, the unguessable mark interrupts it, so the caller can first split the text at
    control tokens and then drop the mark. Ordinary contents carry no mark at all.
    """
    with local_extra("Rendering chat templates"):
        import jinja2
        import jinja2.ext
        from jinja2.sandbox import ImmutableSandboxedEnvironment

    def raise_exception(message: str) -> NoReturn:
        raise jinja2.TemplateError(message)

    def to_json(value: object, indent: int | None = None) -> str:
        return json.dumps(value, ensure_ascii=False, indent=indent)

    def strftime_now(form: str) -> str:
        return datetime.now().strftime(form)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols]
    )
    environment.filters["tojson"] = to_json
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = strftime_now
    tokens, mark = tuple(control_tokens), secrets.token_hex(16)
    try:
        text = environment.from_string(template).render(
            messages=[
                {"role": message.role, "content": _defuse(message.content, tokens, mark)}
                for message in messages
            ],
            tools=None,
            documents=None,
            add_generation_prompt=True,
            **special_texts,
        )
    except jinja2.TemplateError as error:
        raise ModelError(
            f"The model's chat template does not accept these messages ({error})",
            "Use roles in the order system, user, assistant",
        ) from error
    return text + _defuse(prefill, tokens, mark), mark


def _defuse(content: str, tokens: Sequence[str], mark: str) -> str:
    """Break up each control token in `content`, and pieces of one at its ends."""
    present = [re.escape(token) for token in tokens if token in content]
    if present:
        pattern = "|".join(sorted(present, key=len, reverse=True))
        # Twice, for breaking one token must not leave another that overlapped it.
        for _ in range(2):
            content = re.sub(pattern, lambda hit: hit[0][0] + mark + hit[0][1:], content)
    # Templates trim, so what counts are the ends without white space.
    core = content.strip()
    pieces = [(token[:n], token[n:]) for token in tokens for n in range(1, len(token))]
    before = any(core.startswith(rest) for _, rest in pieces) or any(core in t for t in tokens)
    after = any(core.endswith(start) for start, _ in pieces)
    if core and (before or after):
        at = content.index(core)
        marked = (mark if before else "") + core + (mark if after else "")
        content = content[:at] + marked + content[at + len(core) :]
    return content
