import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medllm.convert.fidelity import stage as fidelity_stage
from medllm.convert.fidelity.perplexity import Divergence, Estimate
from medllm.convert.fidelity.report import markdown, plot, screen_table
from medllm.convert.fidelity.results import (
    GIB,
    LAPTOPS,
    Fidelity,
    Quant,
    Text,
    Thresholds,
    Weighed,
    missed,
    offered,
    recommended,
)
from medllm.convert.fidelity.stage import fidelity
from medllm.pipeline.config import FidelityConfig, RunPaths
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.manifest import Manifest
from tests.convert.fidelity.made import dialogue

pytest_plugins = ("tests.small_model", "tests.convert.fidelity.quant_run")


@pytest.fixture(scope="module")
def measured(
    quant_run: RunPaths, tmp_path_factory: pytest.TempPathFactory
) -> tuple[RunPaths, Manifest]:
    folder = tmp_path_factory.mktemp("measured") / "run"
    shutil.copytree(quant_run.root, folder)
    paths = RunPaths(folder)
    return paths, fidelity(FidelityConfig(seed=3, chunks=50), paths)


def test_quants_of_a_real_model(measured: tuple[RunPaths, Manifest]) -> None:
    paths, manifest = measured
    report = Fidelity.model_validate_json((paths.stage("fidelity") / "fidelity.json").read_bytes())
    assert [(q.type, q.imatrix, q.published) for q in report.quants] == [
        ("Q8_0", False, True),
        ("Q4_K_M", True, True),
        ("Q4_K_M", False, False),
    ]
    q8, q4, plain = report.quants
    assert 0 < q8.divergence.mean_kld.value < q4.divergence.mean_kld.value
    assert q4.divergence.mean_kld.value != plain.divergence.mean_kld.value
    assert q8.ppl_ratio.value == pytest.approx(1, abs=0.02)
    assert q8.speed is not None
    assert plain.speed is None
    assert report.text.chunks == report.text.scored / 127 >= 5
    assert offered(report) == manifest.report["offered"]
    assert set(manifest.outputs) == {f"fidelity.{e}" for e in ("json", "md", "txt", "png", "svg")}


def test_scratch_quants_are_gone(measured: tuple[RunPaths, Manifest]) -> None:
    paths, _ = measured
    assert not list(paths.root.glob("fidelity/**/*.gguf"))
    assert not list(paths.root.glob(".fidelity.partial"))


def test_the_report_says_that_the_text_is_little(measured: tuple[RunPaths, Manifest]) -> None:
    paths, _ = measured
    assert "Little text: " in (paths.stage("fidelity") / "fidelity.txt").read_text()
    assert "of the test split (made (40))" in (paths.stage("fidelity") / "fidelity.md").read_text()


def test_an_empty_test_split_is_one_clear_line(make_run: Callable[..., RunPaths]) -> None:
    train = "".join(dialogue(n) for n in range(60))
    paths = _with_quants(make_run(train, ""))
    with pytest.raises(MedllmError, match=r"test\.jsonl holds no dialogue\. Give prepare more"):
        fidelity(FidelityConfig(seed=3), paths)
    assert not (paths.root / ".fidelity.partial").exists()
    paths = _with_quants(make_run(train, dialogue(1)))
    with pytest.raises(MedllmError, match=r"test\.jsonl holds \d+ tokens; .* pieces of 256"):
        fidelity(FidelityConfig(seed=3), paths)


def test_a_disk_too_small_is_said_before_work(
    copied: RunPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(copied.root)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10**6))
    with pytest.raises(MedllmError, match=r"Stage fidelity needs 0\.\d GB of disk"):
        fidelity(FidelityConfig(seed=3), copied)


