import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medllm.pipeline.errors import MedllmError
from medllm.pipeline.prompts import Message
from medllm.pipeline.release.modelfile_syntax import PARAMETERS, Modelfile, parse, read_modelfile

LEAST = "FROM ./m.gguf\nTEMPLATE {{ .Prompt }}\n"


def test_every_instruction_is_read() -> None:
    record = parse(
        """\
# a comment
  from ./with a blank.gguf
\tTemplate \"\"\"{{ if .System }}  {{ .System }}
# not a comment
{{ end }}\"\"\" \t
SYSTEM You are kind.   # said as it stands
REQUIRES 0.20.3
PARAMETER stop "[INST]"
PARAMETER stop " ### "
PARAMETER\tstop </s>
PARAMETER num_ctx    2048
PARAMETER temperature .5
PARAMETER use_mmap false
LICENSE "one"
LICENSE \"\"\"
two
\"\"\"
MESSAGE user hello: you
MESSAGE assistant "say "hi" now\"
"""
    )
    assert record == Modelfile(
        source="./with a blank.gguf",
        template="{{ if .System }}  {{ .System }}\n# not a comment\n{{ end }}",
        system="You are kind.   # said as it stands",
        requires="0.20.3",
        parameters={
            "stop": ("[INST]", " ### ", "</s>"),
            "num_ctx": 2048,
            "temperature": 0.5,
            "use_mmap": False,
        },
        licenses=("one", "\ntwo\n"),
        messages=(
            Message(role="user", content="hello: you"),
            Message(role="assistant", content='say "hi" now'),
        ),
    )
    assert isinstance(record.parameters["num_ctx"], int)


@pytest.mark.parametrize(
    ("text", "what", "fix"),
    [
        ("FROM m\n", "Modelfile has no TEMPLATE", "TEMPLATE"),
        ("TEMPLATE t\n", "Modelfile has no FROM", "FROM"),
        ("", "has no FROM", "FROM"),
        (LEAST + "PARAMTER num_ctx 5\n", "line 3: PARAMTER is not", "mean PARAMETER?"),
        (LEAST + "Systm be kind\n", "line 3: Systm is not", "mean SYSTEM?"),
        (LEAST + "\n\n=\n", "line 5: = is not", "Use one of FROM,"),
        (LEAST + "FROM again\n", "line 3 is a second FROM", "Keep one"),
        (LEAST + "TEMPLATE again\n", "line 3 is a second TEMPLATE", "Keep one"),
        (LEAST + "ADAPTER ./a\n", "line 3: ADAPTER is refused", "Delete"),
        (LEAST + "renderer qwen3\n", "line 3: RENDERER is refused", "Delete"),
        (LEAST + "SYSTEM\n", "line 3: SYSTEM has no value", "Give one"),
        (LEAST + 'SYSTEM ""\n', "line 3: SYSTEM has no value", "Give one"),
        (LEAST + 'SYSTEM """be kind\n\nPARAMETER', 'line 3: the """ that opens SYSTEM', "Close"),
        (LEAST + 'SYSTEM """a\nSYSTEM """b"""\n', "line 3: SYSTEM goes on after", "Close"),
        (LEAST + 'SYSTEM """a""" # c\nLICENSE """b"""', "line 3: SYSTEM goes on after", "Close"),
        (LEAST + 'SYSTEM "a\nPARAMETER stop "b"\n', 'line 3: the " that opens SYSTEM', "Close"),
        (LEAST + 'SYSTEM "\n', 'line 3: the " that opens SYSTEM', "Close"),
        (LEAST + "PARAMETER num_ctx 2k\n", "line 3: num_ctx is 2k", "a whole number from 1"),
        (LEAST + "PARAMETER num_ctx 2048 # small\n", "num_ctx is 2048 # small", "whole number"),
        (LEAST + "PARAMETER num_ctx 0\n", "num_ctx is 0", "whole number"),
        (LEAST + "PARAMETER num_ctx 2_048\n", "num_ctx is 2_048", "whole number"),
        (LEAST + "PARAMETER num_ctx ٣\n", "num_ctx is ٣", "whole number"),
        (LEAST + "PARAMETER temperature hot\n", "temperature is hot", "a number from 0 to 2"),
        (LEAST + "PARAMETER temperature nan\n", "temperature is nan", "a number from 0 to 2"),
        (LEAST + "PARAMETER top_p 1.5\n", "top_p is 1.5", "from 0 to 1"),
        (LEAST + "PARAMETER use_mmap yes\n", "use_mmap is yes", "true or false"),
        (LEAST + "PARAMETER num_ctx 1\nPARAMETER num_ctx 2\n", "4 is a second num_ctx", "Keep"),
        (LEAST + "PARAMETER temprature 1\n", "line 3: temprature is not", "mean temperature?"),
        (LEAST + "PARAMETER mirostat 1\n", "line 3: mirostat is not", "Use one of|mean"),
        (LEAST + "PARAMETER  stop x\n", "not followed by exactly one blank", "one blank"),
        (LEAST + "MESSAGE doctor hi\n", "line 3: doctor is not a role", "user"),
        (LEAST + "REQUIRES soon\n", "REQUIRES soon is no version", "0.20.3"),
        (LEAST + "SYSTEM 37\u00a0°C\n", r"U\+00A0 \(NO-BREAK SPACE\)", "prints"),
        (LEAST + "SYSTEM \U0001f469\u200d⚕\n", r"U\+200D \(ZERO WIDTH JOINER\)", "prints"),
        (LEAST + "SYSTEM a\x0cb\n", r"U\+000C \(a control character\)", "prints"),
        ("FROM m\r\nTEMPLATE t\r\n", "line 1 has a carriage return", "Unix"),
    ],
)
def test_what_ollama_would_alter_or_refuse_is_refused(text: str, what: str, fix: str) -> None:
    with pytest.raises(MedllmError) as caught:
        parse(text)
    assert re.search(what, caught.value.what), caught.value.what
    assert re.search(fix, caught.value.fix), caught.value.fix


