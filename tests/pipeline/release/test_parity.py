"""What a real server renders and counts, against what training renders and counts."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from medllm.pipeline.config import CreateConfig, RunPaths
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.files import sha256_file
from medllm.pipeline.prompts import FORMATS, Message, PromptFormat
from medllm.pipeline.release.create import create, read_receipt
from medllm.pipeline.release.modelfile_syntax import Modelfile, read_modelfile
from medllm.pipeline.release.neutralise import LLAMA_CONTROLS
from medllm.pipeline.release.parity import (
    COUNTED,
    TEXTS,
    check_prompts,
    conversations,
    load_tokenizer,
)
from medllm.pipeline.release.server import Server
from tests.pipeline.release.conftest import Proxy

pytest_plugins = ("tests.small_model",)

NAME = "medllm-test-parity:f16"
PRESET = (Message(role="user", content="Hi"), Message(role="assistant", content="Yes? {{ x }}"))


def test_the_conversations_are_many_and_of_every_kind() -> None:
    found = list(conversations())
    assert len({one.messages for one in found}) == len(found) >= 200
    assert set(Counter(one.kind for one in found)) == set(TEXTS)
    roles = Counter(tuple(m.role for m in one.messages if m.role != "system") for one in found)
    assert len(roles) == 3
    assert min(roles.values()) >= 60
    systems = Counter(
        one.messages[0].content == "" if one.messages[0].role == "system" else None for one in found
    )
    assert len(set(systems.values())) == 1
    typed = "\n".join(message.content for one in found for message in one.messages)
    for piece in (*LLAMA_CONTROLS, "[INST]", "<<SYS>>", "### Instruction:", "{{", "}}", "{%"):
        assert piece in typed
    for piece in ("\u00a0", "\u200d", "\U0001f912", "\r\n", "\x01", '"', "\\", "▁"):
        assert piece in typed
    assert max(len(m.content) for one in found for m in one.messages) > 10_000


@pytest.fixture(scope="module")
def base(make_checkpoint: Callable[..., Path]) -> Path:
    return make_checkpoint(max_position_embeddings=4096)


@pytest.fixture(scope="module")
def gguf(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base as llama.cpp's own converter writes it, its tokenizer with it."""
    pytest.importorskip("llama_cpp")
    from benchmarks.convert import run_converter_script

    path = tmp_path_factory.mktemp("gguf") / "model-f16.gguf"
    run_converter_script(base, path, "f16", name="tiny")
    return path


@pytest.fixture(params=["llama2", "know_medical_v2"])
def format_(request: pytest.FixtureRequest) -> PromptFormat:
    return FORMATS[request.param]


@pytest.fixture
def record(root: Path, format_: PromptFormat) -> Modelfile:
    """The shipped Modelfile with MESSAGE lines, in either format; the context holds SYSTEM."""
    shipped = read_modelfile(root / "Modelfile")
    parameters = {"stop": format_.stop, "num_ctx": 2048}
    update = {"template": format_.go_template, "messages": PRESET, "parameters": parameters}
    return shipped.model_copy(update=update)


@pytest.fixture
def server(proxy: Proxy, gguf: Path, record: Modelfile) -> Iterator[Server]:
    """A real server, behind a proxy, with a model of that Modelfile."""
    server = Server(proxy.url)
    server.create(NAME, server.upload_blob(gguf, sha256_file(gguf)), record)
    yield server
    server.delete(NAME)
    server.close()


def never() -> None:
    pytest.fail("the tokenizer was loaded, although the server says what it rendered")


@pytest.mark.slow
def test_a_server_that_renders_is_compared_byte_for_byte(
    server: Server, record: Modelfile, format_: PromptFormat
) -> None:
    parity = check_prompts(server, NAME, record, format_, never)  # type: ignore[arg-type]
    assert parity == ("rendered text", sum(1 for _ in conversations()))


def test_a_server_that_does_not_is_compared_by_its_count_of_tokens(
    server: Server, record: Modelfile, format_: PromptFormat, base: Path, proxy: Proxy
) -> None:
    proxy.forgetful = True
    parity = check_prompts(server, NAME, record, format_, load_tokenizer(base))
    assert parity == ("token counts", COUNTED)


def test_counts_differ_where_prompts_do(
    server: Server, record: Modelfile, format_: PromptFormat, base: Path, proxy: Proxy
) -> None:
    """The model was made with MESSAGE lines that this record does not know of."""
    proxy.forgetful = True
    other = record.model_copy(update={"messages": ()})
    with pytest.raises(MedllmError, match=r"reads \d+ tokens as .* where training reads \d+, in"):
        check_prompts(server, NAME, other, format_, load_tokenizer(base))
    proxy.forgetful = False
    with pytest.raises(MedllmError, match=r"never did \(plain\): at line"):
        check_prompts(server, NAME, other, format_, load_tokenizer(base))


def test_the_receipt_says_how_prompts_were_compared(
    run: Callable[..., RunPaths],
    proxy: Proxy,
    gguf: Path,
    base: Path,
    root: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Stage create with a server that does not know the option to render only."""
    proxy.forgetful = True
    record = read_modelfile(root / "Modelfile")
    text = record.model_copy(update={"source": "../quantize/medllm-q4_k_m.gguf"}).text()
    tokenizer = {path.name: path.read_bytes() for path in base.glob("tokenizer*")}
    paths = run(
        {
            "base": tokenizer,
            "convert": {},
            "quantize": {"medllm-q4_k_m.gguf": gguf.read_bytes()},
            "modelfile": {"Modelfile": text.encode()},
        }
    )
    create(CreateConfig(name="medllm-test-counted"), paths)
    receipt = read_receipt(paths.stage("create"))
    assert (receipt.prompts_checked, receipt.prompts_compared_by) == (COUNTED, "token counts")
    assert f"{COUNTED} conversations compared with training by token" in capsys.readouterr().err
    server = Server(proxy.url)
    for name in receipt.models:
        server.delete(name)
    server.close()
