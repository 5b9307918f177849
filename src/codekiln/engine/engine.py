"""Continuous batching: requests join and leave between steps, one step advances all of them.

Each step prefills at most one packed chunk of waiting prompts and then decodes one token for
every running sequence. Equal prompts are prefilled once, whoever sent them. Not thread-safe: one
thread owns an engine (codekiln.backends.local runs that thread).
"""

from __future__ import annotations

import itertools
import secrets
import weakref
from collections import deque
from collections.abc import Callable, Collection
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass, field

import torch
from torch import Tensor

from codekiln.attention import SparseConfig, is_dense
from codekiln.core.errors import ContextOverflowError, InsufficientResourceError, UsageError
from codekiln.engine.attend import Chunk, DecodeAttend, PrefillAttend
from codekiln.engine.decoder import Decoder
from codekiln.engine.guard import Accept
from codekiln.engine.kv_cache import PromptCache, SlotCache
from codekiln.engine.sampler import Draw, DrawSpec, NoTokenLeftError, draw
from codekiln.engine.sequence import Event, FinishReason, GenerationRequest, Sequence
from codekiln.models import kv_token_bytes
from codekiln.models.footprint import ENGINE_PREFILL_TOKENS

# A guard that rejects this many draws of one sequence without progress gives up on it.
_MAX_REJECTIONS = 256


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """Sizes of the batch.

    `batch`: sequences that decode together. `prefill_tokens`: prompt tokens per step, the longest
    that running sequences wait. `kv_bytes`: memory for keys and values, None for no limit.
    """

    batch: int = 64
    prefill_tokens: int = ENGINE_PREFILL_TOKENS
    kv_bytes: int | None = None


@dataclass(slots=True)
class EngineStats:
    """What an engine has done so far, in tokens and steps."""

    prefilled_tokens: int = 0
    decoded_tokens: int = 0
    decode_steps: int = 0
    rejected_tokens: int = 0


@dataclass(slots=True)
class _Prefill:
    """A prompt on its way into its cache, with the sequences that wait for it."""

    cache: PromptCache
    waiting: list[Sequence] = field(default_factory=list)


