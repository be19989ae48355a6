"""The licence gate: what the terms of the training data say to a public push.

Publishing asks ``require_publishable``; nothing here decides for the maintainer, it only refuses
to publish without the words that the terms call for. No legal advice.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from medllm.pipeline.config import TermsConfig
from medllm.pipeline.data.reporting.report import PrepareReport, SourceReport
from medllm.pipeline.errors import MedllmError


def read_report(prepared: Path) -> PrepareReport:
    """What stage prepare recorded of its sources. Raises MedllmError when it cannot be read."""
    path = prepared / "report.json"
    try:
        return PrepareReport.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise MedllmError(
            f"{path} does not say which data the model was trained on.", "Run `medllm prepare`."
        ) from error


def require_publishable(report: PrepareReport, config: TermsConfig, section: str = "push") -> None:
    """Refuse a public push of a model trained on these sources, unless their terms are met.

    Raises MedllmError naming the source and the clause: for a source that forbids publishing,
    whatever the config says; for one of unclear rights without ``reviewed`` in the config's
    ``section``; for one with conditions without ``acknowledged`` there; and for a name in either
    that is no source of the run, since a slip there would pass for consent.
    """
    sources = {source.name: source for source in report.sources}
    for key, names in (("acknowledged", config.acknowledged), ("reviewed", config.reviewed)):
        unknown = sorted(set(names) - sources.keys())
        if unknown:
            raise MedllmError(
                f"{section}.{key} names {unknown[0]}, which the model was not trained on.",
                f"Its sources are {', '.join(sorted(sources))}.",
            )
    for source in sources.values():
        _require(source, config, section)


def _require(source: SourceReport, config: TermsConfig, section: str) -> None:
    terms = source.terms
    what = (
        f"The model was trained on {source.name} ({terms.licence}): {terms.clause.rstrip('.')} "
        f"({terms.url})."
    )
    if terms.publish == "forbidden":
        raise MedllmError(what, "It must not be published; train without this source.")
    if terms.publish == "review" and not config.reviewed.get(source.name, "").strip():
        raise MedllmError(
            what,
            f"Have the rights reviewed and record who did, when and with what result under "
            f"{section}.reviewed.{source.name}.",
        )
    if terms.publish == "acknowledge" and source.name not in config.acknowledged:
        raise MedllmError(
            what, f"If you meet these terms, name {source.name} under {section}.acknowledged."
        )
