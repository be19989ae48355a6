"""A trained Llama through the whole conversion: the same story, token by token."""

from pathlib import Path

import pytest
import torch

from medllm.convert.gguf import convert_checkpoint
from medllm.convert.llama_cpp import silence_native_logs
from medllm.pipeline.config import ConvertConfig
from tests.convert import stories260k

TOKENS = 200
BEGINNING = (
    "Once upon a time, there was a little girl named Lily. She loved to play outside in the park. "
    "One day, she saw a big, red ball. She wanted to play with it, but it was too high."
)


@pytest.mark.parametrize("kind", ["F32", "F16"])
def test_llama_cpp_tells_the_story_of_transformers(
    shared_data: Path, tmp_path: Path, kind: str
) -> None:
    from llama_cpp import GGML_TYPE_F32, Llama
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

    folder, gguf = tmp_path / "stories260k", tmp_path / "stories.gguf"
    folder.mkdir()
    dtype = {"F32": torch.float32, "F16": torch.float16}[kind]
    stories260k.write_checkpoint(shared_data / "stories260k", folder, dtype)
    report = convert_checkpoint(folder, gguf, ConvertConfig.model_validate({"type": kind}))
    assert report["rounded_weights"] == 0

    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)
    ids = model.generate(
        torch.tensor([[1]]), attention_mask=torch.ones(1, 1), max_new_tokens=TOKENS, do_sample=False
    )[0].tolist()
    text = PreTrainedTokenizerFast.from_pretrained(folder).decode(ids, skip_special_tokens=True)
    assert text.startswith(BEGINNING)

    silence_native_logs()
    server = Llama(
        str(gguf),
        n_ctx=TOKENS + 1,
        n_threads=2,
        type_k=GGML_TYPE_F32,
        type_v=GGML_TYPE_F32,
        verbose=False,
    )
    served = [1]
    for token in server.generate([1], temp=0.0, repeat_penalty=1.0):
        served.append(token)
        if len(served) == len(ids):
            break
    assert served == ids
    assert server.detokenize(served).decode().strip() == text.strip()
    server.close()
