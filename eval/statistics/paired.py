"""Two models on the same items."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from medllm.eval.statistics.proportions import Interval, require_counts, wilson

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class PairedCounts(NamedTuple):
    """Two models on the same items: how many both got right, one alone, or neither."""

    both: int
    first_only: int
    second_only: int
    neither: int

    @classmethod
    def of(cls, first: Sequence[bool], second: Sequence[bool]) -> PairedCounts:
        """Count pairs; raises ValueError when the two lists are not of one length."""
        pairs = list(zip(first, second, strict=True))
        return cls(
            both=sum(a and b for a, b in pairs),
            first_only=sum(a and not b for a, b in pairs),
            second_only=sum(b and not a for a, b in pairs),
            neither=sum(not a and not b for a, b in pairs),
        )


def mcnemar(counts: PairedCounts) -> float:
    """Exact two-sided p of "neither model is better" (McNemar, Psychometrika 12:153, 1947).

    Only items that one model alone got right count: without a difference each of them is a fair
    coin. The p is twice the smaller binomial tail, at most 1, in whole numbers until the end.
    """
    tosses = counts.first_only + counts.second_only
    fewer = min(counts.first_only, counts.second_only)
    tail = sum(math.comb(tosses, k) for k in range(fewer + 1))
    return min(1.0, 2 * tail / (1 << tosses))


def paired_difference(counts: PairedCounts) -> Interval:
    """95% interval of (first − second) for shares right on the same items.

    Newcombe, Stat. Med. 17:2635 (1998), method 10: the two Wilson intervals joined by squaring and
    adding, less their correlation φ, which is corrected for continuity when it is positive.
    """
    a, b, c, d = counts
    items = sum(counts)
    require_counts(*counts)
    first, second = (a + b) / items, (a + c) / items
    low_1, high_1 = wilson(a + b, items)
    low_2, high_2 = wilson(a + c, items)
    margins = (a + b) * (c + d) * (a + c) * (b + d)
    cross = float(a * d - b * c)
    if cross > 0:
        cross = max(cross - items / 2, 0.0)
    phi = cross / math.sqrt(margins) if margins else 0.0
    below, above = (first - low_1, high_2 - second), (high_1 - first, second - low_2)
    return Interval(
        first - second - _square_and_add(*below, phi),
        first - second + _square_and_add(*above, phi),
    )


def paired_bootstrap(
    differences: Sequence[float],
    weights: Sequence[float],
    *,
    seed: int,
    clusters: Sequence[Hashable] | None = None,
    resamples: int = 10_000,
) -> Interval:
    """95% percentile interval of Σ differences / Σ weights when the items are drawn again.

    ``differences`` holds first − second of an item (nats summed over its tokens, or 0 and ±1 for a
    question), ``weights`` what it weighs (its tokens, or 1). Items that share an entry of
    ``clusters`` (questions about one condition) are drawn together, since they are not
    independent. Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
    """
    import numpy as np

    names = list(clusters) if clusters is not None else list(range(len(differences)))
    place = {name: index for index, name in enumerate(dict.fromkeys(names))}
    rows: NDArray[np.float64] = np.zeros((len(place), 2))
    for name, difference, weight in zip(names, differences, weights, strict=True):
        rows[place[name]] += difference, weight
    if not len(rows):
        raise ValueError("nothing to resample")
    generator = np.random.default_rng(seed)
    block = max(1, min(resamples, 1_000_000 // len(rows)))  # draws at once, to bound memory
    draws = []
    for done in range(0, resamples, block):
        size = (min(block, resamples - done), len(rows))
        total, weight = rows[generator.integers(0, len(rows), size)].sum(axis=1).T
        draws.append(total / weight)
    low, high = np.quantile(np.concatenate(draws), [0.025, 0.975])
    return Interval(float(low), float(high))


def _square_and_add(one: float, other: float, phi: float) -> float:
    return math.sqrt(max(one**2 - 2 * phi * one * other + other**2, 0.0))
