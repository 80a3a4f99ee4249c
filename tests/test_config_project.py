"""`./.fennec.toml` may come with somebody else's repository."""

import os
from pathlib import Path

import pytest

from fennec_cli.config import Config, load_config
from fennec_cli.errors import ConfigError
from fennec_cli.registry import ProviderRegistry


def load_project(place: Path, project: str, *, user: str = "", user_id: int | None = None) -> Config:
    user_file = place / "xdg/fennec/config.toml"
    user_file.parent.mkdir(parents=True, exist_ok=True)
    user_file.write_text(user)
    (place / ".fennec.toml").write_text(project)
    return load_config(
        environ={"XDG_CONFIG_HOME": str(place / "xdg"), "SECRET": "canary"},
        cwd=place,
        system_file=place / "none",
        user_id=lambda: os.geteuid() if user_id is None else user_id,
    )


def refusal(place: Path, project: str, *, user: str = "") -> str:
    with pytest.raises(ConfigError) as caught:
        load_project(place, project, user=user)
    return caught.value.line()


def test_a_project_chooses_model_sampling_and_limits(tmp_path: Path) -> None:
    config = load_project(
        tmp_path,
        """
        model = "groq/llama-4"
        format = "ndjson"
        deadline = "5m"
        alias.fast = "openai/gpt-5.4-mini"
        [provider.groq]
        model = "llama-4"
        temperature = 0.2
        stop = ["@", "END"]
        idle_timeout = "20s"
        [complete]
        provider = "groq"
        max_tokens = 100
        """,
        user="[provider.groq]\ntype = 'openai'\nbase_url = 'https://groq.example/v1'",
    )
    groq = config.providers["groq"]
    assert (config.model, config.format, config.deadline) == ("groq/llama-4", "ndjson", 300)
    assert (groq.base_url, groq.temperature, groq.idle_timeout) == ("https://groq.example/v1", 0.2, 20)
    assert config.commands["complete"] == {"provider": "groq", "max_tokens": 100}


@pytest.mark.parametrize(
    "text",
    [
        "[provider.openai]\nbase_url = 'https://evil.example'",
        "[provider.openai]\napi_key = 'x'",
        "[provider.openai]\ntype = 'ollama'",
        "[provider.openai]\nca_bundle = 'evil.pem'",
        "[provider.openai]\ntls_min = '1.2'",
        "[provider.openai]\nallow_insecure_http = true",
        "[provider.openai]\nheaders.X = 'x'",
        "[provider.openai]\nretry.max_attempts = 99",
        "[provider.openai.prices.m]\ninput = 0",
        "[network]\nsend_key_insecure = true",
        "[log]\nfile = '/home/me/.bashrc'",
        "[complete]\nsystem = '@/etc/passwd'",
        "[complete]\nsystem = 'obey'",
        "[complete]\nfile = '/etc/passwd'",
        "[complete]\noutput = '/home/me/.bashrc'",
        "[complete]\noption = 'store=true'",
        "[complete]\ntools = 'tools.json'",
        "[complete]\nschema = 'schema.json'",
        "[complete]\nattach = '/etc/passwd'",
        "[provider.openai]\napi = 'chat'",
        "[complete]\nallow_truncated = true",
        "[complete]\nlog_file = 'x'",
        "[complete]\napi_key_file = 'x'",
        "[profile.work]\nmodel = 'x'",
        "[profile.work]",
    ],
)
def test_a_project_sets_nothing_else(tmp_path: Path, text: str) -> None:
    message = refusal(tmp_path, text)
    assert message.startswith(f"config: {tmp_path}/.fennec.toml:")
    assert message.endswith("may not be set by a project file; name the file with --config to trust it")


@pytest.mark.parametrize(
    "text",
    [
        "provider = 'evil'",
        "[complete]\nprovider = 'evil'",
        "[provider.evil]",
        "[provider.evil]\nmodel = 'x'",
    ],
)
def test_a_project_names_only_providers_that_the_user_knows(tmp_path: Path, text: str) -> None:
    assert "neither built in nor configured by you" in refusal(tmp_path, text)


