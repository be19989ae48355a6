import pytest

from medllm.pipeline.errors import MedllmError
from medllm.pipeline.release.ollama_host import MINIMUM_KEY, MINIMUM_VERSION, host_url, version_key


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("", "http://127.0.0.1:11434"),
        ("1.2.3.4", "http://1.2.3.4:11434"),
        (":56789", "http://127.0.0.1:56789"),
        ("1.2.3.4:56789", "http://1.2.3.4:56789"),
        ("http://1.2.3.4", "http://1.2.3.4:80"),
        ("https://1.2.3.4", "https://1.2.3.4:443"),
        ("https://example.com:5000/ollama/", "https://example.com:5000/ollama"),
        ("example.com/", "http://example.com:11434"),
        ("::1", "http://[::1]:11434"),
        ("[::1]:5000", "http://[::1]:5000"),
        ("[0001:002:003:0004::1]", "http://[1:2:3:4::1]:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:5000", "http://127.0.0.1:5000"),
        ("[::]:5000", "http://[::1]:5000"),
        ("localhost:99999", "http://localhost:11434"),
        ("localhost:word", "http://localhost:11434"),
    ],
)
def test_missing_parts_are_filled_as_ollama_does(value: str, url: str) -> None:
    assert host_url(value) == url


@pytest.mark.parametrize("value", ["ftp://host", "a b", "http://user@host:80:80", "host:1:2"])
def test_what_is_no_host_is_refused(value: str) -> None:
    with pytest.raises(MedllmError, match="OLLAMA_HOST="):
        host_url(value)


def test_versions_sort_with_candidates_before_their_release() -> None:
    written = ["0.17.1", "0.20.2", "0.20.3-rc1", "0.20.3", "v0.20.10", "0.33.0-rc2", "1.0.0+x"]
    keys = [version_key(text) for text in written]
    assert keys == sorted(key for key in keys if key)
    assert version_key(MINIMUM_VERSION) == MINIMUM_KEY
    assert version_key("<html>") is None
    assert version_key("1.2") is None
