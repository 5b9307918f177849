"""One completion while a server writes it: pieces in, deltas and at last the Completion out."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace

from codekiln.backends.answer_text import AnswerText
from codekiln.backends.openai_wire import Choice, Usage
from codekiln.backends.protocol import Completion, CompletionRequest, Delta, FinishReason
from codekiln.core.errors import BackendError
from codekiln.core.text_guard import TextGuard

_LENGTH_REASONS = frozenset({"length", "max_tokens"})
# Without any, a server would write again what a guard took back.
_REDRAW_TEMPERATURE = 0.8
# Between the seeds of a sample's segments, so that they meet no other sample's.
_SEEDS_APART = 1_000_003
_FAILURE_REASONS = frozenset({"error", "abort"})


class Sample:
    """The state of sample `sample` of request `request`; `emit` takes its deltas.

    Under a `guard` text is given out only at the end. What the guard takes back is dropped, and
    `taken_back` says that the server has to go on behind `text`: a piece of it is one token, as
    far as can be told.
    """

    def __init__(
        self,
        request: int,
        sample: int,
        seed: int,
        emit: Callable[[Delta], None],
        guard: TextGuard | None = None,
    ) -> None:
        self.seed = seed
        self.guard = guard
        self.taken_back = False
        self.redraws = 0
        self._unseen = ""
        # The characters of the text behind each piece, and how many pieces the server went on from.
        self._ends: list[int] = []
        self._kept = 0
        self.begun = False
        self.done = False
        self.finish: FinishReason | None = None
        self.usage: Usage | None = None
        self._request = request
        self._sample = sample
        self._emit = emit
        self._answer = AnswerText()
        self._text: list[str] = []
        self._logprobs: list[float] | None = None
        self._pieces = 0
        self._prompt_tokens = 0

    def expect(self, answer: AnswerText, logprobs: bool, prompt_tokens: int) -> None:
        """Say how the coming text is to be read and whether log-probabilities are wanted.

        `prompt_tokens` counts for an answer whose usage the server does not report.
        """
        self._answer = answer
        self.begun = self.taken_back = False
        self._kept = self.pieces
        # Those of a text of which parts were drawn again cannot be told apart.
        self._logprobs = [] if logprobs and self.guard is None else None
        self._prompt_tokens = prompt_tokens

    @property
    def cut_short(self) -> bool:
        """True when a stop string ended the answer before the server did."""
        return self._answer.stopped

    @property
    def draw_seed(self) -> int:
        """The seed of the next request: another one each time text was taken back."""
        return self.seed + self.redraws * _SEEDS_APART

    @property
    def text(self) -> str:
        """What is certain so far."""
        return "".join(self._text)

    @property
    def pieces(self) -> int:
        """How many pieces the text has."""
        return len(self._ends)

    def take(self, choice: Choice) -> None:
        """Add what one chunk says. Raises BackendError when the server gave the answer up."""
        self.begun = True
        if choice.finish in _FAILURE_REASONS:
            raise BackendError(
                f"The server gave up an answer with finish_reason {choice.finish!r}",
                "See the server's log",
            )
        if self._answer.stopped or self.taken_back:
            return
        if choice.text:
            self._pieces += 1
            added = self._answer.feed(choice.text)
            self._unseen += added
            self._give_out(added)
        if self._logprobs is not None and choice.logprobs:
            self._logprobs.extend(choice.logprobs)
        if self._answer.stopped:
            self.finish = "stop"
        elif choice.finish is not None:
            self.finish = "length" if choice.finish in _LENGTH_REASONS else "stop"

    def needs_look(self) -> bool:
        """Whether the guard has to see what came since it was last asked."""
        if self.guard is None or self.taken_back:
            return False
        return self.finish == "stop" or (bool(self._unseen) and self.guard.wakes(self._unseen))

    def look(self) -> None:
        """Let the guard look at the text, in milliseconds to seconds; drop what it takes back."""
        assert self.guard is not None
        ended = self.finish == "stop"
        if ended:
            self._give_out(self._answer.finish())
        self._unseen = ""
        text = self.text
        found = self.guard.judge(text, ended=ended)
        if found is None:
            return
        # A space belongs to the token of the word behind it: without one, words are drawn as usual.
        kept = text[: found.to].rstrip(" \t")
        self._text = [kept]
        self._ends = [end for end in self._ends if end <= len(kept)]
        self.finish, self.taken_back = None, True
        self.redraws += 1

    def end(self, finish: FinishReason) -> None:
        """Emit the last text with the Completion."""
        rest = self._answer.finish()
        text = "".join([*self._text, rest])
        # Log-probabilities of a dropped lead-in are not those of the text.
        known = self._logprobs and not self._answer.dropped_lead_in
        logprobs = tuple(self._logprobs) if self._logprobs and known else None
        usage = self.usage
        if usage is None:
            usage = Usage(self._prompt_tokens, len(self._logprobs or ()) or self._pieces)
        drawn = None
        if self.guard is not None:
            drawn = max(self._pieces, usage.completion_tokens)
        if self.redraws:
            # The server took what was kept for a part of the prompt.
            usage = Usage(max(0, usage.prompt_tokens - self._kept), self.pieces)
        completion = Completion(
            text=text,
            finish_reason=finish,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            logprob=None if logprobs is None else sum(logprobs),
            token_logprobs=logprobs,
            seed=self.seed,
            drawn_tokens=drawn,
        )
        self.done = True
        last = rest if self.guard is None else text
        self._emit(Delta(self._request, self._sample, last, completion))

    def _give_out(self, text: str) -> None:
        if not text:
            return
        self._text.append(text)
        self._ends.append(sum(map(len, self._text)))
        if self.guard is None:
            self._emit(Delta(self._request, self._sample, text))


def samples_of(
    index: int, request: CompletionRequest, emit: Callable[[Delta], None]
) -> list[Sample]:
    """The samples of a request, with their seeds and guards."""
    seed = request.sampling.seed
    seed = secrets.randbits(31) if seed is None else seed
    guard = request.guard
    return [
        Sample(index, sample, seed + sample, emit, guard(sample) if guard is not None else None)
        for sample in range(request.n)
    ]


def segment_of(request: CompletionRequest, sample: Sample) -> CompletionRequest | None:
    """The request for what is missing behind a sample's text; None where no token is left.

    No token can be kept from coming again there: another seed and some temperature must do.
    """
    left = request.sampling.max_tokens - sample.pieces
    if left <= 0:
        return None
    warmth = request.sampling.temperature or (_REDRAW_TEMPERATURE if sample.redraws else 0.0)
    sampling = replace(request.sampling, max_tokens=left, temperature=warmth)
    prompt = replace(request.prompt, prefill=request.prompt.prefill + sample.text)
    return CompletionRequest(prompt, sampling)


def groups_of(samples: list[Sample], size: int) -> list[list[Sample]]:
    """The samples in order, in groups of at most `size` whose seeds follow one another."""
    groups: list[list[Sample]] = []
    for sample in samples:
        if groups and len(groups[-1]) < size and sample.seed == groups[-1][-1].seed + 1:
            groups[-1].append(sample)
        else:
            groups.append([sample])
    return groups


def share_usage(samples: list[Sample], finished: list[Sample], reported: list[Usage]) -> None:
    """Give each sample of one request its usage from the chunks that named no sample.

    llama.cpp sends one such chunk per sample, in the order in which they finish; others send
    one with the sum over all samples, of which only the prompt's part can be told for each.
    """
    if len(samples) == 1 and reported:
        samples[0].usage = reported[-1]
    elif len(reported) == len(samples) == len(finished):
        for sample, usage in zip(finished, reported, strict=True):
            sample.usage = usage
