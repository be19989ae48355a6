"""Pictures of a training run, drawn from the trainer's log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

_TRAIN, _VALIDATION = "#2a6f97", "#d1495b"


def draw_curves(log: Sequence[Mapping[str, float]], folder: Path) -> None:
    """Write loss and token-accuracy curves as SVG and PNG into ``folder``.

    ``log`` is the trainer's history: entries with ``step`` and any of ``loss``, ``eval_loss``,
    ``mean_token_accuracy``, ``eval_mean_token_accuracy`` (nats and shares of supervised tokens).
    """
    _draw(log, "loss", "loss (nats a supervised token)", folder / "loss")
    _draw(log, "mean_token_accuracy", "share of supervised tokens predicted", folder / "accuracy")


def _draw(log: Sequence[Mapping[str, float]], key: str, label: str, target: Path) -> None:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # a fixed salt and no date: the same log gives the same bytes
    with mpl.rc_context({"svg.hashsalt": "medllm", "svg.fonttype": "none"}):
        figure = Figure(figsize=(7, 4), layout="constrained")
        axes = figure.add_subplot()
        for name, colour, marker, text in (
            (key, _TRAIN, "", "training"),
            (f"eval_{key}", _VALIDATION, "o", "validation"),
        ):
            points = [(entry["step"], entry[name]) for entry in log if name in entry]
            if points:
                steps, values = zip(*points, strict=True)
                axes.plot(steps, values, color=colour, marker=marker, markersize=5, label=text)
        axes.set_xlabel("optimiser step")
        axes.set_ylabel(label)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
        figure.savefig(target.with_suffix(".svg"), metadata={"Date": None})
        figure.savefig(target.with_suffix(".png"), dpi=150, metadata={"Software": None})
