"""Many tasks, many chances to find a difference that is none."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p values, in the order given (Holm, Scand. J. Stat. 6:65, 1979).

    Rejecting where the adjusted p is at most α keeps the chance of even one false "differs" among
    all tasks at α. Holm and not Hochberg or Benjamini–Hochberg, because those ask for independent
    or positively dependent tests, and the tasks are answered by one and the same model; not
    Bonferroni, because Holm rejects everything that it does, and more.

    A gate that asks "not worse on *every* task" needs no correction: it is an intersection–union
    test, which holds its level by itself (Berger, Technometrics 24:295, 1982).

    Raises ValueError for a p outside 0–1.
    """
    if not all(0 <= p <= 1 for p in p_values):
        raise ValueError(f"p values must lie between 0 and 1: {list(p_values)}")
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted
