"""A run that is complete up to eval, around a model small enough to load in a moment."""

from collections.abc import Callable
from pathlib import Path

import pytest

from medllm.convert.fidelity import results as fidelity
from medllm.eval.gate import Evidence, judge
from medllm.eval.records import (
    Card,
    Engine,
    Measure,
    ModelRecord,
    Results,
    Role,
    Sample,
    TaskRecord,
)
from medllm.eval.scores import compare_all, task_run
from medllm.eval.tasks.choice import choice_items, one_letter
from medllm.eval.tasks.choice_files import Question
from medllm.pipeline.config import (
    BaseConfig,
    ConvertConfig,
    CreateConfig,
    EvalConfig,
    FidelityConfig,
    GateConfig,
    MergeConfig,
    ModelfileConfig,
    PrepareConfig,
    QuantizeConfig,
    RunPaths,
    Section,
    SourceConfig,
    TrainConfig,
)
from medllm.pipeline.data.reporting.report import (
    DuplicateReport,
    Lengths,
    PrepareReport,
    PrivacyReport,
    SourceReport,
    SplitReport,
)
from medllm.pipeline.data.split import SPLITS
from medllm.pipeline.files import sha256_file
from medllm.pipeline.manifest import Work, stage
from medllm.pipeline.release.modelfile_syntax import read_modelfile
from medllm.pipeline.sources.record import Publish, Terms
from medllm.pipeline.stages import INPUTS
from tests.ollama_server import write_tiny_gguf

GGUF = "medllm-q4_k_m.gguf"
LICENCE = "Invented base licence, for tests only.\nSecond line."


def prepare_report(publish: Publish = "allowed") -> PrepareReport:
    """One invented source of twelve rows."""
    lengths = Lengths(median=10, p90=10, p99=10, max=10)
    split = SplitReport(
        dialogues=4,
        by_source={"invented": 4},
        turns=8,
        with_system=0,
        characters=lengths,
        tokens=lengths,
    )
    source = SourceReport(
        name="invented",
        title="Invented | dialogues",
        place="data/invented.json",
        terms=Terms("CC-BY-4.0", "Name the authors.", "https://example.org/terms", publish),
        citation="Nobody, 2026.",
        weight=1.0,
        format="llama2",
        rows_read=12,
        rows_kept=12,
        dropped=(),
        changes={},
    )
    return PrepareReport(
        seed=0,
        format="llama2",
        sources=(source,),
        splits=dict.fromkeys(SPLITS, split),
        privacy=PrivacyReport(
            mode="surrogates", replaced={"NAME": 3}, dialogues=2, residual={}, residual_first={}
        ),
        duplicates=DuplicateReport(threshold=0.8, groups=12, largest_group=1, uncompared=0),
        evaluation_sets={"questions.jsonl": "0" * 64},
    )


def fidelity_report(offered: tuple[str, ...]) -> fidelity.Fidelity:
    """Both quants measured; only some hold the thresholds."""

    def estimate(value: float) -> dict[str, float]:
        return dict.fromkeys(fidelity.Estimate.model_fields, value)

    divergence = {
        name: estimate(0.01) if field.annotation is fidelity.Estimate else 0.01
        for name, field in fidelity.Divergence.model_fields.items()
    }
    weighed = {
        "file_bytes": 10,
        "bits_per_weight": 4.5,
        "memory": {2048: 2**30, 4096: 2**30},
        "speed": None,
        "divergence": divergence,
    }
    quants = [
        {
            **weighed,
            "type": type_,
            "imatrix": True,
            "published": True,
            "ppl_ratio": estimate(1.0),
            "missed": () if type_ in offered else ("too far off",),
        }
        for type_ in ("Q8_0", "Q4_K_M")
    ]
    text = dict.fromkeys(fidelity.Text.model_fields, 1) | {"split": "test", "sources": {}}
    thresholds = {"max_mean_kld": 0.05, "min_same_top": 0.9, "max_ppl_ratio": 1.05}
    return fidelity.Fidelity.model_validate(
        {
            "model": "medllm",
            "source_type": "F16",
            "source": weighed,
            "text": text,
            "imatrix": None,
            "thresholds": thresholds,
            "quants": quants,
            "llama_cpp": "x",
        }
    )


