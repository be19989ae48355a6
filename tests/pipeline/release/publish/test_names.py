import pytest

from medllm.pipeline.errors import MedllmError
from medllm.pipeline.release.publish.names import HUB, host_reach, repository


def test_the_hub_is_left_out_of_a_servers_names() -> None:
    hub = repository(HUB, "someone/medllm")
    assert (hub.url, hub.path) == ("https://registry.ollama.ai", "someone/medllm")
    assert hub.tagged("1.0.0-q4_k_m") == "someone/medllm:1.0.0-q4_k_m"
    assert repository("ollama.com", "someone/medllm") == hub
    own = repository("127.0.0.1:5000", "clinic/medllm", insecure=True)
    assert own.url == "http://127.0.0.1:5000"
    assert own.tagged("latest") == "127.0.0.1:5000/clinic/medllm:latest"


@pytest.mark.parametrize(
    ("name", "what"),
    [
        (None, "push.name is not set"),
        ("", "push.name is not set"),
        ("medllm", "no namespace of yours"),
        ("library/medllm", "no namespace of yours"),
        ("me/medllm:1.0", "'medllm:1.0' is no model"),
        ("me/team/medllm", "'team/medllm' is no model"),
        ("me.you/medllm", "'me.you' is no namespace"),
        ("me/", "'' is no model"),
        ("/medllm", "'' is no namespace"),
        ("me/-medllm", "'-medllm' is no model"),
        ("me/med llm", "'med llm' is no model"),
        ("me/medllm\n", "is no model"),
        ("me/médllm", "'médllm' is no model"),
        ("me/../x", "is no model"),
        ("me/" + "m" * 81, "is no model"),
        ("Me/medllm", "registries do not take 'Me'"),
        ("me/medllm_", "registries do not take 'medllm_'"),
        ("me/a..b", "registries do not take 'a..b'"),
    ],
)
def test_an_illegal_name_is_named(name: str | None, what: str) -> None:
    with pytest.raises(MedllmError, match=what.replace(".", r"\.")):
        repository(HUB, name)


@pytest.mark.parametrize(
    "host",
    [
        *("https://registry.ollama.ai", "host/path", "", ":5000", "host:0", "host:99999"),
        *("host:port", "[::1]:5000", "a b", "host:1:2", "-host", "user@host"),
    ],
)
def test_an_illegal_host_is_named(host: str) -> None:
    with pytest.raises(MedllmError, match=r"push\.registry .* is no host"):
        repository(host, "me/medllm")


@pytest.mark.parametrize(
    ("host", "reach"),
    [
        *(("127.0.0.1:5000", "loopback"), ("localhost", "loopback"), ("LOCALHOST:1", "loopback")),
        *(("127.9.9.9", "loopback"), ("10.0.0.7:5000", "private"), ("192.168.1.2", "private")),
        *(("172.16.0.1", "private"), ("169.254.1.1", "private"), ("100.64.0.1", "private")),
        *(("registry", "private"), ("nas.local:80", "private"), ("a.b.internal", "private")),
        *(("8.8.8.8", "public"), ("172.32.0.1", "public"), (HUB, "public")),
        *(("134744072", "public"), ("0x08080808", "public"), ("8.8.2056", "public")),
        *(("127.1", "public"), ("localhost.example.com", "public"), ("local", "private")),
        *(("internal.example.com", "public"), ("127.0.0.1.nip.io", "public")),
    ],
)
def test_who_can_read_at_a_host(host: str, reach: str) -> None:
    assert host_reach(host) == reach


def test_the_open_network_gets_no_plain_http() -> None:
    with pytest.raises(MedllmError, match="unencrypted over public networks"):
        repository("registry.example.com", "me/medllm", insecure=True)


def test_a_tag_must_be_legal() -> None:
    with pytest.raises(MedllmError, match="is no tag"):
        repository(HUB, "me/medllm").tagged("8 gb")
