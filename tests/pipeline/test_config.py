from pathlib import Path

import pytest

from medllm.pipeline.config import RunConfig, load_config
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.release.modelfile_syntax import read_modelfile

DEMO = "configs/demo.yaml"


@pytest.mark.parametrize("path", sorted(Path("configs").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_shipped_config_loads(path: Path) -> None:
    assert isinstance(load_config(path), RunConfig)


def test_override_reaches_one_section(root: Path) -> None:
    plain = load_config(root / DEMO)
    changed = load_config(root / DEMO, ["train.rank=4", "prepare.test_share=0.2"])
    assert (changed.train.rank, changed.prepare.test_share) == (4, 0.2)
    assert changed.train.model_copy(update={"rank": plain.train.rank}) == plain.train
    assert changed.merge == plain.merge


def test_top_level_keys_are_every_sections_default(root: Path) -> None:
    config = load_config(root / DEMO, ["seed=99", "merge.seed=5"])
    assert config.base.seed == config.train.seed == config.eval.seed == 99
    assert config.merge.seed == 5


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("train.rnak=8", "train.rnak is not a known key, did you mean rank?"),
        ("tarin.rank=8", "tarin is not a known key, did you mean train?"),
        ("train.rank=eight", "train.rank"),
        ("train.rank=0", "train.rank"),
        ("train.learning_rate=20000", "train.learning_rate"),
        ("train.format=know_medical_v2", "format differs between stages"),
        ("quantize.types=[Q2_K]", "quantize.types"),
        ("quantize.types=[Q8_0]", "modelfile.quant Q4_K_M is not in quantize.types"),
        ("base.tiny=null", "base.tiny belongs to base.source: tiny"),
        ("create.name=Med LLM", "create.name"),
        ("train.rank", "is not section.key=value"),
        ("train.rank.x=3", "rank is not a section"),
    ],
)
def test_a_wrong_value_is_named(root: Path, override: str, expected: str) -> None:
    with pytest.raises(MedllmError) as caught:
        load_config(root / DEMO, [override])
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "train: [", "\xff\xfe", "3: 4\n", "train: 7\n"])
def test_a_file_that_is_no_config_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(MedllmError):
        load_config(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MedllmError, match=r"no config .*none\.yaml"):
        load_config(tmp_path / "none.yaml")


def test_a_missing_section_with_a_required_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("base: {source: some/folder}\n")
    with pytest.raises(MedllmError, match=r"prepare\.sources is missing"):
        load_config(path)


@pytest.mark.parametrize("path", sorted(Path("configs").glob("*.yaml")), ids=lambda p: p.stem)
def test_training_and_serving_show_the_same_system_prompt(path: Path, root: Path) -> None:
    system = read_modelfile(root / "Modelfile").system
    assert load_config(path).prepare.system_prompt == system
