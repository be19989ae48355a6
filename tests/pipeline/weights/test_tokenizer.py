"""SentencePiece itself is the oracle: every text, here and in the Llama-2 vocabulary."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sentencepiece import SentencePieceProcessor, sentencepiece_model_pb2
from transformers import AutoTokenizer, LlamaConfig, PreTrainedTokenizerFast

from medllm.pipeline.errors import MedllmError
from medllm.pipeline.prompts import FORMATS, Message
from medllm.pipeline.weights.tokenizer import (
    TOKENIZER_MODEL,
    build_tokenizer,
    first_disagreement,
    load_sentencepiece,
    plain_ids,
    read_proto,
    save_tokenizer,
)

pytest_plugins = ("tests.small_model",)

NASTY = (
    "",
    " ",
    "   ",
    " leading",
    "trailing ",
    "two  spaces   three",
    "\t",
    "a\tb\n\n c\r\n",
    "\n",
    "BP\u00a0120/80\u202fmmHg",
    "38.6 °C, 5–10 µg, SpO₂ ≥ 94 %",
    "患者说他头痛。",
    "Пациент жалуется на боль",
    "طفل عمره سنتان",
    "👩🏽‍⚕️🩺😷",
    "e\u0301 n\u0303",
    "\u200b\u200d\ufeff",
    "\x01\x07\x1b\x7f",
    "▁",
    "a▁b ▁ c",
    "<s>",
    "</s>",
    "</s><s>[INST] x [/INST]",
    "[INST]",
    "<<SYS>>\nx\n<</SYS>>",
    "<unk>",
    "<0x0A>",
    "<0x00><0xFF>",
    "1234567890 mg",
    "\ue000\U0010ffff",
)

ANY_TEXT = st.one_of(
    st.text(),
    st.text(alphabet=" ▁ab\n"),
    st.lists(st.sampled_from(NASTY)).map("".join),
    st.text(alphabet="<>/s0xA[]INSTunk "),
)


class Pair:
    """A tokenizer of ours and SentencePiece over the same file."""

    def __init__(self, model_file: Path) -> None:
        self.model_file = model_file
        self.ours = build_tokenizer(model_file)
        self.reference = load_sentencepiece(model_file)

    def disagreement(self, *texts: str) -> str | None:
        return first_disagreement(self.ours, self.reference, texts)


@pytest.fixture(scope="module")
def llama2(shared_data: Path) -> Pair:
    return Pair(shared_data / "llama2-tokenizer" / "tokenizer.model")


@pytest.fixture(scope="module")
def small(tokenizer_folder: Path) -> Pair:
    return Pair(tokenizer_folder / TOKENIZER_MODEL)


@pytest.fixture(scope="module")
def dialogues(shared_data: Path) -> list[str]:
    texts = []
    for path in sorted((shared_data / "mts-dialog").glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            texts += [row["dialogue"] for row in csv.DictReader(file)]
    assert len(texts) == 1301
    return texts


def test_every_dialogue_of_mts_dialog(llama2: Pair, dialogues: list[str]) -> None:
    assert llama2.disagreement(*dialogues) is None


def test_multi_turn_prompts_of_mts_dialog(llama2: Pair, dialogues: list[str]) -> None:
    """Each exchange is BOS, SentencePiece of the text as it stands, EOS."""
    bos, eos = llama2.reference.bos_id(), llama2.reference.eos_id()
    turns = iter(dialogues)
    for first, second, third in zip(turns, turns, turns, strict=False):
        messages = [
            Message(role="system", content="Answer with care."),
            Message(role="user", content=first),
            Message(role="assistant", content=second),
            Message(role="user", content=third),
        ]
        stretches = [
            f"[INST] <<SYS>>\nAnswer with care.\n<</SYS>>\n\n{first} [/INST] {second} ",
            f"[INST] {third} [/INST]",
        ]
        one, two = llama2.reference.encode(stretches)
        encoded = FORMATS["llama2"].encode(llama2.ours, messages, add_generation_prompt=True)
        assert encoded.input_ids == [bos, *one, eos, bos, *two]


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_any_text_with_llama2(llama2: Pair, data: st.DataObject) -> None:
    text = data.draw(ANY_TEXT)
    assert llama2.disagreement(text) is None


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_any_text_with_a_small_vocabulary(small: Pair, data: st.DataObject) -> None:
    text = data.draw(ANY_TEXT)
    assert small.disagreement(text) is None
    ids = plain_ids(small.ours.backend_tokenizer, [text])[0]
    assert small.ours.decode(ids) == small.reference.decode(ids) == text.replace("▁", " ")


def test_repeated_letters_and_spaces(llama2: Pair, small: Pair) -> None:
    """Runs of one letter are where the order of equal merges shows."""
    texts = [a + c * n + b for c in " a=-.0\n" for n in range(70) for a in ("", "x") for b in "y "]
    assert llama2.disagreement(*texts) is None
    assert small.disagreement(*texts) is None


@pytest.mark.parametrize("text", NASTY)
def test_offsets_are_characters_and_a_word_owns_its_space(small: Pair, text: str) -> None:
    backend = small.ours.backend_tokenizer
    backend.encode_special_tokens = True
    encoding = backend.encode(text, add_special_tokens=False)
    backend.encode_special_tokens = False
    starts = [start for start, _ in encoding.offsets]
    assert starts == sorted(starts)
    if text:
        assert starts[0] == 0
        assert encoding.offsets[-1][1] == len(text)
    for index, (token, (start, _)) in enumerate(
        zip(encoding.tokens, encoding.offsets, strict=True)
    ):
        if token.startswith("▁") and index:
            assert text[start] in " ▁"


def test_offsets_of_words(llama2: Pair) -> None:
    encoding = llama2.ours.backend_tokenizer.encode("fever  for days", add_special_tokens=False)
    assert encoding.tokens == ["▁fe", "ver", "▁", "▁for", "▁days"]
    assert encoding.offsets == [(0, 2), (2, 5), (5, 6), (6, 10), (10, 15)]


def test_typed_control_tokens_are_text(small: Pair) -> None:
    ids = plain_ids(small.ours.backend_tokenizer, ["</s><s><unk>"])[0]
    assert not {1, 2} & set(ids)
    assert small.ours.encode("</s>", add_special_tokens=False) == [2]


def test_one_bos_and_padding_without_a_new_token(small: Pair, tmp_path: Path) -> None:
    save_tokenizer(small.ours, small.model_file, tmp_path)
    LlamaConfig(vocab_size=len(small.reference)).save_pretrained(tmp_path)
    loaders: list[Callable[[Path], PreTrainedTokenizerFast]] = [
        PreTrainedTokenizerFast.from_pretrained,
        AutoTokenizer.from_pretrained,
    ]
    for tokenizer in (small.ours, *(load(tmp_path) for load in loaders)):
        assert tokenizer.encode("fever") == [1, *small.reference.encode("fever")]
        assert tokenizer.encode("a</s><s>b")[0:1] == [1]
        assert tokenizer.encode("a</s><s>b").count(1) == 2
        assert (tokenizer.bos_token_id, tokenizer.eos_token_id) == (1, 2)
        assert tokenizer.pad_token_id == tokenizer.unk_token_id == 0
        assert len(tokenizer) == tokenizer.vocab_size == len(small.reference)
        assert first_disagreement(tokenizer, small.reference, NASTY) is None


def test_saved_files(small: Pair, tmp_path: Path) -> None:
    save_tokenizer(small.ours, small.model_file, tmp_path)
    save_tokenizer(small.ours, tmp_path / TOKENIZER_MODEL, tmp_path)
    assert (tmp_path / TOKENIZER_MODEL).read_bytes() == small.model_file.read_bytes()
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {TOKENIZER_MODEL, "tokenizer.json", "tokenizer_config.json"}
    assert '"add_bos_token": true' in (tmp_path / "tokenizer_config.json").read_text()


def test_without_dummy_prefix(tmp_path: Path) -> None:
    model_file = train(tmp_path, add_dummy_prefix=False)
    pair = Pair(model_file)
    assert not pair.reference.encode("the", out_type=str)[0].startswith("▁")
    assert pair.disagreement(*NASTY, "the pain the pain") is None
    text = " the  pain"
    assert pair.ours.decode(plain_ids(pair.ours.backend_tokenizer, [text])[0]) == text


def test_a_disagreement_is_found(small: Pair, tmp_path: Path) -> None:
    other = SentencePieceProcessor(model_file=str(train(tmp_path, vocab_size=290)))
    assert first_disagreement(small.ours, other, ["", "the pain"]) == "the pain"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"model_type": "unigram"}, "model type is UNIGRAM, not BPE"),
        ({"normalization_rule_name": "nmt_nfkc"}, "normalises text by nmt_nfkc"),
        ({"remove_extra_whitespaces": True}, "removes extra spaces"),
        ({"byte_fallback": False, "vocab_size": 40}, "no byte fallback"),
        ({"user_defined_symbols": ["[INST]"]}, "user-defined or unused pieces"),
        ({"treat_whitespace_as_suffix": True}, "a leading ▁"),
    ],
)
def test_what_is_not_reproduced_is_refused(
    tmp_path: Path, changed: dict[str, object], words: str
) -> None:
    with pytest.raises(MedllmError, match=words):
        build_tokenizer(train(tmp_path, **changed))


def test_missing_and_damaged_files(tmp_path: Path) -> None:
    path = tmp_path / TOKENIZER_MODEL
    with pytest.raises(MedllmError, match=r"tokenizer\.model cannot be read"):
        read_proto(path)
    for content in (b"\xff" * 50, b"\x80\x04K\x01.", b"version https://git-lfs"):
        path.write_bytes(content)
        with pytest.raises(MedllmError, match=r"is not a SentencePiece model"):
            read_proto(path)
    path.write_bytes(b"")
    with pytest.raises(MedllmError, match="holds no pieces"):
        read_proto(path)


def test_a_piece_out_of_unknown_letters_is_refused(small: Pair, tmp_path: Path) -> None:
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(small.model_file.read_bytes())
    proto.pieces.add(piece="ŵŷ", score=-999.0)
    path = tmp_path / TOKENIZER_MODEL
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(MedllmError, match="no piece itself"):
        build_tokenizer(path)


def train(folder: Path, **changed: object) -> Path:
    """Train a small SentencePiece model; keywords go to the trainer."""
    from sentencepiece import SentencePieceTrainer

    defaults: dict[str, object] = {
        "model_type": "bpe",
        "vocab_size": 300,
        "hard_vocab_limit": False,
        "byte_fallback": True,
        "normalization_rule_name": "identity",
        "remove_extra_whitespaces": False,
        "num_threads": 1,
        "minloglevel": 2,
    }
    path = folder / "trained.model"
    with path.open("wb") as file:
        SentencePieceTrainer.train(
            sentence_iterator=iter(["the pain began in the morning and the arm hurts"] * 20),
            model_writer=file,
            **(defaults | changed),
        )
    return path
