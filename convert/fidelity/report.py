"""A fidelity measurement in words, in columns and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from medllm.convert.fidelity.perplexity import Estimate
from medllm.convert.fidelity.results import (
    CONTEXTS,
    GIB,
    LAPTOPS,
    LITTLE,
    Fidelity,
    Laptop,
    Quant,
    Weighed,
    recommended,
)
from medllm.convert.fidelity.speed import GENERATED, PROMPT, REPEATS, Speed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MEASURES = f"""\
## What this measures, and what it does not

- **KLD** is the Kullback–Leibler divergence of the quant's next-token probabilities from the
  full-precision model's, in nats, token by token: 0 is no change. **Same top** is the share of
  tokens where both find the same token most probable. Both by llama.cpp's llama-perplexity, over
  the second half of each piece of text, the patient's words as well as the doctor's.
- The text is held-out dialogues in the prompt format of training, control tokens as their own ids.
- ± is one standard error with tokens taken as independent; within a dialogue they are not quite,
  so the truth is somewhat less sure. A quant is offered only when the far end of its 95% interval
  holds every threshold: little text makes that harder, not easier.
- **PPL ratio** is the quant's perplexity over the full-precision model's. A fine-tune is compared
  with itself, never with another model. Its ± is paired, and approximate where the file of the
  full-precision model rounds improbable tokens up.
- **Memory** is expected, not measured: all tensors + KV cache (num_ctx × layers × KV heads × (key
  + value length) × 2 bytes) + compute buffer (512 × 4 bytes × the larger of vocabulary + 2 × width
  and (heads + 1) × num_ctx + 8 × width). Programs around the model come on top.
- **Tokens a second** are medians of {REPEATS} runs of llama-bench on this machine: a prompt of
  {PROMPT} tokens, a reply of {GENERATED}. Another machine has other figures.
- It says how near a file is to the model that was evaluated, not whether that model is any good.
"""
_HEADINGS = (
    *("quant", "imatrix", "MB", "bits", "PPL ratio ±", "mean KLD ±", "99% KLD", "max KLD"),
    *("same top % ±", *(f"memory at {context}" for context in CONTEXTS), "prompt t/s", "reply t/s"),
    "verdict",
)


def screen_table(report: Fidelity) -> str:
    """The figures in plain columns, one file a line, and which one fits which laptop."""
    lines = [_columns((_HEADINGS[:-1], *(row[:-1] for row in _rows(report))))]
    lines += ["", *_verdicts(report), *_notes(report)]
    return "\n".join([*lines, *(_words(report, laptop) for laptop in LAPTOPS)])


def markdown(report: Fidelity) -> str:
    """The whole report."""
    table = (_HEADINGS, *_rows(report))
    head, *body = ("| " + " | ".join(row) + " |" for row in table)
    lines = [f"# Fidelity of {report.model}", "", head, "|" + "---|" * len(_HEADINGS), *body]
    lines += ["", "![size against divergence](fidelity.svg)", "", "## Which one", ""]
    lines += [f"- {_words(report, laptop)}" for laptop in LAPTOPS]
    text, limits = report.text, report.thresholds
    sources = ", ".join(f"{name} ({count})" for name, count in text.sources.items())
    lines += [
        *("", "## How", ""),
        f"- Text: {text.dialogues} of {text.available} dialogues of the {text.split} split "
        f"({sources}); {text.chunks} pieces of {text.chunk_tokens} tokens, {text.scored} tokens "
        "compared.",
        *(f"- {note}" for note in _notes(report)),
        f"- Importance matrix: {report.imatrix or 'none'}.",
        f"- Offered when mean KLD ≤ {limits.max_mean_kld:g}, same top ≥ {limits.min_same_top:.1%} "
        f"and PPL ratio ≤ {limits.max_ppl_ratio:g}.",
        f"- The {report.source_type} measured against itself shows the noise of the method: mean "
        f"KLD {report.source.divergence.mean_kld.value:z.6f}.",
        f"- {report.llama_cpp}.",
    ]
    return "\n".join(lines) + "\n\n" + _MEASURES


def plot(report: Fidelity, folder: Path) -> None:
    """Write fidelity.png and fidelity.svg: file size against mean KLD, on a logarithmic axis."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    axes.set_yscale("log")
    for imatrix in (False, True):
        _points(axes, [quant for quant in report.quants if quant.imatrix == imatrix], imatrix)
    for kind in dict.fromkeys(quant.type for quant in report.quants):
        both = [quant for quant in report.quants if quant.type == kind]
        best = min(both, key=lambda quant: quant.divergence.mean_kld.value)
        place = (best.file_bytes / 1e6, _drawn(best))
        axes.annotate(
            *(kind, place, (0, 8)),
            textcoords="offset points",
            rotation=90,
            ha="center",
            va="bottom",
            fontsize=8,
        )
    limit = report.thresholds.max_mean_kld
    axes.axhline(limit, color="#808080", linestyle="--", linewidth=1)
    axes.annotate(
        f"offered below {limit:g}",
        *((1, limit), (-4, 3)),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        ha="right",
        fontsize=8,
        color="#606060",
    )
    axes.margins(x=0.08, y=0.16)
    axes.set_xlabel("file size, MB (10⁶ bytes)")
    axes.set_ylabel(f"mean KL divergence from {report.source_type}, nats a token")
    axes.set_title(f"{report.model}: size against divergence (bars: 95% interval)", fontsize=10)
    axes.grid(alpha=0.3, which="both", linewidth=0.5)
    axes.legend(fontsize=8)
    with rc_context({"svg.hashsalt": "medllm"}):
        figure.savefig(folder / "fidelity.svg", format="svg", metadata={"Date": None})
    figure.savefig(folder / "fidelity.png", dpi=150)


