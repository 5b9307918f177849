"""Text to token ids and back, and chat prompts to ids: ChatTokenizer and its two builders.

Byte-level BPE only (what the Qwen family uses). Text is encoded without control tokens unless
asked, so what a user writes cannot end a turn. Knows nothing of tensors.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codekiln.core.errors import ModelError, UsageError, WeightsError
from codekiln.core.prompt import Prompt
from codekiln.models.chat_template import render_chat
from codekiln.models.config import ModelConfig
from codekiln.models.extras import local_extra
from codekiln.models.gguf_file import GgufFile
from codekiln.models.safetensors_weights import read_json

if TYPE_CHECKING:
    import tokenizers

PRETOKENIZER_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_NORMAL, _CONTROL, _USER_DEFINED = 1, 3, 4
_LOOKS_CONTROL = re.compile(r"<\|[^|<>\s]+\|>")


def _byte_alphabet() -> dict[str, int]:
    """The printable character that byte-level BPE writes for each byte, reversed."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {
        chr(256 + index): byte for index, byte in enumerate(others)
    }


class ChatTokenizer:
    """A model's tokenizer with its chat template. Built by `gguf_tokenizer` or
    `directory_tokenizer`; safe to share between threads.
    """

    def __init__(
        self,
        backend: tokenizers.Tokenizer,
        *,
        tokens: Sequence[str | None],
        control_ids: Mapping[str, int],
        added: Iterable[int],
        chat_template: str,
        special_texts: Mapping[str, str],
        eos_ids: tuple[int, ...],
        source: str,
    ) -> None:
        """`tokens[id]` is the vocabulary's spelling (None: unused id), `added` the ids of
        tokens spelled as plain text rather than in the byte alphabet.
        """
        backend.encode_special_tokens = True
        self._backend = backend
        self._tokens = tokens
        self._control_ids = dict(control_ids)
        self._added = frozenset(added)
        self._template = chat_template
        self._special_texts = dict(special_texts)
        self._source = source
        self._split = re.compile(
            "(" + "|".join(map(re.escape, sorted(control_ids, key=len, reverse=True))) + ")"
            if control_ids
            else "(?!)"
        )
        self.eos_ids = eos_ids

    @property
    def vocab_size(self) -> int:
        """Number of ids, unused ones included."""
        return len(self._tokens)

    @property
    def control_ids(self) -> Mapping[str, int]:
        """The control tokens, text to id."""
        return self._control_ids

    def encode(self, text: str, specials: bool = False) -> list[int]:
        """Token ids of `text`; control tokens in it count as such only with `specials`."""
        if not specials:
            return self._encode_plain(text)
        return self._encode_marked(text, "")

    def decode(self, ids: Iterable[int]) -> str:
        """The text of `ids` without control tokens; incomplete UTF-8 becomes U+FFFD."""
        return b"".join(map(self.token_bytes, ids)).decode("utf-8", "replace")

    def token_bytes(self, token_id: int) -> bytes:
        """The exact bytes that a token stands for; control and unused tokens have none."""
        if not 0 <= token_id < len(self._tokens):
            raise UsageError(
                f"Token id {token_id} is outside the vocabulary of {len(self._tokens)}",
                "Use ids of the model's own tokenizer",
            )
        return self._bytes[token_id]

    def render(self, prompt: Prompt) -> list[int]:
        """Token ids of the chat so far, up to where the assistant's answer continues.

        The same ids as encoding the rendered text at once, except that control tokens inside
        messages and prefill stay plain text.
        """
        if not self._template:
            raise ModelError(
                f"{self._source} has no chat template", "Use an instruction-tuned checkpoint"
            )
        text, mark = render_chat(
            self._template,
            prompt.messages,
            prompt.prefill,
            self._special_texts,
            self._control_ids,
        )
        return self._encode_marked(text, mark)

    def _encode_marked(self, text: str, mark: str) -> list[int]:
        ids: list[int] = []
        for piece in self._split.split(text):
            if piece in self._control_ids:
                ids.append(self._control_ids[piece])
            elif piece:
                ids += self._encode_plain(piece.replace(mark, "") if mark else piece)
        return ids

    def _encode_plain(self, text: str) -> list[int]:
        if any("\ud800" <= char <= "\udfff" for char in text):
            # Undecodable bytes of a file arrive as lone surrogates, which have no UTF-8.
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        ids: list[int] = self._backend.encode(text, add_special_tokens=False).ids
        return ids

    @cached_property
    def _bytes(self) -> list[bytes]:
        alphabet, hidden = _byte_alphabet(), frozenset(self._control_ids.values())

        def spell(token_id: int, token: str | None) -> bytes:
            if token is None or token_id in hidden:
                return b""
            if token_id not in self._added:
                try:
                    return bytes([alphabet[char] for char in token])
                except KeyError:
                    pass
            return token.encode("utf-8", "surrogateescape")

        return [spell(token_id, token) for token_id, token in enumerate(self._tokens)]


