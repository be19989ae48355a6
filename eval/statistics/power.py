"""The smallest difference that a set of items would show, so that "no difference" can be read.

All at 80% power and a two-sided α of 0.05 unless told otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

ALPHA, POWER = 0.05, 0.8


def detectable_mean(standard_error: float, alpha: float = ALPHA, power: float = POWER) -> float:
    """Smallest true difference of means, given the standard error of the estimated one.

    (z₁₋α/₂ + z_power) · standard error, so 2.80 of them (Miller, arXiv 2411.00640). Give the
    clustered standard error of paired differences for a paired design.
    """
    normal = NormalDist()
    return (normal.inv_cdf(1 - alpha / 2) + normal.inv_cdf(power)) * standard_error


def detectable_shares(
    items: float,
    other_items: float,
    share: float,
    alpha: float = ALPHA,
    power: float = POWER,
) -> float | None:
    """Smallest difference of two shares on *different* items, upwards or downwards from ``share``.

    The normal approximation with pooled variance under "no difference" (Fleiss, Levin and Paik,
    Statistical Methods for Rates and Proportions, 2003, section 4.2). None when even the larger of
    the two possible changes would not show. Divide the numbers of items by their design effect
    where items share cases.
    """
    normal = NormalDist()
    z = normal.inv_cdf(1 - alpha / 2)

    def shown(other: float) -> float:
        pooled = (items * share + other_items * other) / (items + other_items)
        null = math.sqrt(pooled * (1 - pooled) * (1 / items + 1 / other_items))
        spread = math.sqrt(share * (1 - share) / items + other * (1 - other) / other_items)
        if spread == 0:
            return 1.0
        return normal.cdf((abs(other - share) - z * null) / spread)

    found = [
        _smallest(lambda change, sign=sign: shown(share + sign * change), room, power)  # type: ignore[misc]
        for sign, room in ((1, 1 - share), (-1, share))
    ]
    return min((one for one in found if one is not None), default=None)


def detectable_paired_shares(
    items: int, discordant: int, alpha: float = ALPHA, power: float = POWER
) -> float | None:
    """Smallest difference of two shares on the *same* items that McNemar's exact test would show.

    ``discordant`` is how many of the ``items`` one model alone got right: the fewer, the smaller
    the difference that shows. Their share is taken from the middle of its Wilson interval, so that
    a small set without any does not promise what it cannot hold. None when even a difference as
    large as that share would not show: the set is too small for any. Power by ``mcnemar_power``.
    """
    z2 = NormalDist().inv_cdf(0.975) ** 2
    share = (discordant + z2 / 2) / (items + z2)
    return _smallest(lambda change: mcnemar_power(items, share, change, alpha), share, power)


def mcnemar_power(items: int, discordant: float, difference: float, alpha: float = ALPHA) -> float:
    """Chance that McNemar's exact test shows a true difference at two-sided α, exactly.

    ``discordant`` is the true share of items that one model alone gets right, ``difference`` how
    much more often the one than the other, at most that share. Summed over all numbers of
    discordant items (Duffy, Biometrics 40:1005, 1984).
    """
    import numpy as np
    from scipy.stats import binom

    if not 0 <= abs(difference) <= discordant <= 1:
        raise ValueError(f"a difference of {difference} among {discordant} discordant")
    if discordant == 0:
        return 0.0
    low, high = binom.ppf([1e-9, 1 - 1e-9], items, discordant)
    tosses = np.arange(max(int(low), 0), int(high) + 1)
    # The largest k with 2 P(X ≤ k) ≤ α for a fair coin; −1 when none is that rare.
    critical = binom.ppf(alpha / 2, tosses, 0.5)
    critical -= 2 * binom.cdf(critical, tosses, 0.5) > alpha
    heads = (discordant + difference) / (2 * discordant)
    rejects = binom.cdf(critical, tosses, heads) + binom.sf(tosses - critical - 1, tosses, heads)
    chance = binom.pmf(tosses, items, discordant) * np.where(critical < 0, 0.0, rejects)
    return float(chance.sum())


def _smallest(shown: Callable[[float], float], room: float, power: float) -> float | None:
    """The least change within ``room`` that is shown with the wanted power, by bisection."""
    if room <= 0 or shown(room) < power:
        return None
    low, high = 0.0, room
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (low, middle) if shown(middle) >= power else (middle, high)
    return high
