"""How sure a score is, how sure a difference is, and what a set of items could show at all.

Two models answer the same items, so they are compared item by item: a question that both get
right says nothing about which is better, and leaving that out of the comparison is what makes a
difference of a few points visible. Items that share a case are not independent, so they are
counted by case. Both after Miller, "Adding Error Bars to Evals", arXiv 2411.00640.
"""

from medllm.eval.statistics.clustered import (
    MeanEstimate,
    clustered_mean,
    clustered_share,
    clustered_sign_flip,
    design_effect,
)
from medllm.eval.statistics.multiplicity import holm
from medllm.eval.statistics.non_inferiority import (
    NonInferiority,
    non_inferior_mean,
    non_inferior_shares,
    tango,
)
from medllm.eval.statistics.paired import (
    PairedCounts,
    mcnemar,
    paired_bootstrap,
    paired_difference,
)
from medllm.eval.statistics.power import (
    detectable_mean,
    detectable_paired_shares,
    detectable_shares,
    mcnemar_power,
)
from medllm.eval.statistics.proportions import Z95, Interval, wilson

__all__ = [
    "Z95",
    "Interval",
    "MeanEstimate",
    "NonInferiority",
    "PairedCounts",
    "clustered_mean",
    "clustered_share",
    "clustered_sign_flip",
    "design_effect",
    "detectable_mean",
    "detectable_paired_shares",
    "detectable_shares",
    "holm",
    "mcnemar",
    "mcnemar_power",
    "non_inferior_mean",
    "non_inferior_shares",
    "paired_bootstrap",
    "paired_difference",
    "tango",
    "wilson",
]
