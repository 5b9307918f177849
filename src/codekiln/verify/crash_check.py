"""What does the candidate do on inputs near the examples? Crashes, and a fingerprint.

Runs varied inputs (see varied_inputs) and, in the same process, the examples once more with
another seed for hashes and for chance. A varied input may be invalid, so what happens on it is a
warning: an exception that the code does not raise itself, the death of the interpreter, memory,
time. Only three things fail a candidate: a name that is defined nowhere, an example whose result
changes with the seed, and a changed argument where the task forbids it. The results on all varied
inputs make the behaviour fingerprint.
"""

from __future__ import annotations

import ast
import builtins
import re
import time
from collections.abc import Sequence
from dataclasses import replace

from codekiln.core.files import sha256_text
from codekiln.core.task import Task
from codekiln.core.verdict import CheckReport, ExampleRun, Finding, Severity, Span, Verdict
from codekiln.verify.checks import Trial
from codekiln.verify.example_check import judge_examples
from codekiln.verify.python_source import all_bound_names, parse
from codekiln.verify.sandboxed_calls import CallsResult, Step, StepResult, run_calls
from codekiln.verify.steps import example_sessions
from codekiln.verify.typed_inputs import signature_of
from codekiln.verify.values import canonical
from codekiln.verify.varied_inputs import varied_sessions

MAX_WARNINGS = 5
_CHANGE = (
    r"(?:chang(?:e[sd]?|ing)|modif(?:y|ies|ied|ying)|mutat(?:e[sd]?|ing)|alter(?:s|ed|ing)?"
    r"|touch(?:ed|ing)?)"
)
_ARGUMENT = r"(?:inputs?|arguments?|parameters?|originals?|passed|given)"
# A wish for it, not "do not sort in place".
_IN_PLACE = re.compile(
    r"(?:(?!\b(?:not|never|without)\b|n['’]t\b|不|勿|禁止).)*?(?:\bin[- ]place\b|原地|就地)",
    re.IGNORECASE,
)
_NO_CHANGES = re.compile(
    # "do not change the given list", but not "without changing the order of the others"
    rf"(?:\b(?:not|never|without)|n['’]t)\s+(?:ever\s+|to\s+)?{_CHANGE}\s+(?:\w+\s+){{0,3}}{_ARGUMENT}\b"
    rf"|\b{_ARGUMENT}\b.*(?:(?:\b(?:not|never)|n['’]t)\s+be\s+{_CHANGE}|\bun(?:changed|modified|touched))"
    rf"|\b(?:leave|keep)\b.*\b{_ARGUMENT}\b.*\b(?:as it is|as they are)\b"
    rf"|\bun(?:changed|modified|touched)\b.*\b{_ARGUMENT}\b"
    r"|(?:不(?:要|得|能|可|可以|允许|应|应该)?|禁止|勿)(?:修改|改变|更改|改动)"
    r"[^，,]*(?:输入|参数|原|传入)",
    re.IGNORECASE,
)
HASH_SEED = 1


