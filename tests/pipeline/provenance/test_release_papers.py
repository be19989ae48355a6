"""Facts, model card and bill of materials of one finished run."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from medllm.convert.fidelity.perplexity import Divergence, Estimate
from medllm.convert.fidelity.results import Fidelity, Quant, Text, Thresholds, Weighed
from medllm.pipeline.config import RunPaths
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.provenance.facts import ReleaseFacts, read_facts
from medllm.pipeline.provenance.model_card import model_card
from tests.finished_run import GGUF, complete_run


@pytest.fixture
def facts(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> ReleaseFacts:
    return read_facts(complete_run(RunPaths(tmp_path / "run"), monkeypatch, root))


def test_the_card_says_what_the_run_recorded(facts: ReleaseFacts) -> None:
    card = model_card(facts)
    assert "fine-tune of example/base at commit aaaaaaaa" in card
    assert facts.file.sha256 in card
    assert "| Invented \\| dialogues | 12 of 12 | CC-BY-4.0 |" in card
    assert "| medllm Q4\\_K\\_M (this model) | 75.0% (30.1–95.4) |" in card
    assert "| base F16 | 25.0% (4.6–69.9) |" in card
    assert "questions against base F16, on the same 4 items: +50.0 (" in card
    assert "3 replaced (surrogates)" in card
    assert "| learning\\_rate | 0.0002 |" in card
    assert "Not measured for this run." in model_card(replace(facts, fidelity=None))
    for heading in ("Intended use", "What it is not", "Limits", "Origin"):
        assert f"## {heading}\n" in card


def test_the_same_run_gives_the_same_bytes(facts: ReleaseFacts, tmp_path: Path, root: Path) -> None:
    pytest.importorskip("cyclonedx")
    from medllm.pipeline.provenance.bom import bill_of_materials

    again = read_facts(RunPaths(tmp_path / "run"))
    assert model_card(again) == model_card(facts)
    assert bill_of_materials(again) == bill_of_materials(facts)
    assert str(tmp_path) not in bill_of_materials(facts) + model_card(facts)


def test_the_bill_names_every_part(facts: ReleaseFacts) -> None:
    pytest.importorskip("cyclonedx")
    from medllm.pipeline.provenance.bom import bill_of_materials

    bill = json.loads(bill_of_materials(facts))  # the writer validates it against the schema
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    model = bill["metadata"]["component"]
    assert model["type"] == "machine-learning-model"
    assert model["hashes"] == [{"alg": "SHA-256", "content": facts.file.sha256}]
    (base,) = model["pedigree"]["ancestors"]
    assert (base["name"], base["version"]) == ("example/base", "a" * 40)
    card = model["modelCard"]
    (data,) = [part for part in bill["components"] if part["type"] == "data"]
    assert card["modelParameters"]["datasets"] == [{"ref": data["bom-ref"]}]
    assert data["licenses"] == [{"license": {"name": "CC-BY-4.0"}}]
    assert data["data"] == [{"type": "dataset", "name": "Invented | dialogues"}]
    assert {
        "type": "questions: right",
        "slice": "medllm Q4_K_M",
        "value": "0.75",
        "confidenceInterval": {"lowerBound": "0.300642", "upperBound": "0.954413"},
    } in card["quantitativeAnalysis"]["performanceMetrics"]
    packages = {part["name"]: part for part in bill["components"] if part["type"] == "library"}
    torch = facts.manifests["train"].packages["torch"]
    assert packages["torch"]["version"] == torch


def test_a_bill_that_is_not_valid_is_never_written(
    facts: ReleaseFacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("cyclonedx")
    from medllm.pipeline.provenance import bom

    monkeypatch.setattr(bom, "model_card_object", lambda *_: {"modelParameters": {"task": 3}})
    with pytest.raises(ValueError, match=r"not valid CycloneDX 1\.6"):
        bom.bill_of_materials(facts)


def test_memory_is_that_of_the_header(facts: ReleaseFacts) -> None:
    # one layer, two heads of 128, keys and values of 2 bytes, 2048 tokens
    assert facts.memory.kv_cache == 2048 * 1 * 2 * (128 + 128) * 2


def test_what_quantising_cost_is_shown(facts: ReleaseFacts) -> None:
    pytest.importorskip("cyclonedx")
    from medllm.pipeline.provenance.bom import bill_of_materials

    def divergence(kld: float) -> Divergence:
        return Divergence(
            perplexity=Estimate(value=2.0, error=0.1),
            log_ratio_error=0.01,
            mean_kld=Estimate(value=kld, error=0.001),
            kld_99=0.2,
            max_kld=1.0,
            same_top=Estimate(value=0.94, error=0.01),
        )

    def weighed(kld: float) -> Weighed:
        return Weighed(
            file_bytes=1, bits_per_weight=4.5, memory={}, speed=None, divergence=divergence(kld)
        )

    quant = Quant(
        **weighed(0.0127).model_dump(),
        type="Q4_K_M",
        imatrix=True,
        published=True,
        ppl_ratio=Estimate(value=1.01, error=0.002),
        missed=(),
    )
    measured = Fidelity(
        model="medllm",
        source_type="F16",
        source=weighed(0.0),
        text=Text(
            split="test", sources={}, dialogues=4, available=4, chunks=2, chunk_tokens=512,
            scored=1022, floored=0,
        ),
        imatrix=None,
        thresholds=Thresholds(max_mean_kld=0.05, min_same_top=0.9, max_ppl_ratio=1.05),
        quants=(quant, quant.model_copy(update={"type": "Q3_K_M", "published": False})),
        llama_cpp="b1",
    )  # fmt: skip
    with_it = replace(facts, fidelity=measured)
    card = model_card(with_it)
    assert "Against its own F16, on 1,022 held-out tokens" in card
    assert (
        "| Q4\\_K\\_M (this model) | 0.0127 (0.0107 to 0.0147) | 94.00% (92.04 to 95.96) | "
        "1.0100 (1.0061 to 1.0139) |"
    ) in card
    assert "Q3" not in card
    metrics = json.loads(bill_of_materials(with_it))["metadata"]["component"]["modelCard"][
        "quantitativeAnalysis"
    ]["performanceMetrics"]
    assert [one["value"] for one in metrics if one["slice"] == "Q4_K_M"] == ["0.0127", "0.94"]


def test_an_evaluation_of_another_file_is_refused(facts: ReleaseFacts, tmp_path: Path) -> None:
    results = tmp_path / "run" / "eval" / "results.json"
    results.write_text(
        results.read_text(encoding="utf-8").replace(facts.file.sha256, "1" * 64), encoding="utf-8"
    )
    with pytest.raises(MedllmError, match=f"did not score {GGUF}"):
        read_facts(RunPaths(tmp_path / "run"))


def test_a_run_that_is_not_finished(tmp_path: Path) -> None:
    with pytest.raises(MedllmError, match="Stage base has not completed"):
        read_facts(RunPaths(tmp_path))
