"""Equality of answers with a suite's tolerance, on plain data in the scorer process.

EvalPlus' rule: `==`, or, where the suite gives a tolerance or the expected value is made of
floats, equal types and numpy's `allclose` with rtol 1e-7 and that tolerance (1e-6 for floats).
"""

from __future__ import annotations

import math

from codekiln.verify.values import Instance, Iterated, Opaque

RELATIVE = 1e-7
FLOAT_TOLERANCE = 1e-6


def same(observed: object, expected: object, tolerance: float = 0.0) -> bool:
    """True when `observed` is an accepted answer where `expected` is the reference's.

    >>> same([1, 2.0000001], [1, 2.0]), same((1, 2), [1, 2]), same(0.3, 0.1 + 0.2)
    (False, False, True)
    """
    if isinstance(observed, Opaque) or isinstance(expected, Opaque):
        return False
    try:
        if plain(observed) == plain(expected):
            return True
        allowed = FLOAT_TOLERANCE if tolerance == 0 and _is_floats(expected) else tolerance
        return (
            allowed > 0 and type(observed) is type(expected) and within(observed, expected, allowed)
        )
    except (TypeError, ValueError, ArithmeticError, RecursionError):
        return False


def within(observed: object, expected: object, tolerance: float) -> bool:
    """Numbers, and containers of them element by element, that differ by no more than allowed."""
    if isinstance(expected, list | tuple):
        return (
            isinstance(observed, list | tuple)
            and len(observed) == len(expected)
            and all(within(a, b, tolerance) for a, b in zip(observed, expected, strict=True))
        )
    if isinstance(expected, dict):
        return (
            isinstance(observed, dict)
            and observed.keys() == expected.keys()
            and all(within(observed[key], expected[key], tolerance) for key in expected)
        )
    numbers = int | float | complex
    if not isinstance(expected, numbers) or not isinstance(observed, numbers):
        return bool(observed == expected)
    if isinstance(expected, complex) or isinstance(observed, complex):
        return abs(observed - expected) <= tolerance + RELATIVE * abs(expected)
    if observed == expected:
        return True
    if not (math.isfinite(observed) and math.isfinite(expected)):
        # numpy's allclose holds no nan equal to another one; nor does EvalPlus.
        return False
    return abs(observed - expected) <= tolerance + RELATIVE * abs(expected)


def _is_floats(value: object) -> bool:
    if isinstance(value, float):
        return True
    return (
        isinstance(value, list | tuple)
        and bool(value)
        and all(isinstance(item, float) for item in value)
    )


def plain(value: object) -> object:
    """A form that `==` can judge: iterators and objects equal only their own kind."""
    if isinstance(value, Iterated):
        return ("iterator", value.kind, value.items if value.complete else object())
    if isinstance(value, Instance):
        return ("object", value.kind, tuple(value.fields))
    return value
