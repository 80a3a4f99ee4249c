"""Where a key comes from, and that it does not show itself."""

import pickle
from pathlib import Path

import pytest

from fennec_cli.errors import AuthenticationError, ConfigError
from fennec_cli.keys import Secret, Sources, has_key, place_of
from fennec_cli.keys.places import no_key

OPENAI = ("OPENAI_API_KEY",)


def find(**places: object) -> str:
    environ = places.pop("environ", {})
    sources = Sources("openai", OPENAI, environ, **places)  # type: ignore[arg-type]
    place = place_of(sources)
    if place is None:
        raise no_key(sources)
    return place.active().secret.reveal()


def test_places_are_asked_in_order(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("from-file\n")
    environ = {"FENNEC_OPENAI_API_KEY": "own", "OPENAI_API_KEY": "provider"}
    assert find(environ=environ, key_file=str(file), configured="configured") == "from-file"
    assert find(environ=environ, configured="configured") == "own"
    assert find(environ={"OPENAI_API_KEY": "provider"}, configured="configured") == "configured"
    assert find(environ={"OPENAI_API_KEY": "provider"}, configured=f"file:{file}") == "from-file"
    assert find(environ={"OPENAI_API_KEY": "provider"}) == "provider"
    assert find(environ={"OPENAI_API_KEY": "provider"}, several=("first", "second")) == "first"
    credentials = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    (tmp_path / "openai_api_key").write_text("from-systemd")
    assert find(environ={"OPENAI_API_KEY": "provider", **credentials}) == "provider"
    assert find(environ=credentials, command=("echo", "from-command")) == "from-systemd"
    assert find(environ={}, command=("echo", "from-command")) == "from-command"


def test_a_credential_of_systemd_makes_a_provider_usable(tmp_path: Path) -> None:
    (tmp_path / "my_llm_api_key").write_text("k")
    assert has_key("my-llm", (), {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert not has_key("other", (), {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert not has_key("my-llm", (), {"CREDENTIALS_DIRECTORY": "relative"})


def test_no_key_anywhere_says_where_to_put_one() -> None:
    with pytest.raises(AuthenticationError, match="no key") as caught:
        find()
    assert "OPENAI_API_KEY" in caught.value.line()


def test_an_empty_variable_is_no_key() -> None:
    assert not has_key("openai", OPENAI, {"OPENAI_API_KEY": ""})
    assert has_key("my-llm", (), {"FENNEC_MY_LLM_API_KEY": "k"})


@pytest.mark.parametrize("content", [b"", b"  \n", b"two words", b"caf\xc3\xa9", b"a\nb"])
def test_a_file_that_holds_no_key_is_refused_without_showing_it(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)
    with pytest.raises(AuthenticationError) as caught:
        find(key_file=str(file))
    assert content.decode().strip() == "" or content.decode().strip() not in caught.value.line()


@pytest.mark.parametrize("content", [None, b"\xff", b"k" * 70_000])
def test_a_key_file_that_cannot_be_read_is_a_matter_of_configuration(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError):
        find(key_file=str(file))


def test_a_secret_does_not_show_itself() -> None:
    secret = Secret("sk-canary")
    assert "canary" not in f"{secret} {secret!r} {secret!s:>40} {[secret]}"
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    assert secret == Secret("sk-canary")
    assert secret != Secret("sk-other")
