"""What a set could show: against statsmodels, closed formulas and simulation."""

import math

import numpy as np
import pytest
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import power_proportions_2indep

from medllm.eval.statistics import (
    PairedCounts,
    detectable_mean,
    detectable_paired_shares,
    detectable_shares,
    mcnemar,
    mcnemar_power,
)


def test_means_against_statsmodels() -> None:
    effect = NormalIndPower(ddof=0).solve_power(nobs1=400, alpha=0.05, power=0.8, ratio=0)
    assert detectable_mean(1 / math.sqrt(400)) == pytest.approx(effect, abs=1e-4)


@pytest.mark.parametrize(("items", "share"), [(200, 0.6), (1000, 0.3), (60, 0.9)])
def test_unpaired_shares_have_their_power_by_statsmodels(items: int, share: float) -> None:
    change = detectable_shares(items, items, share)
    assert change is not None
    powers = []
    for sign in (1, -1):
        if 0 <= share + sign * change <= 1:
            found = power_proportions_2indep(
                sign * change, share, items, ratio=1, alpha=0.05, return_results=False
            )
            powers.append(float(found))
    assert max(powers) == pytest.approx(0.8, abs=0.01)


def test_the_power_of_mcnemar_is_what_simulation_finds() -> None:
    generator = np.random.default_rng(4)
    tables = generator.multinomial(150, [0.16, 0.06, 0.78], size=3000)
    shown = np.mean([mcnemar(PairedCounts(c, a, b, 0)) <= 0.05 for a, b, c in tables.tolist()])
    assert mcnemar_power(150, 0.22, 0.10) == pytest.approx(shown, abs=0.03)


def test_the_paired_difference_that_is_promised_is_shown() -> None:
    change = detectable_paired_shares(400, 80)
    assert change is not None
    share = (80 + 1.92) / (400 + 3.84)
    assert mcnemar_power(400, share, change) == pytest.approx(0.8, abs=1e-3)
    # Connett, Smith and McHugh, Stat. Med. 6:449 (1987): the usual normal approximation
    spread = 1.96 * math.sqrt(share) + 0.8416 * math.sqrt(share - change**2)
    assert change == pytest.approx(spread / math.sqrt(400), rel=0.08)


def test_more_items_show_less_and_too_few_show_nothing() -> None:
    found = [detectable_paired_shares(n, n // 5) for n in (60, 200, 1000, 5000)]
    assert found == sorted(found, key=lambda one: -(one or 0))
    assert detectable_paired_shares(5, 2) is None
    assert detectable_shares(3, 3, 0.5) is None
    assert mcnemar_power(100, 0.0, 0.0) == 0.0
    with pytest.raises(ValueError, match="difference"):
        mcnemar_power(100, 0.1, 0.2)


def test_without_any_discordant_item_nothing_is_promised_for_free() -> None:
    change = detectable_paired_shares(300, 0)
    assert change is None or change > 0.005
