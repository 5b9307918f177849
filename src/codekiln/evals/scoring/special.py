"""What EvalPlus treats specially: argument types that JSON loses, and problems with many answers.

After evalplus/data/mbpp.py and evalplus/eval (evalplus 0.3.1, Apache-2.0 and MIT), whose scores
these rules reproduce; their problem ids and functions are facts about the data.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from codekiln.evals.scoring.comparison import within
from codekiln.evals.scoring.hidden import Comparer

Arguments = list[Any]

_TUPLES = {2, 116, 132, 143, 222, 261, 273, 394, 399, 421, 424, 429, 470, 560, 579, 596, 616, 630}
_TUPLES |= {726, 740, 744, 809}
_LISTS_OF_TUPLES = {63, 64, 70, 94, 120, 237, 272, 299, 400, 409, 417, 438, 473, 614, 780}
_FIRST_OF_TUPLES = {75, 413, 444, 753}
_FIRST_IS_TUPLE = {250, 405, 446, 617, 720, 763, 808, 307}
_TUPLES_OF_TUPLES = {259, 401, 445}
_ALL_TUPLES = {580, 615, 791}
_SECOND_IS_TUPLE = {106, 750}


def mbpp_arguments(number: int, given: Arguments) -> Arguments:
    """The arguments of one call of MBPP problem `number`, with the types that JSON cannot keep."""
    for ids, convert in _CONVERSIONS:
        if number in ids:
            return convert(given)
    return given


def _deep_tuples(value: Any) -> Any:
    return tuple(map(_deep_tuples, value)) if isinstance(value, list) else value


def _tuples(values: Any) -> list[Any]:
    return [tuple(item) for item in values]


def _mixed_tuples(values: Any) -> tuple[Any, ...]:
    return tuple(tuple(item) if isinstance(item, list) else item for item in values)


_CONVERSIONS: tuple[tuple[set[int], Callable[[Arguments], Arguments]], ...] = (
    (_TUPLES, lambda given: _tuples(given)),
    (_LISTS_OF_TUPLES, lambda given: [_tuples(values) for values in given]),
    (_FIRST_OF_TUPLES, lambda given: [_tuples(given[0]), *given[1:]]),
    (_SECOND_IS_TUPLE, lambda given: [given[0], tuple(given[1])]),
    ({115}, lambda given: [[set(v) if isinstance(v, list) and v else {} for v in given[0]]]),
    ({124}, lambda given: [float(given[0]), complex(given[1])]),
    (_FIRST_IS_TUPLE, lambda given: [tuple(given[0]), *given[1:]]),
    (_TUPLES_OF_TUPLES, lambda given: [tuple(_tuples(values)) for values in given]),
    ({278}, lambda given: [_mixed_tuples(given[0])]),
    ({722}, lambda given: [{key: tuple(v) for key, v in given[0].items()}, *given[1:]]),
    ({252}, lambda given: [complex(given[0])]),
    (_ALL_TUPLES, lambda given: [_deep_tuples(value) for value in given]),
)


def comparer(entry_point: str, tolerance: float) -> Comparer | None:
    """How answers of this function are compared; None where equality (with tolerance) is meant."""
    if entry_point in _SETS:
        return _equal_as_sets
    if entry_point in _NOT_NONE:
        return _equal_as_match
    special = _SPECIAL.get(entry_point)
    if special is None:
        return None
    return lambda observed, expected, args: special(observed, expected, args, tolerance)


# Any order is right; similar_elements is MBPP 2, and so on.
_SETS = {
    *("similar_elements", "find_char_long", "common_in_nested_lists", "extract_singly"),
    *("larg_nnum", "intersection_array", "find_dissimilar", "Diff"),
}
# The original returns a match object or None.
_NOT_NONE = {"check_str", "text_match_three", "text_starta_endb"}


def _equal_as_sets(observed: object, expected: object, _: tuple[object, ...]) -> bool:
    if not isinstance(observed, list | tuple | set | frozenset):
        return False
    assert isinstance(expected, list | tuple | set | frozenset)
    return set(observed) == set(expected)


def _equal_as_match(observed: object, expected: object, _: tuple[object, ...]) -> bool:
    return _matches(observed) == _matches(expected)


def _matches(value: object) -> bool:
    return value if isinstance(value, bool) else value is not None


def _find_zero(observed: object, _: object, args: tuple[object, ...], tolerance: float) -> bool:
    """HumanEval 32: any root of the polynomial."""
    if isinstance(observed, bool) or not isinstance(observed, int | float):
        return False
    coefficients = args[0]
    assert isinstance(coefficients, list)
    value = sum(c * math.pow(observed, power) for power, c in enumerate(coefficients))
    return bool(abs(value) <= tolerance)


def _always(*_: object) -> bool:
    """MBPP 164: the original's own answer is disputed."""
    return True


def _or_zero(observed: object, expected: object, _: tuple[object, ...], __: float) -> bool:
    """MBPP 295: whether 0 divides is open."""
    return observed == expected or observed == 0


def _surface(
    observed: object, expected: object, args: tuple[object, ...], tolerance: float
) -> bool:
    """MBPP 581: the height may be the perpendicular or the slant one."""
    if observed == expected:
        return True
    edge, height = args
    assert isinstance(edge, int | float)
    assert isinstance(height, int | float)
    slant = math.sqrt((edge / 2) ** 2 + height**2)
    other = round(edge**2 + 4 * (edge * slant) / 2)
    return within(observed, other, tolerance) or within(observed, expected, tolerance)


def _digit_distance(observed: object, expected: object, args: tuple[object, ...], _: float) -> bool:
    """MBPP 558: numbers of unequal length may be padded with zeros."""
    one, two = map(str, args)
    width = max(len(one), len(two))
    digits = zip(one.zfill(width), two.zfill(width), strict=True)
    return observed == expected or observed == sum(abs(int(a) - int(b)) for a, b in digits)


_SPECIAL: dict[str, Callable[[object, object, tuple[object, ...], float], bool]] = {
    "find_zero": _find_zero,
    "are_equivalent": _always,
    "sum_div": _or_zero,
    "surface_Area": _surface,
    "digit_distance_nums": _digit_distance,
}
