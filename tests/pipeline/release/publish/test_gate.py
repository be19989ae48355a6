"""What must be true before anything leaves the machine; no server is asked."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medllm.pipeline.config import PushConfig, RunPaths, load_config
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.manifest import read_manifest
from medllm.pipeline.release.create import RECEIPT, ModelRecord, Receipt, ServerRecord
from medllm.pipeline.release.licence_texts import base_licences, data_attribution
from medllm.pipeline.release.publish.gate import Passed, Verdict, pass_gate, require_complete
from medllm.pipeline.release.publish.names import repository
from tests.finished_run import fidelity_report, prepare_report
from tests.release_run import BaseSection, complete, judge

PLACES = {
    "public": "registry.example.com",
    "private": "10.0.0.1:5000",
    "loopback": "127.0.0.1:5000",
}
LLAMA2 = b"LLAMA 2 COMMUNITY LICENSE AGREEMENT\nRedistribution and Use ...\nGoverning Law and ...\n"
POLICY = b"Llama 2 Acceptable Use Policy\nProhibited Uses ...\n"


class Run:
    """A run's folders, stage by stage."""

    def __init__(self, root: Path) -> None:
        self.paths = RunPaths(root)
        self.base({}, "tiny")
        self.prepare("allowed")
        quants = {f"medllm-{q}.gguf": q.encode() for q in ("q8_0", "q4_k_m")}
        self.complete("quantize", quants)
        self.modelfile()
        self.create()
        judge(self.paths)
        self.fidelity()

    def complete(self, name: str, *arguments: Any, **more: Any) -> None:
        shutil.rmtree(self.paths.stage(name), ignore_errors=True)
        complete(self.paths, name, *arguments, **more)

    def base(self, files: dict[str, bytes], source: str) -> None:
        self.complete("base", files, BaseSection(source=source))

    def prepare(self, publish: Any) -> None:
        self.complete(
            "prepare", {"report.json": prepare_report(publish).model_dump_json().encode()}
        )

    def modelfile(self, *more: str) -> None:
        texts = ("Project licence.", data_attribution(prepare_report()), *more)
        texts += base_licences(self.paths.stage("base"))
        licences = "\n".join(f'LICENSE """{text}"""' for text in texts)
        text = f'FROM ../quantize/medllm-q4_k_m.gguf\nTEMPLATE "{{{{ .Prompt }}}}"\n{licences}\n'
        self.complete("modelfile", {"Modelfile": text.encode()})

    def create(self, **changes: str) -> None:
        outputs = read_manifest(self.paths.stage("quantize")).outputs
        models = {
            f"medllm:{tag}": ModelRecord(
                file=f"quantize/medllm-{quant}.gguf",
                sha256=changes.get(quant, outputs[f"medllm-{quant}.gguf"].sha256),
                digest=digest * 64,
                layer=f"sha256:{digest * 64}",
            )
            for tag, quant, digest in (
                *(("q8_0", "q8_0", "8"), ("q4_k_m", "q4_k_m", "4"), ("latest", "q4_k_m", "4")),
                ("brief", "q4_k_m", "b"),  # another SYSTEM, made of the same file
            )
        }
        server = ServerRecord(host="http://127.0.0.1:11434", version="0.33.0")
        receipt = Receipt(server=server, models=models, prompts_checked=1)
        self.complete("create", {RECEIPT: receipt.model_dump_json().encode()})

    def fidelity(self, *offered: str) -> None:
        report = fidelity_report(offered or ("Q8_0", "Q4_K_M"))
        content = report.model_dump_json().encode()
        self.complete("fidelity", {"fidelity.json": content}, inputs=("quantize",))

    def ask(self, place: str, **config: Any) -> Passed:
        values = {"registry": PLACES[place], "name": "me/medllm", "version": "1.0.0", **config}
        release = PushConfig.model_validate(values)
        return pass_gate(release, self.paths, repository(release.registry, release.name))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "run")


def test_all_is_asked_and_passed(run: Run) -> None:
    passed = run.ask("public")
    assert {one.check: one.result for one in passed.results} == dict.fromkeys(
        ("data terms", "licence texts", "evaluation", "fidelity"), "passed"
    )
    assert [one.quant for one in passed.candidates] == ["q4_k_m", "q8_0"]
    assert set(passed.moving) == {"latest", "8gb", "16gb"}
    assert passed.moving["latest"] == "q4_k_m"
    assert passed.licences[0] == "Project licence."


@pytest.mark.parametrize("place", ["public", "private"])
def test_the_terms_of_the_data_bind_but_on_loopback(run: Run, place: str) -> None:
    run.prepare("forbidden")
    with pytest.raises(MedllmError, match=r"invented .* must not be published"):
        run.ask(place)
    assert run.ask("loopback").results[0].result == "not asked"
    run.prepare("acknowledge")
    with pytest.raises(MedllmError, match=r"name invented under push\.acknowledged"):
        run.ask(place)
    run.ask(place, acknowledged=["invented"])


@pytest.mark.parametrize(
    ("files", "source", "what"),
    [
        ({}, "org/some-base", "the licence of the base model"),
        ({}, "meta-llama/Llama-2-7b-chat-hf", "Acceptable Use Policy"),
        ({"LICENSE.txt": LLAMA2}, "/models/renamed", "Acceptable Use Policy"),
        ({"LICENSE.txt": b"See the web."}, "/models/llama-2-7b", "whole Llama 2 Community License"),
    ],
)
def test_a_missing_licence_text_stops_a_public_push(
    run: Run, files: dict[str, bytes], source: str, what: str
) -> None:
    run.base(files, source)
    run.modelfile()
    with pytest.raises(MedllmError, match=f"A public push lacks .*{what}"):
        run.ask("public")
    assert run.ask("private").results[1].result == "not asked"


