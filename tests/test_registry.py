"""Which provider and model answer, and how they are set up."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson
import pytest

from fennec_cli.assembly import Assembly, Overrides
from fennec_cli.config import Config, ProviderConfig
from fennec_cli.errors import AuthenticationError, ConfigError
from fennec_cli.keys import Secret
from fennec_cli.registry import ProviderRegistry
from fennec_cli.request import CompletionRequest

KEY = {"OPENAI_API_KEY": "sk-test"}


def registry(environ: dict[str, str] | None = None, **config: Any) -> ProviderRegistry:
    providers = {each.name: each for each in config.pop("providers", ())}
    return ProviderRegistry(Config(providers=providers, **config), environ=environ or {})


def chosen(*names: str | None, environ: dict[str, str] | None = None, **config: Any) -> tuple[str, str]:
    target = registry(environ, **config).choose(*names)
    return target.provider, target.model


GROQ = ProviderConfig(name="groq", type="openai", base_url="https://api.groq.example/v1", model="llama")


def test_a_prefix_that_is_a_provider_names_it() -> None:
    assert chosen("openai/gpt-x") == ("openai", "gpt-x")
    assert chosen("groq/a/b", providers=[GROQ]) == ("groq", "a/b")


def test_a_prefix_that_is_none_belongs_to_the_model() -> None:
    assert chosen("meta/llama", environ=KEY) == ("openai", "meta/llama")


def test_an_alias_stands_for_a_full_name() -> None:
    assert chosen("fast", alias={"fast": "groq/quick"}, providers=[GROQ]) == ("groq", "quick")


def test_a_named_provider_wins_and_its_prefix_is_not_doubled() -> None:
    assert chosen("a/b", "groq", providers=[GROQ]) == ("groq", "a/b")
    assert chosen("groq/m", "groq", providers=[GROQ]) == ("groq", "m")
    assert chosen(None, "groq", providers=[GROQ]) == ("groq", "llama")


def test_the_configured_provider_comes_before_a_key() -> None:
    assert chosen(environ=KEY, provider="groq", providers=[GROQ]) == ("groq", "llama")


def test_a_key_chooses_its_provider_and_its_default_model() -> None:
    assert chosen(environ=KEY) == ("openai", "gpt-5.4-mini")
    assert chosen(environ={"FENNEC_OPENAI_API_KEY": "k"}) == ("openai", "gpt-5.4-mini")


@pytest.mark.parametrize("key", [{"api_key": "${NO_SUCH_KEY}"}, {"api_keys": ("${NO_SUCH_KEY}", "${NO_SUCH_KEY_2}")}])
def test_a_variable_that_is_not_set_is_no_key(key: dict[str, Any]) -> None:
    openai = ProviderConfig(name="openai", type="openai", **key)
    anthropic = ProviderConfig(name="anthropic", type="anthropic", api_key="${ANTHROPIC_API_KEY}", model="claude")
    providers = [openai, anthropic]
    assert chosen(environ={"ANTHROPIC_API_KEY": "k"}, providers=providers) == ("anthropic", "claude")
    environ = {"ANTHROPIC_API_KEY": "k", "NO_SUCH_KEY": "k"}
    assert chosen("m", environ=environ, providers=providers) == ("openai", "m")


@pytest.mark.skipif(find_spec("xllamacpp") is not None, reason="the embedded engine is installed and answers")
def test_nothing_configured_says_what_to_do() -> None:
    with pytest.raises(ConfigError) as caught:
        chosen()
    assert "OPENAI_API_KEY" in caught.value.line()


def test_an_unknown_provider_is_named_with_the_known_ones() -> None:
    with pytest.raises(ConfigError) as caught:
        chosen("m", "opanai")
    assert "opanai" in caught.value.line()
    assert "openai" in (caught.value.hint or "")


def preview(environ: dict[str, str], overrides: Overrides = Overrides(), **settings: Any) -> Any:
    config = Config(providers={"openai": ProviderConfig(name="openai", type="openai", **settings)})
    provider = ProviderRegistry(config, overrides=overrides, environ=environ).get_provider("openai", "gpt-5.5")
    return provider.preview(CompletionRequest.from_text("Hi", model="gpt-5.5"))


def test_the_environment_gives_address_and_headers_of_a_built_in_provider() -> None:
    call = preview({**KEY, "OPENAI_BASE_URL": "https://gateway.example/v1", "OPENAI_ORG_ID": "org"})
    assert call.url == "https://gateway.example/v1/chat/completions"
    assert call.headers["openai-organization"] == "org"


def test_the_configured_address_wins_over_the_environment() -> None:
    call = preview({**KEY, "OPENAI_BASE_URL": "https://a.example/v1"}, base_url="https://b.example/v1")
    assert call.url.startswith("https://b.example/v1/")


def test_a_preview_shows_where_the_key_goes_but_not_the_key() -> None:
    call = preview(KEY)
    assert call.headers["authorization"] == "Bearer ***"
    assert "sk-test" not in repr(call)


def test_sampling_from_the_configuration_is_left_out_for_a_model_that_refuses_it() -> None:
    body = orjson.loads(preview(KEY, temperature=0.7, max_tokens=10).body)
    assert "temperature" not in body
    assert body["max_output_tokens"] == 10
    allowed = orjson.loads(preview(KEY, temperature=0.7, reasoning_effort="none").body)
    assert allowed["temperature"] == 0.7


def test_the_variable_of_one_service_is_not_sent_to_another() -> None:
    provider = ProviderRegistry(Config(providers={"groq": GROQ}), environ=KEY).get_provider("groq", "llama")
    with pytest.raises(AuthenticationError):
        provider.preview(CompletionRequest.from_text("Hi", model="llama"))


@pytest.mark.parametrize("how", ["tried", "file", "variable"])
def test_a_key_that_is_named_outright_comes_before_the_command_for_tokens(tmp_path: Path, how: str) -> None:
    file = tmp_path / "key"
    file.write_text("named-outright")
    overrides = {"tried": Overrides(key=Secret("named-outright")), "file": Overrides(api_key_file=str(file))}
    environ = {"FENNEC_AZURE_API_KEY": "named-outright"} if how == "variable" else {}
    extra = {"endpoint": "https://r.openai.azure.com", "token_command": ("/nonexistent",)}
    azure = ProviderConfig(name="azure", type="azure", extra=extra)
    given = overrides.get(how, Overrides())
    credentials = Assembly(azure, "m", overrides=given, environ=environ).credentials
    assert credentials.key("https://r.openai.azure.com") == "named-outright"


@pytest.mark.parametrize("insecure", [False, True])
def test_every_region_is_asked_over_plain_http_by_permission_only(insecure: bool) -> None:
    regions = (
        {"name": "west", "endpoint": "https://west.example"},
        {"name": "north", "endpoint": "http://north.example"},
    )
    azure = ProviderConfig(name="azure", type="azure", allow_insecure_http=insecure, extra={"regions": regions})
    made = registry({"AZURE_OPENAI_API_KEY": "k"}, providers=[azure])
    if insecure:
        made.get_provider("azure", "m")
        return
    with pytest.raises(ConfigError) as caught:
        made.get_provider("azure", "m")
    assert "region north is plain http to another machine" in caught.value.line()


def test_a_server_on_this_machine_needs_no_key() -> None:
    call = preview({"OPENAI_BASE_URL": "http://127.0.0.1:1/v1"})
    assert "authorization" not in call.headers


@pytest.mark.parametrize("url", ["http://127.0.0.1.example.net/v1", "http://localhost.example.net/v1"])
def test_a_name_that_looks_like_this_machine_is_not_it(url: str) -> None:
    with pytest.raises(ConfigError):
        preview({**KEY, "OPENAI_BASE_URL": url})


def test_a_key_goes_over_plain_http_to_another_machine_only_when_told_twice() -> None:
    away = {"base_url": "http://10.0.0.1/v1", "allow_insecure_http": True}
    assert "authorization" not in preview(KEY, **away).headers
    assert "authorization" in preview(KEY, **away, send_key_insecure=True).headers


@pytest.mark.parametrize(
    "url", ["http://127.evil.example/v1", "http://localhost.evil.example/v1", "HTTP://10.0.0.1/v1"]
)
def test_an_address_that_only_looks_harmless_gets_no_key_over_plain_http(url: str) -> None:
    assert "authorization" not in preview(KEY, base_url=url, allow_insecure_http=True).headers


def test_an_unset_variable_in_api_key_only_means_look_further() -> None:
    assert "authorization" in preview(KEY, api_key="${NO_SUCH_VARIABLE}").headers


def test_prices_come_from_the_configuration_then_from_the_catalogue() -> None:
    from fennec_cli.pricing import Price

    priced = ProviderConfig(name="openai", type="openai", prices={"gpt-6-luna": Price(7.0, 8.0)})
    assert registry(providers=[priced]).price("openai", "gpt-6-luna") == Price(7.0, 8.0)
    catalogue = registry().price("openai", "gpt-6-luna")
    assert catalogue is not None
    assert (catalogue.input, catalogue.cached, catalogue.output) == (0.1, 0.01, 0.5)
    assert registry().price("openai", "unheard-of") is None


def test_usable_providers_are_those_with_a_key_an_address_or_an_engine() -> None:
    names = registry(KEY, providers=[GROQ]).names()
    assert set(names) - {"local"} == {"openai", "groq"}


def test_the_catalogue_tells_which_models_may_think_in_silence() -> None:
    provider = registry(KEY).direct("openai")
    assert provider.reasons("gpt-5.4-mini")
    assert not provider.reasons("gpt-4")
    assert not provider.reasons("nobody-knows-it")


def test_a_provider_tells_whether_it_keeps_a_private_request() -> None:
    request = CompletionRequest.from_text("hi", model="m", private=True)
    made = registry({**KEY, "ANTHROPIC_API_KEY": "k"}, providers=[GROQ])
    kept = {name: made.keeps_private(name, request) for name in ("openai", "anthropic", "openrouter", "local", "groq")}
    assert kept == {"openai": True, "anthropic": False, "openrouter": True, "local": True, "groq": False}