class CrashCheck:
    """Warns of crashes on varied inputs and fingerprints the behaviour."""

    name = "crash"
    cost = 30

    def applies(self, task: Task) -> bool:
        """Python tasks with an example that can be run, or a function whose types are declared."""
        return task.language == "python" and (
            any(example.call for example in task.examples) or signature_of(task) is not None
        )

    def run(self, trial: Trial) -> CheckReport:
        """Sets the trial's `behaviour`, `outputs` and `crashes` besides reporting."""
        started = time.monotonic()
        varied = varied_sessions(trial.task, trial.limits.varied_inputs)
        if not varied:
            return CheckReport(
                check=self.name,
                verdict=Verdict.UNVERIFIED,
                detail="no example is a call with literal arguments that could be varied",
            )
        again = [session.steps for session in example_sessions(trial.task)]
        calls = run_calls(
            trial.code,
            [*varied, *again],
            trial.isolation,
            call_s=trial.limits.varied_call_s,
            load_s=trial.limits.load_s,
            memory_bytes=trial.limits.memory_bytes,
            hash_seed=HASH_SEED,
        )
        pairs = [
            pair
            for session, results in zip(varied, calls.steps, strict=False)
            for pair in zip(session, results, strict=True)
        ]
        if all(result.outcome == "not_run" for _, result in pairs):
            why = str(calls.load_error or "no varied call could run")
            return CheckReport(self.name, Verdict.UNVERIFIED, detail=why)
        trial.outputs = outputs([result for _, result in pairs], prints(trial.task))
        trial.behaviour = _short_hash("\0".join(trial.outputs))
        crashes = [(step, result) for step, result in pairs if _is_crash(result)]
        trial.crashes = len(crashes)
        findings = [*self._errors(trial, calls, len(varied), crashes), *self._warnings(crashes)]
        findings += self._state(pairs)
        findings += self._changed_arguments(trial.task, pairs)
        failed = any(finding.severity == "error" for finding in findings)
        verdict = Verdict.PASSED
        if failed:
            rules = {finding.rule for finding in findings if finding.severity == "error"}
            wrong = rules & {"unstable", "changed-argument"}
            verdict = Verdict.WRONG_OUTPUT if wrong else Verdict.RUNTIME_ERROR
        return CheckReport(
            check=self.name,
            verdict=verdict,
            findings=tuple(findings),
            isolation=calls.isolation,
            detail=f"{len(pairs)} varied calls, {len(crashes)} crashes",
            seconds=time.monotonic() - started,
        )

    def _errors(
        self,
        trial: Trial,
        calls: CallsResult,
        skip: int,
        crashes: Sequence[tuple[Step, StepResult]],
    ) -> list[Finding]:
        findings = []
        bound = _bound_names(trial.code)
        for step, result in crashes:
            raised = result.raised
            if raised and raised.kind == "NameError" and raised.line and raised.name not in bound:
                message = f"{step.text} uses `{raised.name}`, which is defined nowhere"
                span = Span(raised.line)
                findings.append(Finding(self.name, "error", message, "undefined-name", span))
                break
        first = {run.call: run for run in _examples(trial, trial.example_calls)}
        for run in _examples(trial, replace(calls, steps=calls.steps[skip:])):
            before = first.get(run.call)
            # A time-out may be the machine's doing; another value is the candidate's.
            if run.outcome == "wrong_output" and before is not None and before.passed:
                message = (
                    f"{run.call} gave {before.observed}, and {run.observed} on a second run: the "
                    "result depends on the order of a set, on chance or on time"
                )
                findings.append(Finding(self.name, "error", message, "unstable"))
        return findings

    def _warnings(self, crashes: Sequence[tuple[Step, StepResult]]) -> list[Finding]:
        kinds: dict[str, Finding] = {}
        for step, result in crashes:
            rule = result.raised.kind if result.raised else result.outcome
            line = result.raised.line if result.raised else 0
            if rule not in kinds and len(kinds) < MAX_WARNINGS:
                kinds[rule] = Finding(
                    self.name,
                    "warning",
                    f"{step.text} (an input varied from the examples) fails: {result.why}",
                    rule=rule,
                    span=Span(line) if line else None,
                )
        return list(kinds.values())

    def _changed_arguments(
        self, task: Task, pairs: Sequence[tuple[Step, StepResult]]
    ) -> list[Finding]:
        """A function that gives a result and changes its arguments too surprises its callers."""
        for step, result in pairs:
            works_in_place = isinstance(result.value, tuple) and result.value[:1] == ("in place",)
            if result.outcome != "value" or not result.changed_arguments or works_in_place:
                continue
            forbidden = forbids_changes(task)
            message = f"{step.text} changes its argument"
            message += ", which the task forbids" if forbidden else " besides giving a result"
            severity: Severity = "error" if forbidden else "warning"
            return [Finding(self.name, severity, message, "changed-argument")]
        return []

    def _state(self, pairs: Sequence[tuple[Step, StepResult]]) -> list[Finding]:
        (first_step, first), (last_step, last) = pairs[0], pairs[-1]
        if first_step != last_step or not first_step.function or len(pairs) < 2:
            return []
        if first.outcome != "value" or last.outcome != "value":
            return []
        if canonical(first.value) == canonical(last.value):
            return []
        message = f"{first_step.text} gives another result when called again later"
        return [Finding(self.name, "warning", message, "kept-state")]


def outputs(results: Sequence[StepResult], with_printed: bool = False) -> tuple[str, ...]:
    """One short text per result, equal for equal ones: values (floats to nine digits) as a hash,
    exceptions and other ends by name behind a "!"."""
    texts = []
    for result in results:
        printed = f"\n{result.printed}" if with_printed else ""
        if result.outcome == "value":
            texts.append(_short_hash(canonical(result.value) + printed))
        else:
            kind = result.raised.kind if result.raised else result.outcome
            texts.append(f"!{kind}" + (_short_hash(printed) if printed else ""))
    return tuple(texts)


def _short_hash(text: str) -> str:
    return sha256_text(text.encode("ascii", "backslashreplace").decode("ascii"))[:16]


def forbids_changes(task: Task) -> bool:
    """True when the task says that what is passed in must stay as it is."""
    texts = (task.description, task.skeleton, *task.constraints)
    sentences = [sentence for text in texts for sentence in re.split(r"[.;。；\n]", text)]
    if any(map(_IN_PLACE.match, sentences)):
        return False
    return any(map(_NO_CHANGES.search, sentences))


def _is_crash(result: StepResult) -> bool:
    if result.outcome in ("timeout", "out_of_memory", "died"):
        return True
    return result.outcome == "raised" and result.raised is not None and not result.raised.deliberate


def _examples(trial: Trial, calls: CallsResult) -> list[ExampleRun]:
    return [item.run for _, item in sorted(judge_examples(trial, calls).items())]


def _bound_names(code: str) -> set[str]:
    """Every name that the code binds anywhere, and the builtins."""
    tree = parse(code)
    names = set(vars(builtins))
    if isinstance(tree, ast.Module):
        names |= all_bound_names(tree)
    return names


def prints(task: Task) -> bool:
    """True when what is printed is part of what the task asks for."""
    return any(example.stdout is not None for example in task.examples)
