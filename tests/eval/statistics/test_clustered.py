"""Clustered means and shares against statsmodels, and by simulation."""

import itertools
import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

from medllm.eval.statistics import (
    PairedCounts,
    clustered_mean,
    clustered_share,
    clustered_sign_flip,
    design_effect,
    mcnemar,
    wilson,
)

grouped = st.lists(
    st.tuples(st.floats(-5, 5), st.integers(0, 6), st.floats(0.5, 4)), min_size=4, max_size=40
).filter(lambda rows: len({group for _, group, _ in rows}) > 1)


@given(grouped)
def test_the_standard_error_is_that_of_statsmodels(rows: list[tuple[float, int, float]]) -> None:
    values, groups, _ = map(list, zip(*rows, strict=True))
    fit = sm.OLS(values, np.ones(len(values))).fit(
        cov_type="cluster", cov_kwds={"groups": np.array(groups), "df_correction": True}
    )
    ours = clustered_mean(values, groups)
    assert ours.value == pytest.approx(fit.params[0], abs=1e-9)
    assert ours.standard_error == pytest.approx(fit.bse[0], abs=1e-9)


@given(grouped)
def test_weights_are_those_of_a_weighted_regression(rows: list[tuple[float, int, float]]) -> None:
    """Σ y / Σ w is the weighted mean of y/w: a token mean over dialogues."""
    means, groups, weights = map(list, zip(*rows, strict=True))
    fit = sm.WLS(means, np.ones(len(means)), weights=weights).fit(
        cov_type="cluster", cov_kwds={"groups": np.array(groups)}
    )
    ours = clustered_mean([m * w for m, w in zip(means, weights, strict=True)], groups, weights)
    assert ours.value == pytest.approx(fit.params[0], abs=1e-9)
    assert ours.standard_error == pytest.approx(fit.bse[0], abs=1e-9)


def test_single_items_give_the_usual_standard_error() -> None:
    values = list(np.random.default_rng(0).normal(size=30))
    from scipy.stats import ttest_1samp

    low, high = clustered_mean(values, range(30)).interval()
    reference = ttest_1samp(values, 0).confidence_interval()
    assert (low, high) == pytest.approx((reference.low, reference.high))


def test_one_cluster_says_nothing_about_others() -> None:
    mean = clustered_mean([1.0, 0.0, 1.0], "aaa")
    assert mean.interval() == (-math.inf, math.inf)
    with pytest.raises(ValueError, match="no item"):
        clustered_mean([], [])


@pytest.mark.parametrize("right", [0, 40])
def test_at_the_ends_copies_count_once(right: int) -> None:
    """0 of 40 in ten clusters of four is no surer than 0 of 10, and never a point."""
    answers = [index < right for index in range(40)]
    low, high = clustered_share(answers, [index // 4 for index in range(40)])
    few = wilson(right // 4, 10)
    assert high - low >= few.high - few.low
    assert (low == 0.0, high == 1.0) == (right == 0, right == 40)


def test_without_shared_cases_it_is_wilsons() -> None:
    answers = [True] * 13 + [False] * 7
    assert clustered_share(answers, range(20)) == wilson(13, 20)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 8)), min_size=1, max_size=60))
def test_sharing_cases_never_narrows(rows: list[tuple[bool, int]]) -> None:
    answers, groups = map(list, zip(*rows, strict=True))
    low, high = clustered_share(answers, groups)
    alone = wilson(sum(answers), len(answers))
    assert 0 <= low <= sum(answers) / len(answers) <= high <= 1
    assert high - low >= alone.high - alone.low - 1e-9
    assert 1 <= design_effect([float(a) for a in answers], groups) <= len(answers)


@pytest.mark.parametrize(("share", "least"), [(0.03, 0.88), (0.3, 0.92), (0.97, 0.88)])
def test_the_clustered_share_covers_where_wilson_does_not(share: float, least: float) -> None:
    """40 cases of 5 items, alike within a case (beta-binomial, correlation 0.4)."""
    generator = np.random.default_rng(5)
    ours = plain = 0
    runs, alpha = 400, share * (1 / 0.4 - 1)
    for _ in range(runs):
        chances = generator.beta(alpha, alpha * (1 - share) / share, 40)
        answers = (generator.random((40, 5)) < chances[:, None]).ravel().tolist()
        low, high = clustered_share(answers, np.repeat(np.arange(40), 5).tolist())
        ours += low <= share <= high
        low, high = wilson(sum(answers), 200)
        plain += low <= share <= high
    assert ours / runs >= least
    assert plain / runs < 0.88


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_the_sign_flip_of_single_items_is_mcnemar(pairs: list[tuple[bool, bool]]) -> None:
    steps = [float(a) - float(b) for a, b in pairs]
    counts = PairedCounts.of([a for a, _ in pairs], [b for _, b in pairs])
    assert clustered_sign_flip(steps, range(len(steps)), seed=0) == pytest.approx(mcnemar(counts))


@given(st.lists(st.tuples(st.integers(-1, 1), st.integers(0, 7)), min_size=1, max_size=30))
def test_the_sign_flip_is_the_share_of_all_patterns(rows: list[tuple[int, int]]) -> None:
    sums: dict[int, int] = {}
    for step, group in rows:
        sums[group] = sums.get(group, 0) + step
    totals = [
        abs(sum(s * v for s, v in zip(signs, sums.values(), strict=True)))
        for signs in itertools.product((-1, 1), repeat=len(sums))
    ]
    expected = np.mean([total >= abs(sum(sums.values())) for total in totals])
    steps, groups = [float(s) for s, _ in rows], [g for _, g in rows]
    assert clustered_sign_flip(steps, groups, seed=0) == pytest.approx(expected)


def test_a_drawn_sign_flip_agrees_with_scipy() -> None:
    from scipy.stats import permutation_test

    values = np.random.default_rng(2).normal(0.35, 1, 12)
    reference = permutation_test(
        (values,),
        lambda x, axis: x.mean(axis=axis),
        permutation_type="samples",
        n_resamples=np.inf,
        vectorized=True,
    ).pvalue
    ours = clustered_sign_flip(values.tolist(), range(12), seed=1)
    assert ours == pytest.approx(reference, abs=0.01)
    assert ours == clustered_sign_flip(values.tolist(), range(12), seed=1)


def test_the_sign_flip_holds_its_level_where_mcnemar_does_not() -> None:
    """Equal models, 30 cases of 6 items whose differences go together."""
    generator = np.random.default_rng(9)
    flips, plain, runs = 0, 0, 400
    cases = np.repeat(np.arange(30), 6).tolist()
    for _ in range(runs):
        lean = generator.choice([-1, 0, 1], 30, p=[0.2, 0.6, 0.2])
        steps = np.repeat(lean, 6) * (generator.random(180) < 0.7)
        flips += clustered_sign_flip(steps.tolist(), cases, seed=0) <= 0.05
        counts = PairedCounts(0, int((steps > 0).sum()), int((steps < 0).sum()), 0)
        plain += mcnemar(counts) <= 0.05 if counts.first_only + counts.second_only else 0
    assert flips / runs <= 0.075
    assert plain / runs > 0.2