def test_llama_2_with_all_its_texts(run: Run) -> None:
    run.base({"LICENSE.txt": LLAMA2, "USE_POLICY.md": POLICY}, "meta-llama/Llama-2-7b-chat-hf")
    with pytest.raises(MedllmError, match="Modelfile lacks licence texts"):
        run.ask("public")  # made before the texts were there
    run.modelfile()
    assert len(run.ask("public").licences) == 5  # project, data, agreement, policy, Notice


def other_sha(verdict: Verdict) -> Verdict:
    return verdict.model_copy(update={"artefacts": verdict.artefacts | {"medllm-q8_0.gguf": "0"}})


def one_less(verdict: Verdict) -> Verdict:
    kept = {"medllm-q8_0.gguf": verdict.artefacts["medllm-q8_0.gguf"]}
    return verdict.model_copy(update={"artefacts": kept})


@pytest.mark.parametrize("place", ["public", "private"])
@pytest.mark.parametrize(
    ("passed", "change", "what"),
    [
        (False, None, "did not pass: Q4_K_M answers fewer questions than the base"),
        (True, other_sha, r"not for this medllm-q8_0\.gguf"),
        (True, one_less, r"not for this medllm-q4_k_m\.gguf"),
    ],
)
def test_the_evaluation_must_have_passed_for_these_files(
    run: Run, place: str, passed: bool, change: Callable[[Verdict], Verdict] | None, what: str
) -> None:
    shutil.rmtree(run.paths.stage("eval"))
    judge(run.paths, passed=passed, change=change)
    with pytest.raises(MedllmError, match=what):
        run.ask(place)
    assert run.ask("loopback").results[2].result == "not asked"


def test_without_a_verdict_nothing_becomes_public(run: Run) -> None:
    verdict = (run.paths.stage("eval") / "verdict.json").read_bytes()
    shutil.rmtree(run.paths.stage("eval"))
    for why in ("stage eval has not completed", r"stage eval wrote no verdict\.json"):
        with pytest.raises(MedllmError, match=f"has not passed: {why}"):
            run.ask("public")
        result = run.ask("private").results[2]
        assert result.result == "not asked"
        run.complete("eval", {"report.txt": b""}, inputs=("quantize",))
    (run.paths.stage("eval") / "verdict.json").write_bytes(verdict)  # slipped in by hand
    with pytest.raises(MedllmError, match=r"stage eval wrote no verdict\.json"):
        run.ask("public")


def test_an_edited_verdict_is_no_verdict(run: Run) -> None:
    path = run.paths.stage("eval") / "verdict.json"
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(MedllmError, match=r"verdict\.json is not the file that stage eval wrote"):
        run.ask("public")
    run.complete("eval", {"verdict.json": b'{"passed": "yes"}'}, inputs=("quantize",))
    with pytest.raises(MedllmError, match=r"verdict\.json is not a verdict"):
        run.ask("public")


def test_an_evaluation_of_other_quants_does_not_count(run: Run) -> None:
    run.complete("quantize", {f"medllm-{q}.gguf": b"new " + q.encode() for q in ("q8_0", "q4_k_m")})
    with pytest.raises(MedllmError, match=r"was made of another medllm-q4_k_m\.gguf than stage"):
        run.ask("public")
    run.create()
    with pytest.raises(MedllmError, match="stage eval scored other quants than these"):
        run.ask("public")
    shutil.rmtree(run.paths.stage("eval"))
    judge(run.paths)
    with pytest.raises(MedllmError, match="stage fidelity measured other quants than these"):
        run.ask("public")
    run.fidelity()
    run.ask("public")


def test_a_quant_that_is_not_offered_is_not_pushed(run: Run) -> None:
    run.fidelity("Q4_K_M")
    for place in PLACES:
        assert [one.quant for one in run.ask(place).candidates] == ["q4_k_m"]
    assert "q8_0" in run.ask("public").results[3].detail
    with pytest.raises(MedllmError, match="8gb would name q8_0, which is not pushed"):
        run.ask("public", moving_tags={"8gb": "Q8_0"})
    run.fidelity("Q8_0")
    with pytest.raises(MedllmError, match=r"Set push\.moving_tags\.latest to one of q8_0"):
        run.ask("public")
    assert run.ask("public", moving_tags={"latest": "Q8_0"}).moving["latest"] == "q8_0"
    run.fidelity("none")
    with pytest.raises(MedllmError, match="No quant is close enough"):
        run.ask("loopback")


def test_without_fidelity_nothing_becomes_public(run: Run) -> None:
    shutil.rmtree(run.paths.stage("fidelity"))
    with pytest.raises(MedllmError, match="stage fidelity has not completed"):
        run.ask("public")
    passed = run.ask("private")
    assert passed.results[3].result == "not asked"
    assert passed.moving == {"latest": "q4_k_m"}


def test_models_must_have_been_created(run: Run) -> None:
    receipt = Receipt(server=None, models={}, prompts_checked=0)
    run.complete("create", {RECEIPT: receipt.model_dump_json().encode()})
    with pytest.raises(MedllmError, match="Stage create made no models"):
        run.ask("loopback")


def test_results_of_another_config_are_not_published(run: Run, root: Path) -> None:
    config = load_config(root / "configs" / "demo.yaml")
    with pytest.raises(MedllmError, match="Stage base is stale: config"):
        require_complete(config, run.paths)
    shutil.rmtree(run.paths.root)
    with pytest.raises(MedllmError, match="Stage base is missing"):
        require_complete(config, run.paths)
