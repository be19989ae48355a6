"""The interval of one share."""

from __future__ import annotations

import math
from typing import NamedTuple

Z95 = 1.959963984540054  # standard normal quantile of 0.975


class Interval(NamedTuple):
    """A confidence interval, of 95% where nothing else is said."""

    low: float
    high: float


def wilson(right: float, items: float) -> Interval:
    """95% score interval of a proportion (Wilson, J. Am. Stat. Assoc. 22:209, 1927).

    Unlike the textbook p ± 1.96 standard errors it stays inside 0–1 and does not shrink to
    nothing at 0% or 100%. Both numbers may be fractions: effective counts of a clustered sample.
    Raises ValueError for negative counts and for none.
    """
    require_counts(right, items - right)
    share, z2 = right / items, Z95**2
    centre = (share + z2 / (2 * items)) / (1 + z2 / items)
    spread = share * (1 - share) / items + z2 / (4 * items**2)
    half = Z95 / (1 + z2 / items) * math.sqrt(spread)
    low = 0.0 if right == 0 else centre - half
    high = 1.0 if right == items else centre + half
    return Interval(low, high)


def require_counts(*counts: float) -> None:
    """Raise ValueError for a negative count, and when all are zero."""
    if min(counts) < 0 or sum(counts) == 0:
        raise ValueError(f"counts must not be negative and not all be zero: {counts}")
