"""card.html: one file that needs no other, in light, in dark and on paper.

Everything that comes from data is escaped by Jinja, and a content security policy forbids scripts
and the network, whatever a dialogue holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import StringIO
from typing import TYPE_CHECKING

from medllm.pipeline.data.split import SPLITS

if TYPE_CHECKING:
    from medllm.pipeline.data.reporting.card import CardFacts
    from medllm.pipeline.sources.record import Publish

_INK = "#010203"  # a colour that matplotlib draws and the page replaces by that of its text


def page(
    facts: CardFacts,
    *,
    publishing: Mapping[Publish, str],
    use: Sequence[str],
    limits: Sequence[str],
    examples: Sequence[Sequence[tuple[str, str]]],
) -> str:
    """The whole page; ``examples`` are (who, text) of each message."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["count"] = lambda number: f"{number:,}"
    rendered: str = environment.from_string(_PAGE).render(
        facts=facts,
        report=facts.report,
        dialogues=sum(split.dialogues for split in facts.report.splits.values()),
        splits=[(name, facts.report.splits[name]) for name in SPLITS],
        picture=Markup(_lengths(facts.tokens)) if facts.tokens else "",
        publishing=publishing,
        use=use,
        limits=limits,
        examples=examples,
        style=Markup(_STYLE),
    )
    return rendered.strip() + "\n"


def _lengths(tokens: Sequence[int]) -> str:
    """A histogram as an svg element in the colours of the page."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    inked = ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color")
    settings = {"svg.hashsalt": "medllm", "svg.fonttype": "none", "font.family": "sans-serif"}
    with mpl.rc_context({**settings, **dict.fromkeys(inked, _INK)}):
        figure = Figure(figsize=(7, 2.8), layout="constrained")
        axes = figure.subplots()
        width = max(tokens) // 50 + 1
        axes.hist(tokens, bins=range(0, max(tokens) + width + 1, width), color="#3d7ea6")
        axes.set(xlabel="tokens of a dialogue", ylabel="dialogues")
        axes.set_xlim(left=0)
        axes.spines[["top", "right"]].set_visible(False)
        file = StringIO()
        figure.savefig(
            file, format="svg", transparent=True, metadata={"Date": None, "Creator": None}
        )
    drawn = file.getvalue()
    svg = drawn[drawn.index("<svg") :].replace(_INK, "currentColor")
    return svg.replace("<svg", '<svg role="img" aria-label="Lengths of dialogues"', 1)


_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6776; --ground: #ffffff;
  --panel: #f3f6f9; --line: #d9e0e7; --mark: #1f5f8b; --patient: #e8eef4; --doctor: #dff0e6; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6ebf1; --soft: #9fabb8; --ground: #12171d;
  --panel: #1b222b; --line: #303a46; --mark: #7fb8de; --patient: #232d39; --doctor: #1d3429; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 2rem 1.25rem 4rem; color: var(--ink);
  background: var(--ground); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .75rem; color: var(--mark); }
h3 { font-size: 1rem; margin: 1.5rem 0 .5rem; }
.soft { color: var(--soft); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .75rem;
  margin: 1.5rem 0; }
.tile { background: var(--panel); border: 1px solid var(--line); border-radius: .6rem;
  padding: .75rem 1rem; }
.tile b { display: block; font-size: 1.35rem; font-variant-numeric: tabular-nums; }
.notice { border-left: .3rem solid var(--mark); background: var(--panel); padding: .75rem 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { text-align: left; vertical-align: top; padding: .4rem .7rem .4rem 0;
  border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
svg { max-width: 100%; height: auto; }
.talk { border: 1px solid var(--line); border-radius: .6rem; padding: 1rem; margin: 1rem 0; }
.says { max-width: 85%; border-radius: .9rem; padding: .55rem .9rem; margin: .4rem 0;
  white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: isolate; }
.says small { display: block; color: var(--soft); }
.Patient { background: var(--patient); border-bottom-left-radius: .2rem; }
.Doctor { background: var(--doctor); border-bottom-right-radius: .2rem; margin-left: auto; }
.System { color: var(--soft); font-style: italic; }
a { color: var(--mark); }
@media print { :root { color-scheme: light; --ink: #000; --soft: #444; --ground: #fff;
  --panel: #fff; --line: #999; --mark: #000; --patient: #fff; --doctor: #f2f2f2; }
  body { max-width: none; padding: 0; font-size: 10.5pt; }
  .tile, .says, .talk, tr, svg, .notice { break-inside: avoid; }
  .says { border: 1px solid #999; } h2, h3 { break-after: avoid; } .wide { overflow: visible; } }
"""

