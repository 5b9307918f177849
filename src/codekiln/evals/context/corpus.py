"""Long contexts of real code: files of the standard library or of installed packages, in a fixed
order, with needles between their top-level statements.

Takes a seed, a length and a tokenizer, gives a LongContext. Equal files give equal contexts; the
hash tells when they differ, as they do between versions of Python.
"""

from __future__ import annotations

import hashlib
import importlib.util
import random
import re
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from codekiln.core.errors import UsageError
from codekiln.evals.context.needles import NO_NEEDLES, Needles, Question, make_needles
from codekiln.models import ChatTokenizer

Corpus = Literal["python", "cpp"]
CORPORA: tuple[Corpus, ...] = get_args(Corpus)

# Of this size, so that there are many files and places between statements.
_FEWEST_BYTES, _MOST_BYTES = 1_000, 10_000
# Text is encoded anew once the needles are in it; what is too much then goes from the front.
_SPARE_TOKENS = 128
_LEFT_OUT = re.compile(r"(^|/)(test|tests|idlelib|lib2to3|site-packages|__pycache__|encodings)/")
# Where a top-level statement of Python begins; the blank line keeps decorators with their function.
_TOP = re.compile(r"(?<=\n\n)(?=(?:def|class|import|from)\b|@)")


@dataclass(frozen=True, slots=True)
class LongContext:
    """Tokens of real code with needles, and what is asked at its end."""

    corpus: str
    seed: int
    tokens: tuple[int, ...]
    questions: tuple[Question, ...]
    sha256: str


def make_context(
    corpus: str, seed: int, length: int, tokenizer: ChatTokenizer, folder: Path | None = None
) -> LongContext:
    """A context of `length` tokens.

    `folder` takes the place of the corpus's own files. Raises UsageError when there is too little
    code.
    """
    files = list(_files(corpus, folder))
    random.Random(seed).shuffle(files)
    # The needles are Python; code of other languages is for the loss alone.
    needles = make_needles(seed) if corpus == "python" else NO_NEEDLES
    room = length - sum(len(tokenizer.encode(text)) for text in needles.hidden) + _SPARE_TOKENS
    if room < length // 2:
        raise UsageError(
            f"{length} tokens have no room for {len(needles.hidden)} needles and code between them",
            "Give a longer --length",
        )
    code = _enough(files, room, tokenizer, corpus)
    tokens = tokenizer.encode(_with_needles(code, needles))[-length:]
    digest = hashlib.sha256(repr(tokens).encode()).hexdigest()
    return LongContext(corpus, seed, tuple(tokens), needles.questions, digest)


def _files(corpus: str, folder: Path | None) -> Iterator[tuple[str, Path]]:
    if folder is not None:
        base, pattern = folder, "*"
    elif corpus == "python":
        base, pattern = Path(sysconfig.get_paths()["stdlib"]), "*.py"
    elif corpus == "cpp":
        found = importlib.util.find_spec("torch")
        if found is None or found.origin is None:
            raise UsageError(
                "the C++ corpus is PyTorch's headers, and PyTorch is not installed",
                "Run pip install 'codekiln[local]'",
            )
        base, pattern = Path(found.origin).parent / "include" / "ATen" / "core", "*.h"
    else:
        raise UsageError(f"Unknown corpus {corpus!r}", f"Known corpora: {', '.join(CORPORA)}")
    for path in sorted(base.rglob(pattern)):
        name = path.relative_to(base).as_posix()
        usable = path.is_file() and _FEWEST_BYTES <= path.stat().st_size <= _MOST_BYTES
        if usable and (folder is not None or not _LEFT_OUT.search(f"/{name}")):
            yield name, path


def _enough(
    files: Sequence[tuple[str, Path]], room: int, tokenizer: ChatTokenizer, corpus: str
) -> str:
    """Whole files, the last one cut, with `room` tokens together."""
    comment = "#" if corpus == "python" else "//"
    tokens: list[int] = []
    for name, path in files:
        try:
            text = path.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            continue
        tokens += tokenizer.encode(f"{comment} file: {name}\n{text}\n\n")
        if len(tokens) >= room:
            return tokenizer.decode(tokens[:room])
    raise UsageError(
        f"the {corpus} corpus has {len(tokens):,} tokens, {room:,} are needed",
        "Give a shorter --length",
    )


def _with_needles(code: str, needles: Needles) -> str:
    places = [match.start() for match in _TOP.finditer(code)] or [len(code)]
    pieces: list[str] = []
    before = 0
    for depth, hidden in zip(needles.depths, needles.hidden, strict=True):
        wanted = int(depth * len(code))
        behind = [place for place in places if place >= before] or [len(code)]
        place = min(behind, key=lambda at: abs(at - wanted))
        pieces += [code[before:place].rstrip(), f"\n\n\n{hidden}\n\n"]
        before = place
    return "".join([*pieces, code[before:]])