class Engine:
    """Runs completions on one decoder. `token_bytes` maps a token id to its UTF-8 bytes.

    With `sparse`, prompts that `codekiln.attention.is_dense` does not keep dense are attended by
    hierarchical sparse attention, in prefill and in decode.
    """

    def __init__(
        self,
        decoder: Decoder,
        token_bytes: Callable[[int], bytes],
        eos_ids: Collection[int],
        limits: EngineLimits | None = None,
        sparse: SparseConfig | None = None,
    ) -> None:
        self.config = decoder.config
        self.limits = limits or EngineLimits()
        self.stats = EngineStats()
        self._sparse = sparse
        self._kv_token_bytes = kv_token_bytes(decoder.config, decoder.dtype.itemsize)
        self._decoder = decoder
        self._token_bytes = token_bytes
        self._eos = frozenset(eos_ids)
        self._tickets = itertools.count()
        self._prefills: deque[_Prefill] = deque()
        self._ready: deque[Sequence] = deque()
        self._running: list[Sequence] = []  # by slot
        self._slots = SlotCache(decoder.config, decoder.dtype, decoder.device)
        self._prompts: weakref.WeakValueDictionary[tuple[int, ...], PromptCache] = (
            weakref.WeakValueDictionary()
        )

    @property
    def is_idle(self) -> bool:
        """True when a step would do nothing."""
        return not (self._prefills or self._ready or self._running)

    def submit(self, request: GenerationRequest) -> int:
        """Queue a completion and give its ticket.

        Raises ContextOverflowError or InsufficientResourceError when it can never fit, UsageError
        for an empty prompt or a token id outside the vocabulary.
        """
        self._refuse_what_cannot_run(request)
        seed = request.sampling.seed
        sequence = Sequence(
            ticket=next(self._tickets),
            request=request,
            seed=secrets.randbits(32) if seed is None else seed,
            prompt=self._prompt_cache(request.prompt),
            token_bytes=self._token_bytes,
        )
        for prefill in self._prefills:
            if prefill.cache is sequence.prompt:
                prefill.waiting.append(sequence)
                return sequence.ticket
        if sequence.prompt.is_filled:
            self._ready.append(sequence)
        else:
            self._prefills.append(_Prefill(sequence.prompt, [sequence]))
        return sequence.ticket

    def cancel(self, ticket: int) -> Event | None:
        """End a completion now; None when it has already ended."""
        for prefill in self._prefills:
            for sequence in prefill.waiting:
                if sequence.ticket == ticket:
                    prefill.waiting.remove(sequence)
                    if not prefill.waiting:
                        self._prefills.remove(prefill)
                    return sequence.finish("cancelled")
        for sequence in self._ready:
            if sequence.ticket == ticket:
                self._ready.remove(sequence)
                return sequence.finish("cancelled")
        for sequence in self._running:
            if sequence.ticket == ticket:
                return self._leave(sequence, "cancelled")
        return None

    def step(self) -> list[Event]:
        """Advance everything by one step."""
        events = self._prefill_step() if self._prefills else []
        events += self._admit()
        if self._running:
            events += self._decode_step()
        return events

    def _refuse_what_cannot_run(self, request: GenerationRequest) -> None:
        prompt, wanted = len(request.prompt), request.sampling.max_tokens
        if not prompt:
            raise UsageError("the prompt has no tokens", "Give at least one")
        if not 0 <= min(request.prompt) <= max(request.prompt) < self.config.vocab_size:
            raise UsageError(
                f"a prompt token is outside the vocabulary of {self.config.vocab_size}",
                "Encode the prompt with this model's tokenizer",
            )
        if prompt + wanted > self.config.context_tokens:
            raise ContextOverflowError(
                f"the prompt has {prompt} tokens and {wanted} more were asked for, but the "
                f"context window holds {self.config.context_tokens}",
                "Shorten the prompt or lower max_tokens",
            )
        budget = self.limits.kv_bytes
        need = int(self._prompt_bytes(prompt) + wanted * self._kv_token_bytes)
        if budget is not None and need > budget:
            raise InsufficientResourceError(
                f"a prompt of {prompt} tokens with {wanted} more needs {need / 1e9:.2f} GB for "
                f"keys and values, the limit is {budget / 1e9:.2f} GB",
                "Shorten the prompt, lower max_tokens or free memory",
            )

    def _prompt_cache(self, tokens: tuple[int, ...]) -> PromptCache:
        cache = self._prompts.get(tokens)
        if cache is None:
            decoder = self._decoder
            cache = PromptCache(self.config, tokens, decoder.dtype, decoder.device, self._sparse)
            self._prompts[tokens] = cache
        return cache

    def _prefill_step(self) -> list[Event]:
        """Run one packed chunk of the waiting prompts, the oldest first; tells of long ones."""
        chunks: list[Chunk] = []
        room = self.limits.prefill_tokens
        for prefill in self._prefills:
            cache = prefill.cache
            end = min(len(cache.tokens), cache.length + room)
            if cache.index is not None and end < len(cache.tokens):
                # Queries that share a list stay together, whatever else is prefilled.
                aligned = end - end % cache.index.config.query_block
                if aligned <= cache.length and chunks:
                    break
                end = aligned if aligned > cache.length else end
            chunks.append(Chunk(cache, cache.length, end))
            room -= end - cache.length
            if room <= 0:
                break
        device = self._decoder.device
        tokens = [
            token for chunk in chunks for token in chunk.prompt.tokens[chunk.start : chunk.end]
        ]
        positions = [at for chunk in chunks for at in range(chunk.start, chunk.end)]
        hidden = self._decoder.forward(
            torch.tensor(tokens, device=device),
            torch.tensor(positions, device=device),
            max(positions),
            PrefillAttend(chunks),
        )
        self.stats.prefilled_tokens += len(tokens)
        row = -1
        for chunk in chunks:
            row += chunk.end - chunk.start
            chunk.prompt.length = chunk.end
            if chunk.end == len(chunk.prompt.tokens):
                # Cloned: a view would keep the hidden states of the whole chunk alive.
                chunk.prompt.last_logits = self._decoder.logits(hidden[row : row + 1])[0].clone()
        events = [
            Event(sequence.ticket, "", read=prefill.cache.length)
            for prefill in itertools.islice(self._prefills, len(chunks))
            for sequence in prefill.waiting
            if len(prefill.cache.tokens) > self.limits.prefill_tokens
        ]
        while self._prefills and self._prefills[0].cache.is_filled:
            self._ready.extend(self._prefills.popleft().waiting)
        return events

    def _admit(self) -> list[Event]:
        """Give slots to sequences whose prompt is ready; they draw their first token."""
        events: list[Event] = []
        while self._ready and len(self._running) < self.limits.batch and self._fits(self._ready[0]):
            joining: list[Sequence] = []
            while (
                self._ready
                and len(self._running) < self.limits.batch
                and self._fits(self._ready[0])
            ):
                sequence = self._ready.popleft()
                sequence.slot = self._slots.add(sequence.prompt)
                self._running.append(sequence)
                joining.append(sequence)
            logits = torch.stack([_first_logits(sequence) for sequence in joining])
            events += self._draw(joining, logits)
        return events

    def _fits(self, candidate: Sequence) -> bool:
        """Whether one more slot stays within the memory limit; a lone one always may run."""
        if self.limits.kv_bytes is None or not self._running:
            return True
        everyone = [*self._running, candidate]
        widest = max(_slot_tokens(sequence) for sequence in everyone)
        prompts = {id(s.prompt): self._prompt_bytes(len(s.prompt.tokens)) for s in everyone}
        slots = widest * len(everyone) * self._kv_token_bytes
        return slots + sum(prompts.values()) <= self.limits.kv_bytes

    def _prompt_bytes(self, tokens: int) -> float:
        """Keys and values of a prompt, with the block index that a sparsely attended one has."""
        sparse, decoder = self._sparse, self._decoder
        kind = (decoder.device, decoder.dtype, self.config.head_dim)
        is_sparse = sparse is not None and not is_dense(tokens, sparse, *kind)
        share = sparse.index_share if sparse is not None and is_sparse else 0.0
        return tokens * self._kv_token_bytes * (1.0 + share)

    def _decode_step(self) -> list[Event]:
        running = list(self._running)
        device = self._decoder.device
        positions = [len(s.request.prompt) + len(s.tokens) - 1 for s in running]
        hidden = self._decoder.forward(
            torch.tensor([sequence.tokens[-1] for sequence in running], device=device),
            torch.tensor(positions, device=device),
            max(positions),
            DecodeAttend(self._slots),
        )
        for slot in range(len(running)):
            self._slots.lengths[slot] += 1
        self.stats.decode_steps += 1
        self.stats.decoded_tokens += len(running)
        return self._draw(running, self._decoder.logits(hidden))

    def _draw(self, sequences: SequenceOf[Sequence], logits: Tensor) -> list[Event]:
        """Draw the next token of each sequence from its row of logits."""
        draws = self._draw_rows(sequences, logits)
        events: list[Event] = []
        for row, (sequence, drawn) in enumerate(zip(sequences, draws, strict=True)):
            event = self._settle(sequence, drawn, logits[row])
            if event is not None:
                events.append(event)
        return events

    def _draw_rows(
        self, sequences: SequenceOf[Sequence], logits: Tensor
    ) -> list[Draw] | list[Draw | None]:
        specs = [self._spec(sequence) for sequence in sequences]
        try:
            return draw(logits, specs)
        except NoTokenLeftError:
            return [self._draw_one(spec, logits[row]) for row, spec in enumerate(specs)]

    def _draw_one(self, spec: DrawSpec, logits: Tensor) -> Draw | None:
        try:
            return draw(logits[None], [spec])[0]
        except NoTokenLeftError:
            return None

    def _spec(self, sequence: Sequence) -> DrawSpec:
        sampling = sequence.request.sampling
        return DrawSpec(
            sampling=sampling,
            uniform=sequence.uniform() if sampling.temperature > 0 else 0.0,
            seen={*sequence.request.prompt, *sequence.tokens}
            if sampling.repetition_penalty != 1.0
            else (),
            banned=sequence.bans.get(len(sequence.tokens), ()),
        )

    def _settle(self, sequence: Sequence, drawn: Draw | None, logits: Tensor) -> Event | None:
        """Ask the guard about a drawn token, append it or roll back, and end what has ended."""
        guard = sequence.request.guard
        sequence.drawn += 1
        while guard is not None and drawn is not None:
            decision = guard.inspect(sequence.tokens, drawn.token)
            if isinstance(decision, Accept):
                break
            self.stats.rejected_tokens += 1
            here = len(sequence.tokens)
            if not 0 <= decision.to <= here:
                raise UsageError(
                    f"a decode guard rolls back to position {decision.to} of {here}",
                    "Name a generated position that exists",
                )
            sequence.rejections += 1
            if sequence.rejections > _MAX_REJECTIONS:
                return self._leave(sequence, "guard")
            sequence.roll_back(decision.to, decision.ban)
            if decision.to < here:
                if decision.to > 0:
                    # The token before `to` is fed again, which gives the logits at `to`.
                    own = 0 if sequence.prompt.is_shared else sequence.prompt.length
                    self._slots.lengths[sequence.slot] = own + decision.to - 1
                    return None
                logits = _first_logits(sequence)
                self._slots.lengths[sequence.slot] = (
                    0 if sequence.prompt.is_shared else sequence.prompt.length
                )
            drawn = self._draw_one(self._spec(sequence), logits)
            sequence.drawn += 1
        if drawn is None:
            return self._leave(sequence, "guard")
        text = sequence.accept(drawn.token, drawn.logprob)
        if guard is not None:
            text = ""  # what a guard may still roll back is not given away
        if drawn.token in self._eos or sequence.stopped:
            return self._leave(sequence, "stop", text)
        if len(sequence.tokens) >= sequence.request.sampling.max_tokens:
            return self._leave(sequence, "length", text)
        return Event(sequence.ticket, text) if text else None

    def _leave(self, sequence: Sequence, reason: FinishReason, text: str = "") -> Event:
        moved = self._slots.remove(sequence.slot)
        if moved is not None:
            self._running[sequence.slot] = self._running[moved]
            self._running[sequence.slot].slot = sequence.slot
        self._running.pop()
        event = sequence.finish(reason)
        if sequence.request.guard is not None:
            return Event(event.ticket, sequence.text, event.finished)
        return Event(event.ticket, text + event.text, event.finished)


def _first_logits(sequence: Sequence) -> Tensor:
    logits = sequence.prompt.last_logits
    assert logits is not None, "a sequence runs only after its prompt was prefilled"
    return logits


def _slot_tokens(sequence: Sequence) -> int:
    """Tokens that a sequence may come to hold in its slot."""
    own = 0 if sequence.prompt.is_shared else len(sequence.prompt.tokens)
    return own + sequence.request.sampling.max_tokens
