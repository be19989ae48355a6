"""Many tasks and "not worse than": against statsmodels, a published example and simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import ttest_1samp
from statsmodels.stats.multitest import multipletests

from medllm.eval.statistics import (
    holm,
    non_inferior_mean,
    non_inferior_shares,
    tango,
)


@pytest.mark.parametrize("count", [1, 2, 7, 12])
def test_holm_is_that_of_statsmodels(count: int) -> None:
    p_values = (np.random.default_rng(count).random(count) ** 3).round(2).tolist()
    assert holm(p_values) == pytest.approx(list(multipletests(p_values, method="holm")[1]))


def test_holm_refuses_what_is_no_probability() -> None:
    assert holm([]) == []
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([0.2, 1.2])


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 30))
def test_tango_inverts_the_score_test(b: int, c: int, rest: int) -> None:
    """At both ends the score statistic, its nuisance share found by search, is ± 1.96."""
    if b + c + rest == 0:
        return
    items = b + c + rest
    low, high = tango(b, c, items)
    assert low <= (b - c) / items <= high

    def statistic(difference: float) -> float:
        def loss(second: float) -> float:
            shares = np.clip([second + difference, second, 1 - 2 * second - difference], 1e-300, 1)
            return -float(np.dot([b, c, rest], np.log(shares)))

        bounds = (max(0.0, -difference), (1 - difference) / 2)
        second = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-13}).x
        variance = items * (2 * second + difference * (1 - difference))
        return float((b - c - items * difference) / np.sqrt(variance))

    for edge in (low, high):
        if abs(edge) < 1 - 1e-6:
            assert abs(statistic(edge)) == pytest.approx(1.96, abs=2e-3)


def test_tango_without_discordant_items() -> None:
    z2 = 1.959964**2
    low, high = tango(0, 0, 50)
    assert (low, high) == pytest.approx((-z2 / (50 + z2), z2 / (50 + z2)), abs=1e-6)


def test_equal_answers_show_not_worse_only_in_a_set_large_enough() -> None:
    small, large = [True] * 30, [True] * 300
    assert not non_inferior_shares(small, small, 0.05).shown
    assert non_inferior_shares(large, large, 0.05).shown
    cases = [n // 10 for n in range(300)]
    assert not non_inferior_shares(large, large, 0.05, cases).shown  # 30 cases, not 300 items


def test_the_doubt_counts_against_the_release() -> None:
    generator = np.random.default_rng(0)
    old = generator.random(60) < 0.7
    new = np.where(generator.random(60) < 0.2, ~old, old)
    found = non_inferior_shares(new.tolist(), old.tolist(), 0.02)
    assert found.lower < found.difference
    assert not found.shown
    with pytest.raises(ValueError, match="margin"):
        non_inferior_shares([True], [True], -0.1)


@pytest.mark.parametrize(("loss", "most"), [(0.05, 0.04), (0.0, 1.0)])
def test_a_release_at_the_margin_passes_at_most_at_its_level(loss: float, most: float) -> None:
    """200 items, 14% discordant, true difference −loss against a margin of 0.05."""
    generator = np.random.default_rng(3)
    tables = generator.multinomial(200, [0.07 - loss / 2, 0.07 + loss / 2, 0.86], size=2000)
    passed = np.mean([tango(b, c, 200).low > -0.05 for b, c, _ in tables.tolist()])
    assert passed <= most
    assert passed >= (0.005 if loss else 0.3)


def test_scores_against_a_margin() -> None:
    values = np.random.default_rng(6).normal(-0.01, 0.1, 80).tolist()
    found = non_inferior_mean(values, 0.05)
    reference = ttest_1samp(values, -0.05, alternative="greater")
    assert found.lower == pytest.approx(ttest_1samp(values, 0).confidence_interval(0.95).low)
    assert found.shown == (reference.pvalue < 0.025)
    assert not non_inferior_mean([0.0, 0.0], 0.5, "aa").shown