@pytest.mark.parametrize("text", ["model = '${SECRET}'", "alias.a = 'x${SECRET}'", "[complete]\nstop = ['${SECRET}']"])
def test_a_project_uses_no_variables(tmp_path: Path, text: str) -> None:
    message = refusal(tmp_path, text)
    assert "may not hold ${VAR}" in message
    assert "canary" not in message


def test_a_hostile_file_cannot_use_up_memory(tmp_path: Path) -> None:
    assert refusal(tmp_path, "a." * 100_000 + "a = 1").endswith("/.fennec.toml: larger than 8 KiB")


def test_an_alias_named_like_a_key_is_only_an_alias(tmp_path: Path) -> None:
    text = "[alias]\nprovider = 'openai/gpt-5.4-mini'"
    assert load_project(tmp_path, text).alias == {"provider": "openai/gpt-5.4-mini"}


def belongs_to_a_stranger(file: Path) -> int:
    """Make the file somebody else's, and return the user for whom it is."""
    if os.geteuid() != 0:
        return os.geteuid() + 1
    os.chown(file, 12345, -1)  # what root owns counts as everybody's
    return 0


def test_a_strangers_file_is_ignored_with_a_note(tmp_path: Path) -> None:
    load_project(tmp_path, "")
    stranger = belongs_to_a_stranger(tmp_path / ".fennec.toml")
    config = load_project(tmp_path, "log = 1", user_id=stranger)
    assert config.notes == (f"{tmp_path}/.fennec.toml belongs to another user: ignored",)


def test_what_a_stranger_made_unreadable_is_ignored_too(tmp_path: Path) -> None:
    place = tmp_path / ".fennec.toml"
    place.mkdir()
    stranger = belongs_to_a_stranger(place)
    config = load_config(environ={}, cwd=tmp_path, system_file=tmp_path / "none", user_id=lambda: stranger)
    assert len(config.notes) == 1


def test_the_same_file_named_with_config_is_trusted(tmp_path: Path) -> None:
    file = tmp_path / ".fennec.toml"
    file.write_text("[provider.evil]\ntype = 'openai'\nbase_url = 'https://other.example'")
    config = load_config(environ={}, cwd=tmp_path, explicit=file, system_file=tmp_path / "none")
    assert list(config.providers) == ["evil"]


@pytest.mark.parametrize(
    ("project", "named"),
    [
        ("model = 'local/./evil.gguf'", ("local/./evil.gguf", None)),
        ("model = 'local/evil.gguf'", ("local/evil.gguf", None)),
        ("model = 'weights/evil'", ("weights/evil", "local")),
        ("model = 'openai/evil'", ("openai/evil", "local")),
        ("[complete]\nmodel = '/tmp/evil.gguf'", ("/tmp/evil.gguf", "local")),
        ("[bench]\nmodel = ['openai/x', 'local/./evil.gguf']", ("local/./evil.gguf", None)),
        ("candidates = ['local/~/evil.gguf']", ("local/~/evil.gguf", None)),
        ("alias.fast = 'mine/./evil.gguf'", ("fast", None)),
        ("[provider.local]\nmodel = './evil.gguf'", (None, "local")),
        ("[provider.mine]\nmodel = './evil.gguf'", (None, "mine")),
    ],
)
def test_a_project_opens_no_file_as_a_model(tmp_path: Path, project: str, named: tuple[str | None, str | None]) -> None:
    registry = ProviderRegistry(load_project(tmp_path, project, user="[provider.mine]\ntype = 'local'"), environ={})
    target = registry.choose(*named)
    with pytest.raises(ConfigError) as caught:
        registry.start_engine(target.provider, target.model)
    assert ".fennec.toml:" in caught.value.line()
    assert "may not name a file in a project file" in caught.value.line()


def test_the_same_model_file_named_by_the_user_is_opened(tmp_path: Path) -> None:
    config = load_project(tmp_path, "model = 'local/smollm2-135m'", user="alias.mine = 'local/./mine.gguf'")
    registry = ProviderRegistry(config, environ={})
    with pytest.raises(ConfigError, match="cannot read the model file"):
        registry.start_engine("local", registry.choose("mine").model)
