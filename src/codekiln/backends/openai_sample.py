"""One completion while a server writes it: pieces in, deltas and at last the Completion out."""

from __future__ import annotations

from collections.abc import Callable

from codekiln.backends.answer_text import AnswerText
from codekiln.backends.openai_wire import Choice, Usage
from codekiln.backends.protocol import Completion, Delta, FinishReason
from codekiln.core.errors import BackendError

_LENGTH_REASONS = frozenset({"length", "max_tokens"})
_FAILURE_REASONS = frozenset({"error", "abort"})


class Sample:
    """The state of sample `sample` of request `request`; `emit` takes its deltas."""

    def __init__(self, request: int, sample: int, seed: int, emit: Callable[[Delta], None]) -> None:
        self.seed = seed
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
        self._logprobs = [] if logprobs else None
        self._prompt_tokens = prompt_tokens

    @property
    def cut_short(self) -> bool:
        """True when a stop string ended the answer before the server did."""
        return self._answer.stopped

    def take(self, choice: Choice) -> None:
        """Add what one chunk says. Raises BackendError when the server gave the answer up."""
        self.begun = True
        if choice.finish in _FAILURE_REASONS:
            raise BackendError(
                f"The server gave up an answer with finish_reason {choice.finish!r}",
                "See the server's log",
            )
        if self._answer.stopped:
            return
        if choice.text:
            self._pieces += 1
            self._give_out(self._answer.feed(choice.text))
        if self._logprobs is not None and choice.logprobs:
            self._logprobs.extend(choice.logprobs)
        if self._answer.stopped:
            self.finish = "stop"
        elif choice.finish is not None:
            self.finish = "length" if choice.finish in _LENGTH_REASONS else "stop"

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
        completion = Completion(
            text=text,
            finish_reason=finish,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            logprob=None if logprobs is None else sum(logprobs),
            token_logprobs=logprobs,
            seed=self.seed,
        )
        self.done = True
        self._emit(Delta(self._request, self._sample, rest, completion))

    def _give_out(self, text: str) -> None:
        if text:
            self._text.append(text)
            self._emit(Delta(self._request, self._sample, text))


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
