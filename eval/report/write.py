"""Everything that stage eval leaves for readers and for the stages after it."""

from __future__ import annotations

from pathlib import Path

from medllm.eval.records import Gate, Results, Speeds
from medllm.eval.report.text import markdown, plot_scores, screen_table
from medllm.pipeline.release.publish.gate import VERDICT, Verdict

RESULTS, SPEEDS = "results.json", "speed.json"


def write_report(results: Results, speeds: Speeds, folder: Path) -> str:
    """Write all files of an evaluation; returns the table for the screen."""
    table = screen_table(results)
    texts = {
        RESULTS: results.model_dump_json(indent=1) + "\n",
        SPEEDS: speeds.model_dump_json(indent=1) + "\n",
        VERDICT: verdict(results.gate).model_dump_json(indent=1) + "\n",
        "report.md": markdown(results),
        "report.txt": table + "\n",
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    plot_scores(results, folder / "accuracy.svg")
    return table


def verdict(gate: Gate) -> Verdict:
    """What stage push reads: why not, or what was held."""
    failed = [check.reason for check in gate.checks if not check.passed]
    held = [check.reason for check in gate.checks if check.asked]
    return Verdict(passed=gate.passed, reasons=failed or held, artefacts=gate.artefacts)
