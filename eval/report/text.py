"""An evaluation in words, in columns and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from medllm.eval.records import Difference, Share
from medllm.eval.results import Comparison, Results, Run

_MEASURES = """\
## What this measures, and what it does not

- **Questions** are multiple choice: the answer is the letter that is most probable as the first
  token of the reply, its spellings added up. Only when no letter is among the 20 most probable
  tokens is a reply generated and read. A reply that names no letter is *unscorable*: it is counted
  apart, and the accuracy counts it as not right.
- **Loss** is the mean negative log probability, in nats, of the doctor's own words (and of the end
  of the reply) in dialogues that nobody trained on; perplexity is its exponential. It says how
  well a model predicts this kind of dialogue, not whether advice is right.
- **Ends by itself** is the share of greedy replies that reach the end-of-sequence token within the
  token limit. A model that does not would talk on until it is cut.
- Intervals are 95%: Wilson for a share, Newcombe's method 10 for a difference on the same
  questions, a paired bootstrap over dialogues for a difference of losses. p is McNemar's exact
  two-sided test. Wilson, Newcombe and McNemar take questions as independent; where several are
  about one condition, the interval "by condition" draws whole conditions, and a model is called
  better or worse only when both intervals agree.
- Questions from the source of the training data measure whether that was learnt, and no more.
- Picking letters is not treating patients. Nothing here measures triage in free conversation,
  omissions, doses, or whether a clinician would agree: a good score is no clearance for use.
"""


def screen_table(results: Results, published: str) -> str:
    """The scores in plain columns, one model a line; * marks what the Modelfile names."""
    return _columns((_HEADINGS, *_rows(results, published)))


def markdown(results: Results, published: str) -> str:
    """The whole report."""
    lines = ["# Evaluation", ""]
    lines += _markdown_table((_HEADINGS, *_rows(results, published)))
    lines += ["", f"\\* what the Modelfile publishes: {published}.", "", *_how(results)]
    lines += ["", "## In words", ""]
    lines += [f"- {sentence}" for c in results.comparisons for sentence in _sentences(c)]
    lines += _floor(results)
    lines += _families(results)
    return "\n".join(lines) + "\n\n" + _MEASURES


def plot_accuracy(results: Results, path: Path) -> None:
    """Write the accuracy of every model, with its interval, as an SVG of the same bytes always."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    shares = {score.name: score.accuracy for score in results.scores if score.accuracy}
    figure = Figure(figsize=(6.4, 0.5 + 0.45 * len(shares)), layout="constrained")
    axes = figure.subplots()
    for place, share in enumerate(shares.values()):
        around = [[100 * (share.value - share.low)], [100 * (share.high - share.value)]]
        axes.errorbar(100 * share.value, place, xerr=around, fmt="o", color="#1f4e79", capsize=4)
    axes.set_yticks(range(len(shares)), list(shares))
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("questions right, % (95% interval)")
    axes.grid(axis="x", alpha=0.3)
    with rc_context({"svg.hashsalt": "medllm"}):
        figure.savefig(path, format="svg", metadata={"Date": None})


_HEADINGS = (
    "model",
    "MB",
    "right",
    "95% interval",
    "unscorable",
    "vs base",
    "95% interval",
    "McNemar p",
    "loss",
    "perplexity",
    "ends",
)


def _rows(results: Results, published: str) -> list[tuple[str, ...]]:
    against_base = {c.model: c for c in results.comparisons if c.against == _base(results)}
    rows: list[tuple[str, ...]] = []
    for run, score in zip(results.runs, results.scores, strict=True):
        compared = against_base.get(score.name)
        change = compared.accuracy if compared else None
        rows.append(
            (
                score.name + (" *" if score.name == published else ""),
                f"{run.bytes / 1e6:.1f}",
                _percent(score.accuracy.value) if score.accuracy else "–",
                _interval(score.accuracy) if score.accuracy else "–",
                str(score.unscorable) if score.accuracy else "–",
                _points(change.value) if change else "–",
                f"{_points(change.low)} to {_points(change.high)}" if change else "–",
                _p(compared.mcnemar_p).removeprefix("= ") if compared else "–",
                f"{score.loss.nats:.4f}" if score.loss else "–",
                f"{score.loss.perplexity:.4g}" if score.loss else "–",
                f"{score.ends_by_itself.count}/{score.ends_by_itself.items}"
                if score.ends_by_itself
                else "–",
            )
        )
    return rows