_PAGE = """\
{% macro table(head, rows, numbers) %}
<div class="wide"><table>
<thead><tr>
{% for cell in head %}
<th{{ ' class=n' if loop.index0 >= numbers }}>{{ cell }}</th>
{% endfor %}
</tr></thead>
<tbody>
{% for row in rows %}
<tr>
{% for cell in row %}
<td{{ ' class=n' if loop.index0 >= numbers }}>{{ cell }}</td>
{% endfor %}
</tr>
{% endfor %}
</tbody>
</table></div>
{% endmacro %}
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<title>Data card of {{ facts.run }}</title>
<style>{{ style }}</style>
</head>
<body>
<h1>Data card of {{ facts.run }}</h1>
<p class="soft">Prompt format {{ report.format }}, seed {{ report.seed }}, config
<code title="{{ facts.config_digest }}">{{ facts.config_digest[:12] }}</code></p>
<div class="tiles">
<div class="tile"><b>{{ dialogues|count }}</b>dialogues</div>
{% for name, split in splits %}
<div class="tile"><b>{{ split.dialogues|count }}</b>{{ name }}</div>
{% endfor %}
<div class="tile"><b>{{ report.sources|length }}</b>sources</div>
<div class="tile"><b>{{ report.privacy.replaced.values()|sum|count }}</b>identifiers replaced</div>
</div>
<p class="notice"><strong>{{ publishing[report.strictest] }}</strong>
The strictest of the sources&rsquo; terms says so.</p>

<h2>Intended use</h2>
<ul>{% for sentence in use %}<li>{{ sentence }}</li>{% endfor %}</ul>

<h2>Sources and terms</h2>
<div class="wide"><table>
<thead><tr><th>source</th><th>licence</th><th>what binds</th><th>publishing</th><th>cite</th></tr>
</thead>
<tbody>
{% for source in report.sources %}
<tr><td>{{ source.title }}</td><td>{{ source.terms.licence }}</td><td>{{ source.terms.clause }}
{% if source.terms.url.startswith(("https://", "http://")) %}
<a href="{{ source.terms.url }}" rel="noopener noreferrer">{{ source.terms.url }}</a>
{% else %}
{{ source.terms.url }}
{% endif %}
</td><td>{{ source.terms.publish }}</td><td>{{ source.citation }}</td></tr>
{% endfor %}
</tbody>
</table></div>

<h2>Rows</h2>
<div class="wide"><table>
<thead><tr><th>source</th><th>place</th><th class="n">weight</th><th class="n">read</th>
<th class="n">kept</th><th class="n">dropped</th></tr></thead>
<tbody>
{% for source in report.sources %}
<tr><td>{{ source.name }}</td><td>{{ source.place }}</td><td class="n">{{ source.weight }}</td>
<td class="n">{{ source.rows_read|count }}</td><td class="n">{{ source.rows_kept|count }}</td>
<td class="n">{{ (source.rows_read - source.rows_kept)|count }}</td></tr>
{% endfor %}
</tbody>
</table></div>
{% for source in report.sources if source.dropped or source.changes %}
<h3>{{ source.title }}</h3>
<div class="wide"><table>
<thead><tr><th>what</th><th>rule</th><th class="n">times</th></tr></thead>
<tbody>
{% for drop in source.dropped %}
<tr><td>dropped: {{ drop.kind }}</td><td>{{ drop.reason }}</td>
<td class="n">{{ drop.rows|count }}</td></tr>
{% endfor %}
{% for rule, times in source.changes.items() %}
<tr><td>changed</td><td>{{ rule }}</td><td class="n">{{ times|count }}</td></tr>
{% endfor %}
</tbody>
</table></div>
{% endfor %}

<h2>Splits and lengths</h2>
<div class="wide"><table>
<thead><tr><th>split</th><th class="n">dialogues</th><th class="n">turns</th>
<th class="n">median tokens</th><th class="n">99%</th><th class="n">longest</th></tr></thead>
<tbody>
{% for name, split in splits %}
<tr><td>{{ name }}</td><td class="n">{{ split.dialogues|count }}</td>
<td class="n">{{ split.turns|count }}</td><td class="n">{{ split.tokens.median|count }}</td>
<td class="n">{{ split.tokens.p99|count }}</td><td class="n">{{ split.tokens.max|count }}</td></tr>
{% endfor %}
</tbody>
</table></div>
{{ picture }}
{% if facts.specialties %}

<h2>Specialties, as the sources state them</h2>
{{ table(("specialty", "dialogues"), facts.specialties.items()|sort, 1) }}
{% endif %}

<h2>Identifiers</h2>
<p>Mode: {{ report.privacy.mode }}.
{% if report.privacy.replaced %}
Replaced in {{ report.privacy.dialogues|count }} dialogues.
{% endif %}
{% if report.privacy.residual %}
An independent scan of the finished files still finds what the second table says.
{% elif report.privacy.mode != "off" %}
An independent scan of the finished files finds nothing it knows.
{% endif %}
</p>
{% if report.privacy.replaced %}
{{ table(("type", "replaced"), report.privacy.replaced.items(), 1) }}
{% endif %}
{% if report.privacy.residual %}
{{ table(("still found", "times"), report.privacy.residual.items(), 1) }}
{% endif %}

<h2>Duplicates and evaluation</h2>
<p>Near duplicates (Jaccard similarity of word trigrams from {{ report.duplicates.threshold }}) are
dropped or share a split: {{ report.duplicates.groups|count }} groups,
{{ report.duplicates.largest_group|count }} dialogues in the largest. At most
{{ report.duplicates.uncompared|count }} pairs were not compared.
{% if report.evaluation_sets %}
No training dialogue repeats a question of the sets below.</p>
{{ table(("evaluation set", "sha256"), report.evaluation_sets.items(), 2) }}
{% else %}
The dialogues were compared with no evaluation set.</p>
{% endif %}

<h2>Limits</h2>
<ul>{% for sentence in limits %}<li>{{ sentence }}</li>{% endfor %}</ul>
{% if examples %}

<h2>Examples from train</h2>
<p class="soft">After identifiers were replaced; not medical advice.</p>
{% for messages in examples %}
<div class="talk">
{% for who, text in messages %}
<div class="says {{ who }}" dir="auto"><small>{{ who }}</small>{{ text }}</div>
{% endfor %}
</div>
{% endfor %}
{% endif %}
</body>
</html>
"""