def gguf_tokenizer(gguf: GgufFile, config: ModelConfig) -> ChatTokenizer:
    """Build the tokenizer that a GGUF file describes."""
    with local_extra("Tokenizing"):
        from tokenizers import (
            AddedToken,
            Regex,
            Tokenizer,
            decoders,
            models,
            normalizers,
            pre_tokenizers,
        )
    meta = gguf.metadata
    family = (meta.get("tokenizer.ggml.model"), meta.get("tokenizer.ggml.pre"))
    if family != ("gpt2", "qwen2"):
        raise ModelError(
            f"{gguf.path} has a tokenizer of kind {family}, only ('gpt2', 'qwen2') is supported",
            "Use a Qwen2, Qwen3 or Qwen3-MoE file",
        )
    try:
        texts: list[str] = meta["tokenizer.ggml.tokens"]
        kinds: list[int] = meta["tokenizer.ggml.token_type"]
        merges = [tuple(merge.split(" ", 1)) for merge in meta["tokenizer.ggml.merges"]]
        vocabulary = {
            text: token_id
            for token_id, (text, kind) in enumerate(zip(texts, kinds, strict=True))
            if kind in (_NORMAL, _USER_DEFINED)
        }
        plain = {texts[i]: i for i, kind in enumerate(kinds) if kind == _USER_DEFINED}
        backend = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
        # An added token takes the id that the vocabulary already has for its text.
        backend.add_tokens([AddedToken(text, normalized=False, special=False) for text in plain])
    except Exception as error:  # the tokenizers package raises nothing more specific
        raise WeightsError(
            f"{gguf.path} has a malformed tokenizer ({error!r})", "Download it again"
        ) from error
    backend.normalizer = normalizers.NFC()
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PRETOKENIZER_PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    control = {texts[i]: i for i, k in enumerate(kinds) if k == _CONTROL}
    named = {
        variable: texts[meta[key]]
        for variable, key in (
            ("bos_token", "tokenizer.ggml.bos_token_id"),
            ("eos_token", "tokenizer.ggml.eos_token_id"),
            ("pad_token", "tokenizer.ggml.padding_token_id"),
        )
        if isinstance(meta.get(key), int) and 0 <= meta[key] < len(texts)
    }
    shown = (_NORMAL, _CONTROL, _USER_DEFINED)
    return ChatTokenizer(
        backend,
        tokens=_padded(
            [t if k in shown else None for t, k in zip(texts, kinds, strict=True)],
            config,
            gguf.path,
        ),
        control_ids=control,
        added=plain.values(),
        chat_template=str(meta.get("tokenizer.chat_template", "")),
        special_texts=named,
        eos_ids=config.eos_token_ids,
        source=str(gguf.path),
    )


def directory_tokenizer(folder: Path, config: ModelConfig) -> ChatTokenizer:
    """Build the tokenizer of a Hugging Face checkpoint folder."""
    with local_extra("Tokenizing"):
        from tokenizers import Tokenizer
    path = folder / "tokenizer.json"
    data = read_json(path, missing_remedy="Save the tokenizer beside the weights")
    settings_path = folder / "tokenizer_config.json"
    settings = read_json(settings_path, missing_remedy="") if settings_path.exists() else {}
    model = data.get("model")
    kind = model.get("type") if isinstance(model, dict) else None
    if kind != "BPE" or "ByteLevel" not in json.dumps(data.get("decoder")):
        raise ModelError(
            f"{path} is no byte-level BPE tokenizer, which is the only supported kind",
            "Use a Qwen2, Qwen3 or Qwen3-MoE checkpoint",
        )
    try:
        for token in data.get("added_tokens") or []:
            # Fill-in-the-middle tokens are not marked special, yet must not come from user text.
            token["special"] |= bool(_LOOKS_CONTROL.fullmatch(token["content"]))
        backend = Tokenizer.from_str(json.dumps(data))
    except Exception as error:  # the tokenizers package raises nothing more specific
        raise WeightsError(
            f"{path} cannot be used ({error!r})", "Restore the file from its source"
        ) from error
    vocabulary: dict[str, int] = backend.get_vocab(with_added_tokens=True)
    tokens: list[str | None] = [None] * (max(vocabulary.values(), default=-1) + 1)
    for text, token_id in vocabulary.items():
        tokens[token_id] = text
    added = backend.get_added_tokens_decoder()
    return ChatTokenizer(
        backend,
        tokens=_padded(tokens, config, path),
        control_ids={t.content: token_id for token_id, t in added.items() if t.special},
        added=[token_id for token_id, t in added.items() if not t.special],
        chat_template=_directory_template(folder, settings),
        special_texts=_special_texts(settings),
        eos_ids=config.eos_token_ids,
        source=str(folder),
    )


def _padded(tokens: list[str | None], config: ModelConfig, path: Path) -> list[str | None]:
    """One spelling for each row of the embedding; models often have a few rows to spare."""
    if len(tokens) > config.vocab_size:
        raise WeightsError(
            f"{path} has {len(tokens)} token ids, its model for {config.vocab_size}",
            "Tokenizer and weights do not belong together; download both again",
        )
    return tokens + [None] * (config.vocab_size - len(tokens))


def _directory_template(folder: Path, settings: Mapping[str, Any]) -> str:
    """The chat template from its own file, or else from tokenizer_config.json."""
    path = folder / "chat_template.jinja"
    if path.exists():
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise WeightsError(f"{path} cannot be read ({error})", "Restore the file") from error
    template = settings.get("chat_template") or ""
    if isinstance(template, list):
        named = {item.get("name"): item.get("template", "") for item in template}
        template = named.get("default", "")
    return str(template)


def _special_texts(settings: Mapping[str, Any]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for variable in ("bos_token", "eos_token", "pad_token", "unk_token"):
        value = settings.get(variable)
        if isinstance(value, Mapping):
            value = value.get("content")
        if isinstance(value, str):
            texts[variable] = value
    return texts