def test_an_error_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(MedllmError, match=r"none cannot be read: No such file"):
        read_modelfile(tmp_path / "none")
    (tmp_path / "Modelfile").write_bytes(LEAST.encode() + b"SYSTEM \xff\n")
    with pytest.raises(MedllmError, match=r"Modelfile is not UTF-8 at byte 44"):
        read_modelfile(tmp_path / "Modelfile")
    (tmp_path / "Modelfile").write_bytes(b"\xef\xbb\xbf" + LEAST.encode())
    assert read_modelfile(tmp_path / "Modelfile").source == "./m.gguf"


def test_stops_go_to_the_server_as_a_list() -> None:
    record = parse(LEAST + "PARAMETER stop a\nPARAMETER top_k 40\n")
    assert record.api_parameters() == {"stop": ["a"], "top_k": 40}


_CHARACTERS = st.characters(exclude_categories=("C", "Z"), include_characters=' \n"')
_TEXTS = st.text(_CHARACTERS, min_size=1).filter(lambda text: text.strip() and '"""' not in text)


@given(
    st.builds(
        Modelfile,
        source=st.just("../quantize/medllm-q4_k_m.gguf"),
        template=_TEXTS,
        system=_TEXTS,
        licenses=st.lists(_TEXTS, max_size=3).map(tuple),
        messages=st.lists(
            st.builds(Message, role=st.sampled_from(["user", "assistant"]), content=_TEXTS),
            max_size=2,
        ).map(tuple),
        parameters=st.fixed_dictionaries(
            {"stop": st.lists(_TEXTS, min_size=1, max_size=3).map(tuple)},
            optional={
                "temperature": st.decimals(0, 2, places=2).map(float),
                "num_ctx": st.integers(1, 9999),
                "use_mmap": st.booleans(),
            },
        ),
    )
)
def test_what_is_written_is_read_back(record: Modelfile) -> None:
    assert parse(record.text()) == record


def test_the_parameters_are_those_of_ollama() -> None:
    """Those of ``api.Options`` in Ollama 0.33; a new one there should be looked at here."""
    options = """
        draft_num_predict frequency_penalty main_gpu min_p num_batch num_ctx num_gpu num_keep
        num_predict num_thread presence_penalty repeat_last_n repeat_penalty seed stop
        temperature top_k top_p typical_p use_mmap
    """
    assert sorted(PARAMETERS) == options.split()