def evaluation(gguf: Path) -> Results:
    """The base gets one of four questions right, the published file three; all but safety holds."""
    questions = [
        Question(id=f"q{n}", question="Yes?", options=["yes", "no"], answer="A") for n in range(4)
    ]
    card = Card(title="Questions", measures="right", does_not="more", licence="own", source="own")
    right = Measure(name="right", unit="share")
    task = TaskRecord(
        name="questions",
        kind="choice",
        card=card,
        measure=right,
        data="questions.jsonl",
        sha256="0" * 64,
        gating=True,
        floor=one_letter(questions),
        items=choice_items(questions),
    )

    def model(name: str, role: Role, right: int, sha256: str) -> ModelRecord:
        samples = tuple(
            Sample(id=q.id, score=float(n < right), answer="A" if n < right else "B")
            for n, q in enumerate(questions)
        )
        return ModelRecord(
            name=name,
            role=role,
            file=f"quantize/{gguf.name}",
            sha256=sha256,
            bytes=gguf.stat().st_size,
            engine=Engine(program="test"),
            runs=(task_run(task, samples, {"coverage": 1.0}),),
        )

    models = (
        model("base F16", "base", 1, "0" * 64),
        model("medllm Q4_K_M", "published", 3, sha256_file(gguf)),
    )
    comparisons = compare_all([task], models, seed=0)
    gate = judge(Evidence(GateConfig(claims=()), [task], models, comparisons, [], True))
    return Results(
        seed=0,
        format="llama2",
        system=None,
        context=512,
        published="medllm Q4_K_M",
        tasks=(task,),
        models=models,
        comparisons=comparisons,
        gate=gate,
    )


def complete_run(
    paths: RunPaths,
    monkeypatch: pytest.MonkeyPatch,
    root: Path,
    *,
    publish: Publish = "allowed",
    name: str = "medllm",
    says: int | None = None,
) -> RunPaths:
    """Complete every stage from base to eval with the smallest files that later stages read."""

    def complete(stage_name: str, config: Section, write: Callable[[Path], None]) -> None:
        with monkeypatch.context() as patch:
            patch.setitem(INPUTS, stage_name, {})  # type: ignore[arg-type]  # without its upstream
            stage(stage_name, config, paths, lambda work: _write(work, write))

    def adapter(folder: Path) -> None:
        (folder / "adapter").mkdir()
        (folder / "adapter" / "adapter_model.safetensors").write_bytes(b"adapter")

    source = SourceConfig(name="healthcaremagic", path=Path("data/invented.json"))
    base = BaseConfig(source="example/base", revision="a" * 40)
    complete("base", base, lambda f: _text(f / "LICENSE.txt", LICENCE))
    complete(
        "prepare",
        PrepareConfig(sources=(source,)),
        lambda f: _text(f / "report.json", prepare_report(publish).model_dump_json()),
    )
    complete("train", TrainConfig(), adapter)
    complete("merge", MergeConfig(), lambda f: _text(f / "config.json", "{}"))
    complete("convert", ConvertConfig(), lambda f: _text(f / "medllm-f16.gguf", "not read"))
    complete(
        "quantize",
        QuantizeConfig(types=("Q4_K_M",)),
        lambda f: (write_tiny_gguf(f / GGUF, says=says), None)[1],
    )
    measured = fidelity_report(("Q4_K_M",)).model_dump_json()
    complete("fidelity", FidelityConfig(), lambda f: _text(f / "fidelity.json", measured))
    edited = read_modelfile(root / "Modelfile")
    filled = edited.model_copy(
        update={"source": f"../quantize/{GGUF}", "licenses": (*edited.licenses, LICENCE)}
    )
    complete("modelfile", ModelfileConfig(), lambda f: _text(f / "Modelfile", filled.text()))
    complete("create", CreateConfig(name=name), lambda f: _text(f / "receipt.json", "{}"))
    results = evaluation(paths.stage("quantize") / GGUF)

    def scores(folder: Path) -> None:
        _text(folder / "results.json", results.model_dump_json())
        _text(folder / "report.md", "# Evaluation\n")

    complete("eval", EvalConfig(), scores)
    return paths


def _write(work: Work, write: Callable[[Path], None]) -> None:
    write(work.dir)


def _text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