def test_a_model_that_disagrees_with_itself(
    copied: RunPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = divergence(0.2, ppl=30.0)
    monkeypatch.setattr(fidelity_stage, "measure", lambda *_: wrong)
    with pytest.raises(MedllmError, match=r"against its own predictions: mean KLD 0\.2"):
        fidelity(FidelityConfig(seed=3), copied)


def test_the_far_end_of_the_interval_decides() -> None:
    config = FidelityConfig()
    assert missed(divergence(0.04, error=0.004), ratio(1.0), config) == ()
    (miss,) = missed(divergence(0.04, error=0.006), ratio(1.0), config)
    assert miss == "mean KLD may be 0.0518, over 0.05"
    (miss,) = missed(divergence(0.01, same=0.91, same_error=0.01), ratio(1.0), config)
    assert miss == "same top token may be 89.0%, under 90.0%"
    (miss,) = missed(divergence(0.01), ratio(1.06), config)
    assert miss.startswith("perplexity may be 1.06")


def test_only_published_quants_that_hold_are_offered() -> None:
    report = made_up()
    assert offered(report) == ["Q8_0", "Q5_K_M", "Q4_K_M"]


def test_a_laptop_gets_the_nearest_quant_that_leaves_it_room() -> None:
    report = made_up()
    small, large = (recommended(report, laptop) for laptop in LAPTOPS)
    assert small is not None
    assert large is not None
    assert (small.type, large.type) == ("Q4_K_M", "Q8_0")
    table = screen_table(report)
    assert "On a laptop with 8 GB (num_ctx 2048): Q4_K_M. It is expected to take 4.92 GiB" in table
    huge = report.model_copy(update={"quants": tuple(_grown(quant) for quant in report.quants)})
    assert recommended(huge, LAPTOPS[0]) is None
    assert "none of the offered quants leaves 3 GB" in markdown(huge)


def test_verdicts_are_in_the_table() -> None:
    page = markdown(made_up())
    assert "not offered: mean KLD may be 0.1298, over 0.05" in page
    assert page.count("| to compare |") == 1


def test_the_picture_has_the_same_bytes_each_time(tmp_path: Path) -> None:
    pictures = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        plot(made_up(), tmp_path / name)
        assert (tmp_path / name / "fidelity.png").read_bytes()[:4] == b"\x89PNG"
        pictures.append((tmp_path / name / "fidelity.svg").read_bytes())
    assert pictures[0] == pictures[1]


def divergence(
    kld: float,
    error: float = 0.0005,
    same: float = 0.95,
    same_error: float = 0.001,
    ppl: float = 6.0,
) -> Divergence:
    return Divergence(
        perplexity=Estimate(value=ppl, error=0.1),
        log_ratio_error=0.001,
        mean_kld=Estimate(value=kld, error=error),
        kld_99=10 * kld,
        max_kld=100 * kld,
        same_top=Estimate(value=same, error=same_error),
    )


def ratio(value: float) -> Estimate:
    return Estimate(value=value, error=0.001)


def quant(kind: Any, size: float, kld: float, **settings: Any) -> Quant:
    """About a Llama-2-7B: sizes in GB, cache of 1 and 2 GiB."""
    found = divergence(kld)
    memory = {n: int(size * 1e9 + n * 2**19 + 0.15 * GIB) for n in (2048, 4096)}
    defaults = {"imatrix": kind != "Q8_0", "published": True, "speed": None}
    return Quant(
        **(defaults | settings),
        type=kind,
        file_bytes=int(size * 1e9),
        bits_per_weight=size * 8 / 6.74,
        memory=memory,
        divergence=found,
        ppl_ratio=ratio(1.0),
        missed=missed(found, ratio(1.0), FidelityConfig()),
    )


def made_up() -> Fidelity:
    """Figures of about the size that llama.cpp's own documentation gives for a 7B model."""
    itself = divergence(0.0, error=0.0, same=1.0, same_error=0.0)
    return Fidelity(
        model="medllm",
        source_type="F16",
        source=Weighed(
            file_bytes=13 * 10**9,
            bits_per_weight=16,
            memory={2048: 14 * GIB, 4096: 15 * GIB},
            speed=None,
            divergence=itself,
        ),
        text=Text(
            split="test",
            sources={"made": 9},
            dialogues=9,
            available=9,
            chunks=40,
            chunk_tokens=512,
            scored=10_200,
            floored=0,
        ),
        imatrix="made, train split",
        thresholds=Thresholds(max_mean_kld=0.05, min_same_top=0.9, max_ppl_ratio=1.05),
        quants=(
            quant("Q8_0", 7.16, 0.0004),
            quant("Q5_K_M", 4.78, 0.006),
            quant("Q4_K_M", 4.05, 0.0127),
            quant("Q4_K_M", 4.05, 0.0150, imatrix=False, published=False),
            quant("Q2_K", 2.83, 0.1288),
        ),
        llama_cpp="llama.cpp 0c1e57098",
    )


def _grown(quant: Quant) -> Quant:
    return quant.model_copy(update={"memory": dict.fromkeys(quant.memory, 40 * GIB)})


def _with_quants(paths: RunPaths) -> RunPaths:
    from medllm.convert.imatrix import imatrix
    from medllm.convert.quantize import quantize
    from medllm.pipeline.config import ImatrixConfig, QuantizeConfig

    imatrix(ImatrixConfig(seed=1, chunks=4), paths)
    quantize(QuantizeConfig(seed=1, types=("Q4_K_M",)), paths)
    return paths


def test_records_refuse_unknown_fields() -> None:
    raw = json.loads(made_up().model_dump_json())
    raw["quants"][0]["speeed"] = 1
    with pytest.raises(ValueError, match="speeed"):
        Fidelity.model_validate(raw)
