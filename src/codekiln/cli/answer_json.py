"""An answer as the JSON object that `--json` prints; docs/cli.md describes the fields."""

from __future__ import annotations

from dataclasses import asdict

from codekiln.core import Assessment, Candidate
from codekiln.generation import Generated


def answer_as_json(generated: Generated, out: str | None = None) -> dict[str, object]:
    """Plain JSON values; `out` is the file that was written."""
    answer, record = generated.answer, generated.record
    assessment = answer.assessment
    chosen = answer.candidate
    return {
        "code": answer.code,
        "language": _language(generated),
        "verdict": answer.verdict.value,
        "verified": answer.verified,
        "why_unverified": answer.why_unverified,
        "confidence": asdict(answer.confidence),
        "examples": [asdict(run) for run in assessment.example_runs] if assessment else [],
        "findings": [asdict(finding) for finding in assessment.findings] if assessment else [],
        "chosen": chosen.index if chosen else None,
        "candidates": _candidates(answer.candidates, answer.assessments),
        "notes": list(answer.notes),
        "model": record.model,
        "backend": record.backend,
        "isolation": record.isolation,
        "seed": _seed(generated),
        "tokens": dict(record.tokens),
        "seconds": dict(record.seconds),
        "record_id": answer.record_id,
        "out": out,
    }


def _candidates(
    candidates: tuple[Candidate, ...], assessments: tuple[Assessment, ...]
) -> list[dict[str, object]]:
    known: list[Assessment | None] = [*assessments] or [None] * len(candidates)
    return [
        {
            "index": candidate.index,
            "round": candidate.round,
            "parent": candidate.parent,
            "greedy": candidate.greedy,
            "verdict": assessment.verdict.value if assessment else None,
            "examples_passed": assessment.examples_passed if assessment else 0,
            "behaviour": assessment.behaviour if assessment else "",
            "crashes": assessment.crashes if assessment else 0,
            "logprob": candidate.logprob,
            "completion_tokens": candidate.completion_tokens,
            "finish_reason": candidate.finish_reason,
            "code": candidate.code,
        }
        for candidate, assessment in zip(candidates, known, strict=True)
    ]


def _language(generated: Generated) -> str:
    task = generated.record.request["task"]
    assert isinstance(task, dict)
    return str(task["language"])


def _seed(generated: Generated) -> int:
    options = generated.record.request["options"]
    assert isinstance(options, dict)
    return int(options["seed"])