def _points(axes: Axes, group: Sequence[Quant], imatrix: bool) -> None:
    if not group:
        return
    colour = "#1f4e79" if imatrix else "#c55a11"
    klds = [quant.divergence.mean_kld for quant in group]
    heights = [_drawn(quant) for quant in group]
    # A logarithmic axis has no place for an interval that reaches zero.
    below = [min(1.96 * kld.error, 0.9 * height) for kld, height in zip(klds, heights, strict=True)]
    above = [1.96 * kld.error for kld in klds]
    axes.errorbar(
        [quant.file_bytes / 1e6 for quant in group],
        heights,
        yerr=[below, above],
        fmt="o",
        color=colour,
        markerfacecolor=colour if imatrix else "white",
        markersize=5 if imatrix else 9,
        capsize=3,
        label="with importance matrix" if imatrix else "without",
    )


def _drawn(quant: Quant) -> float:
    """A divergence that a logarithmic axis can show; rounding may make the smallest ones ≤ 0."""
    return max(quant.divergence.mean_kld.value, 1e-6)


def _rows(report: Fidelity) -> list[tuple[str, ...]]:
    source = report.source
    rows = [_row(source, report.source_type, "", Estimate(value=1, error=0), "the reference")]
    for quant in report.quants:
        imatrix = "yes" if quant.imatrix else "no"
        rows.append(_row(quant, quant.type, imatrix, quant.ppl_ratio, quant.verdict))
    return rows


def _row(file: Weighed, name: str, imatrix: str, ratio: Estimate, verdict: str) -> tuple[str, ...]:
    divergence = file.divergence
    same = divergence.same_top
    return (
        name,
        imatrix,
        f"{file.file_bytes / 1e6:.1f}",
        f"{file.bits_per_weight:.2f}",
        f"{ratio.value:.4f} ± {ratio.error:.4f}",
        f"{divergence.mean_kld.value:z.5f} ± {divergence.mean_kld.error:.5f}",
        f"{divergence.kld_99:.4f}",
        f"{divergence.max_kld:.3f}",
        f"{100 * same.value:.2f} ± {100 * same.error:.2f}",
        *(_size(file.memory[context]) for context in CONTEXTS),
        *_speeds(file.speed),
        verdict,
    )


def _speeds(speed: Speed | None) -> tuple[str, str]:
    return (f"{speed.prompt:.4g}", f"{speed.generation:.4g}") if speed else ("–", "–")


def _size(size: int) -> str:
    return f"{size / GIB:.2f} GiB" if size >= GIB else f"{size / 2**20:.1f} MiB"


def _verdicts(report: Fidelity) -> list[str]:
    return [f"{quant.type}: {quant.verdict}" for quant in report.quants if quant.published]


def _notes(report: Fidelity) -> list[str]:
    text, notes = report.text, []
    if text.scored < LITTLE:
        notes.append(
            f"Little text: {text.scored} tokens are compared, {LITTLE} or more would say more."
        )
    if text.floored:
        notes.append(
            f"{text.floored} of {text.scored} tokens were so improbable that the file of the "
            "full-precision model rounds them up; perplexities are not affected."
        )
    return notes


def _words(report: Fidelity, laptop: Laptop) -> str:
    start = f"On a laptop with {laptop.gigabytes} GB (num_ctx {laptop.context}): "
    quant = recommended(report, laptop)
    if quant is None:
        return (
            f"{start}none of the offered quants leaves {laptop.reserve} GB for the system; take a "
            "smaller model or a smaller quant."
        )
    needed = quant.memory[laptop.context] / GIB
    return (
        f"{start}{quant.type}. It is expected to take {_size(quant.memory[laptop.context])} and "
        f"leaves {laptop.gigabytes - needed:.1f} GiB for the system; of the offered ones that "
        f"leave at least {laptop.reserve} it is nearest to the {report.source_type}."
    )


def _columns(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place < 2 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