def _how(results: Results) -> list[str]:
    engines = [
        f"{engine} ({', '.join(run.served_as or run.name for run in group)})"
        for engine, group in _by_engine(results.runs)
    ]
    lines = ["## How", ""]
    if results.questions:
        items = len(results.runs[0].answers)
        lines += [f"- Questions: {items} of {results.questions}, run by {', '.join(engines)}."]
    else:
        lines += ["- No questions are configured (eval.questions): only loss is reported."]
    loss = results.scores[0].loss
    if loss:
        lines += [
            f"- Loss: {loss.tokens} tokens of {loss.dialogues} held-out dialogues, always by "
            "llama.cpp in this process on the same GGUF files (Ollama gives no log probabilities "
            f"of a prompt); {results.dialogues_shortened} shortened and "
            f"{results.dialogues_dropped} left out for a context of {results.context} tokens."
        ]
    system = " ".join((results.system or "none").split())
    return [*lines, f"- System message with every question, the Modelfile's: {system}"]


def _by_engine(runs: Sequence[Run]) -> list[tuple[str, list[Run]]]:
    engines = dict.fromkeys(run.engine for run in runs)
    return [(engine, [run for run in runs if run.engine == engine]) for engine in engines]


def _sentences(compared: Comparison) -> list[str]:
    names = f"**{compared.model}** against {compared.against}"
    sentences = []
    if compared.accuracy:
        text = (
            f"{names}: {_points(compared.accuracy.value)} points right "
            f"({_span(compared.accuracy)}; p {_p(compared.mcnemar_p)}); "
            f"{compared.only_model_right} questions only it got right, "
            f"{compared.only_against_right} only {compared.against}"
        )
        if compared.clustered:
            text += f"; by condition {_span(compared.clustered)}"
        sentences.append(f"{text}. {_verdict(compared)}")
    if compared.loss:
        loss = compared.loss
        sign = "lower" if loss.value < 0 else "higher"
        sentences.append(
            f"{names}: loss {abs(loss.value):.4f} nats a token {sign} "
            f"(95% interval of the difference {loss.low:+.4f} to {loss.high:+.4f})."
        )
    return sentences


def _floor(results: Results) -> list[str]:
    """Which models are not shown to beat one letter said to every question."""
    floor = results.one_letter
    low = [s.name for s in results.scores if floor and s.accuracy and s.accuracy.low <= floor.value]
    if floor is None or not low:
        return []
    text = f"One letter for every question gets {_percent(floor.value)}"
    return [f"- **{text}: not shown to do better than that: {', '.join(low)}.**"]


def _verdict(compared: Comparison) -> str:
    """What the intervals allow to say; the less sure one of the two decides."""
    intervals = [one for one in (compared.accuracy, compared.clustered) if one is not None]
    if min(interval.low for interval in intervals) > 0:
        return "It is better on these questions."
    if max(interval.high for interval in intervals) < 0:
        return "**It is worse on these questions.**"
    return "These questions do not tell the two apart."


def _families(results: Results) -> list[str]:
    names = list(dict.fromkeys(name for s in results.scores for name in s.families))
    if len(names) < 2:
        return []
    rows: list[tuple[str, ...]] = [("model", *names)]
    for score in results.scores:
        shares = [score.families[name] for name in names]
        rows.append((score.name, *(f"{_percent(s.value)} of {s.items}" for s in shares)))
    return ["", "## By kind of question", "", *_markdown_table(rows)]


def _base(results: Results) -> str:
    return results.scores[0].name


def _markdown_table(rows: Sequence[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return [lines[0], "|" + "---|" * len(rows[0]), *lines[1:]]


def _columns(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        name, *numbers = (
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join([name, *numbers]))
    return "\n".join(lines)


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%"


def _points(difference: float) -> str:
    return f"{100 * difference:+.1f}"


def _interval(share: Share) -> str:
    return f"{100 * share.low:.1f}–{100 * share.high:.1f}"


def _span(difference: Difference) -> str:
    return f"95% interval {_points(difference.low)} to {_points(difference.high)}"


def _p(p: float | None) -> str:
    if p is None:
        return "–"
    return "< 0.0001" if p < 1e-4 else f"= {p:.4f}"
