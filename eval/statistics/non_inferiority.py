"""Not worse than before, beyond a margin that was set beforehand.

"No significant difference" is no proof of "not worse": a small set shows nothing at all. Here the
doubt counts against the release: it must show that it loses less than the margin (ICH E9, 1998,
section 3.3.2; the 97.5% one-sided bound after its section 5.5, so it is the lower end of the usual
two-sided 95% interval).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from statistics import NormalDist
from typing import NamedTuple

from medllm.eval.statistics.clustered import clustered_mean, design_effect, t_quantile
from medllm.eval.statistics.paired import PairedCounts
from medllm.eval.statistics.proportions import Interval, require_counts

ALPHA = 0.025


class NonInferiority(NamedTuple):
    """A difference (new − old), how low it may be, and how low it was allowed to be."""

    difference: float
    lower: float  # one-sided confidence bound
    margin: float  # positive; the difference must lie above −margin

    @property
    def shown(self) -> bool:
        """Whether it is shown that the new one is not worse beyond the margin."""
        return self.lower > -self.margin


def non_inferior_shares(
    new: Sequence[bool],
    old: Sequence[bool],
    margin: float,
    clusters: Sequence[Hashable] | None = None,
    alpha: float = ALPHA,
) -> NonInferiority:
    """For right or wrong on the same items: the lower end of Tango's score interval.

    With ``clusters`` the counts are divided by the design effect of the differences, at least 1.
    Raises ValueError without items, for lists of different lengths, and for a margin below 0.
    """
    _require_margin(margin)
    counts = PairedCounts.of(new, old)
    items = sum(counts)
    require_counts(*counts)
    effect = 1.0
    if clusters is not None and len(set(clusters)) < items:
        steps = [float(one) - float(other) for one, other in zip(new, old, strict=True)]
        effect = design_effect(steps, clusters)
    lower, _ = tango(
        counts.first_only / effect, counts.second_only / effect, items / effect, 1 - 2 * alpha
    )
    return NonInferiority((counts.first_only - counts.second_only) / items, lower, margin)


def non_inferior_mean(
    differences: Sequence[float],
    margin: float,
    clusters: Sequence[Hashable] | None = None,
    weights: Sequence[float] | None = None,
    alpha: float = ALPHA,
) -> NonInferiority:
    """For scores: ``differences`` are new − old of each item, higher meaning better.

    The bound is mean − t · cluster-robust standard error; −∞ with a single cluster.
    """
    _require_margin(margin)
    groups = clusters if clusters is not None else range(len(differences))
    mean = clustered_mean(differences, groups, weights)
    if mean.clusters < 2:
        return NonInferiority(mean.value, -math.inf, margin)
    lower = mean.value - t_quantile(1 - alpha, mean.clusters - 1) * mean.standard_error
    return NonInferiority(mean.value, lower, margin)


def tango(
    first_only: float, second_only: float, items: float, confidence: float = 0.95
) -> Interval:
    """Score interval of (first − second) for shares right on the same items.

    Tango, Stat. Med. 17:891 (1998): all differences that the score test does not reject. It keeps
    its level in small sets and without any discordant item, where it reaches ± z² / (items + z²).
    Counts may be fractions (effective ones).
    """
    require_counts(first_only, second_only, items - first_only - second_only)
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    found = (first_only - second_only) / items

    def edge(inside: float, outside: float) -> float:
        for _ in range(60):
            middle = (inside + outside) / 2
            if abs(_tango_z(first_only, second_only, items, middle)) <= z:
                inside = middle
            else:
                outside = middle
        return inside

    return Interval(edge(found, -1.0), edge(found, 1.0))


def _tango_z(b: float, c: float, n: float, difference: float) -> float:
    """The score statistic of "the true difference is this": standard normal if it is."""
    linear = -b - c + (2 * n - b + c) * difference
    constant = -c * difference * (1 - difference)
    root = math.sqrt(max(linear**2 - 8 * n * constant, 0.0))
    second_alone = (root - linear) / (4 * n)  # its most likely share, given the difference
    variance = n * (2 * second_alone + difference * (1 - difference))
    gap = b - c - n * difference
    if variance <= 0:
        return 0.0 if abs(gap) < 1e-12 else math.copysign(math.inf, gap)
    return gap / math.sqrt(variance)


def _require_margin(margin: float) -> None:
    if not margin >= 0:
        raise ValueError(f"a margin must not be below 0: {margin}")
