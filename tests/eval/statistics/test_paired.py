"""Statistics against published worked examples and SciPy."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, bootstrap

from medllm.eval.statistics import (
    PairedCounts,
    mcnemar,
    paired_bootstrap,
    paired_difference,
    wilson,
)

# Newcombe, Stat. Med. 17:857 (1998), table I, method 3
NEWCOMBE_SINGLE = [
    (81, 263, 0.2553, 0.3662),
    (15, 148, 0.0624, 0.1605),
    (0, 20, 0.0, 0.1611),
    (1, 29, 0.0061, 0.1718),
]
# Fagerland, Lydersen and Laake, Statistical Analysis of Contingency Tables (2017), chapter 8:
# "Newcombe square-and-add", for Bentur et al. (2009) and Cavo et al. (2012)
SQUARE_AND_ADD = [
    ((1, 1, 7, 12), -0.507, -0.026, 3),
    ((59, 6, 16, 80), -0.1186, -0.0046, 4),
]
counts = st.tuples(*[st.integers(0, 40)] * 4).filter(any)


@pytest.mark.parametrize(("right", "items", "low", "high"), NEWCOMBE_SINGLE)
def test_wilson_equals_the_published_table(right: int, items: int, low: float, high: float) -> None:
    assert wilson(right, items) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_equals_scipy(pair: tuple[int, int]) -> None:
    right, items = pair
    reference = binomtest(right, items).proportion_ci(0.95, method="wilson")
    assert wilson(right, items) == pytest.approx((reference.low, reference.high), abs=1e-9)


@given(counts)
def test_mcnemar_equals_the_binomial_test(table: tuple[int, int, int, int]) -> None:
    _, b, c, _ = table
    reference = binomtest(b, b + c, 0.5).pvalue if b + c else 1.0
    assert mcnemar(PairedCounts(*table)) == pytest.approx(reference, rel=1e-9)


def test_mcnemar_of_a_published_table() -> None:
    assert mcnemar(PairedCounts(1, 1, 7, 12)) == pytest.approx(18 / 256)  # Bentur et al.: 0.0703


@pytest.mark.parametrize(("table", "low", "high", "digits"), SQUARE_AND_ADD)
def test_paired_difference_equals_the_published_tables(
    table: tuple[int, int, int, int], low: float, high: float, digits: int
) -> None:
    interval = paired_difference(PairedCounts(*table))
    assert interval == pytest.approx((low, high), abs=0.51 * 10**-digits)


@given(counts)
def test_paired_difference_holds_the_difference_and_swaps_sign(
    table: tuple[int, int, int, int],
) -> None:
    a, b, c, d = table
    low, high = paired_difference(PairedCounts(a, b, c, d))
    swapped = paired_difference(PairedCounts(a, c, b, d))
    assert -1 - 1e-9 <= low <= (b - c) / sum(table) <= high <= 1 + 1e-9
    assert swapped == pytest.approx((-high, -low), abs=1e-12)


def test_equal_answers_still_leave_an_interval() -> None:
    low, high = paired_difference(PairedCounts(30, 0, 0, 30))
    assert low < 0 < high
    assert mcnemar(PairedCounts(30, 0, 0, 30)) == 1.0


@pytest.mark.slow
def test_paired_difference_covers_at_its_nominal_rate() -> None:
    """Simulated pairs with a known difference of 0.15 fall into the interval about 95% of times."""
    generator = np.random.default_rng(1)
    tables = generator.multinomial(100, [0.45, 0.25, 0.10, 0.20], size=4000)
    hits = [
        low <= 0.15 <= high
        for low, high in (paired_difference(PairedCounts(*map(int, t))) for t in tables)
    ]
    assert 0.935 <= np.mean(hits) <= 0.97


def test_pairs_are_counted_and_must_match() -> None:
    first, second = zip(*product([True, False], repeat=2), strict=True)
    assert PairedCounts.of(first, second) == (1, 1, 1, 1)
    with pytest.raises(ValueError, match="shorter"):
        PairedCounts.of([True], [])
    with pytest.raises(ValueError, match="counts"):
        paired_difference(PairedCounts(0, 0, 0, 0))


def test_bootstrap_agrees_with_scipy_and_follows_its_seed() -> None:
    generator = np.random.default_rng(0)
    values = list(generator.normal(0.3, 1.0, 150))
    ours = paired_bootstrap(values, [1.0] * 150, seed=7)
    reference = bootstrap(
        (values,), np.mean, method="percentile", n_resamples=10_000, rng=np.random.default_rng(3)
    ).confidence_interval
    assert ours == pytest.approx((reference.low, reference.high), abs=0.01)
    assert ours == paired_bootstrap(values, [1.0] * 150, seed=7)
    assert ours != paired_bootstrap(values, [1.0] * 150, seed=8)


def test_bootstrap_weighs_by_tokens() -> None:
    """Every item has the same loss a token, so any draw gives the same mean whatever its length."""
    tokens = [3.0, 40.0, 7.0, 100.0]
    low, high = paired_bootstrap([0.25 * n for n in tokens], tokens, seed=0, resamples=200)
    assert (low, high) == pytest.approx((0.25, 0.25))


def test_clustered_items_make_the_interval_wider() -> None:
    differences = [1.0] * 20 + [0.0] * 20 + [-1.0] * 20 + [1.0] * 20
    clusters = [index // 10 for index in range(80)]
    alone = paired_bootstrap(differences, [1.0] * 80, seed=0)
    together = paired_bootstrap(differences, [1.0] * 80, seed=0, clusters=clusters)
    assert together.high - together.low > 2 * (alone.high - alone.low)
    assert together.low < 0.25 < together.high
