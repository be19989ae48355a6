"""A privacy score in plain columns for a terminal and in Markdown for a document."""

from __future__ import annotations

from collections.abc import Sequence

from medllm.eval.records import Share
from medllm.pipeline.privacy.score import PrivacyScore, Row

_HEADINGS = (
    "",
    "found",
    "recall %",
    "95% interval",
    "characters %",
    "right",
    "precision %",
    "95% interval",
    "characters %",
)
_NOTES = (
    "Found: every character of the marked span (white space aside) lies in some found span, of "
    "whatever type. Right: a found span that touches a marked one. The second characters column is "
    "the share of what was taken that was marked.",
    "Typed: the same, but only found and marked spans of one kind count for each other.",
    "Intervals are Wilson's and take spans as independent; notes from one template are not.",
    "A high figure on these texts is no proof for others, and no statement about HIPAA.",
)
_NOT_MARKED = "marked, but free to stand"

_Rows = list[tuple[str, ...]]


def plain_text(score: PrivacyScore) -> str:
    """Every table in columns, then the first misses by place."""
    parts = [_headline(score)]
    for title, rows in _tables(score):
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines = [
            "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in rows
        ]
        parts.append("\n".join([title, *(line.rstrip() for line in lines)]))
    parts += [*_misses(score), "\n".join(_NOTES)]
    return "\n\n".join(parts) + "\n"


def markdown(score: PrivacyScore) -> str:
    """The same as a document."""
    parts = ["# De-identification", _headline(score)]
    for title, rows in _tables(score):
        lines = ["| " + " | ".join(row) + " |" for row in rows]
        lines.insert(1, "|---" + "|---:" * (len(rows[0]) - 1) + "|")
        parts += [f"## {title[0].upper()}{title[1:]}", "\n".join(lines)]
    parts += [*_misses(score), "\n".join(f"- {note}" for note in _NOTES)]
    return "\n\n".join(parts) + "\n"


def _headline(score: PrivacyScore) -> str:
    found, kept = score.all.found, score.hard_negatives_kept
    text = f"{score.file}: {score.texts} texts"
    text += f", {found.count} of {found.items} targets found" if found else ", no targets"
    if kept:
        text += f"; {kept.count} of {kept.items} hard negatives left alone ({_percent(kept)}%)"
    if score.moved:
        text += f"; {score.moved} marked spans were off by a little and put right"
    return text + "."


def _tables(score: PrivacyScore) -> list[tuple[str, _Rows]]:
    tables: list[tuple[str, _Rows]] = [
        ("by group", _cells(score.groups)),
        ("by type", _cells(score.types)),
        ("by group, typed", _cells(score.strict_groups)),
        ("by type, typed", _cells(score.strict_types)),
    ]
    if score.no_targets:
        rows: _Rows = [("", "spans", "touched")]
        for row in score.no_targets:
            rows.append((row.name, _items(row.found), _count(row.found)))
        tables.append((_NOT_MARKED, rows))
    return tables


def _cells(rows: Sequence[Row]) -> _Rows:
    return [
        _HEADINGS,
        *(
            (
                row.name,
                _fraction(row.found),
                _percent(row.found),
                _interval(row.found),
                _percent(row.characters_found),
                _fraction(row.right),
                _percent(row.right),
                _interval(row.right),
                _percent(row.characters_right),
            )
            for row in rows
        ),
    ]


def _misses(score: PrivacyScore) -> list[str]:
    if not score.misses:
        return []
    places = [f"{m.text}: {m.type} {m.start}-{m.end}" for m in score.misses]
    more = score.missed - len(score.misses)
    text = "Missed (text: type, characters): " + "; ".join(places)
    return [text + (f"; and {more} more." if more else ".")]


def _fraction(share: Share | None) -> str:
    return f"{share.count}/{share.items}" if share else "–"


def _count(share: Share | None) -> str:
    return str(share.count) if share else "–"


def _items(share: Share | None) -> str:
    return str(share.items) if share else "–"


def _percent(share: Share | None) -> str:
    return f"{100 * share.value:.1f}" if share else "–"


def _interval(share: Share | None) -> str:
    return f"{100 * share.low:.1f}–{100 * share.high:.1f}" if share else "–"
