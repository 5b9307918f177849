"""A stub to complete: codekiln generate --task examples/roman_numerals.py"""


def to_roman(number: int) -> str:
    """Write a whole number from 1 to 3999 as a Roman numeral.

    >>> to_roman(4)
    'IV'
    >>> to_roman(9)
    'IX'
    >>> to_roman(58)
    'LVIII'
    >>> to_roman(1994)
    'MCMXCIV'
    """
