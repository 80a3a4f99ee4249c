"""Tokens of Entra ID: kept, renewed, run from a command, and never shown."""

import sys
import time
from datetime import datetime
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import orjson
import pytest

from fennec_cli.entra import AccessToken, Fetch, TokenSource, identity, read_token, run_token_command, token_source
from fennec_cli.errors import AuthenticationError, ConfigError
from fennec_cli.keys import Secret
from tests.cases import read

CANARY = "eyJ0eXAi.canary.sig"
SCOPES = ("https://ai.example/.default", "https://cognitive.example/.default")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Issuer:
    """Issues token-1, token-2, … and writes down for which scopes."""

    def __init__(self, clock: Clock, lifetime: float | None = 3600.0) -> None:
        self.clock, self.lifetime, self.scopes = clock, lifetime, list[str]()

    def __call__(self, scope: str) -> AccessToken:
        self.scopes.append(scope)
        end = None if self.lifetime is None else self.clock.now + self.lifetime
        return AccessToken(Secret(f"token-{len(self.scopes)}"), end)


def test_a_token_is_kept_until_a_minute_before_it_expires() -> None:
    clock = Clock()
    source = TokenSource(Issuer(clock), SCOPES, clock=clock)
    assert source.token() == source.token() == "Bearer token-1"
    clock.now += 3600 - 61
    assert source.token() == "Bearer token-1"
    clock.now += 1
    assert source.token() == "Bearer token-2"


def test_nothing_is_fetched_before_it_is_needed() -> None:
    issuer = Issuer(Clock())
    TokenSource(issuer, SCOPES)
    assert issuer.scopes == []


def test_a_token_that_does_not_say_when_it_ends_is_not_kept_for_long() -> None:
    clock = Clock()
    source = TokenSource(Issuer(clock, lifetime=None), SCOPES, clock=clock)
    source.token()
    clock.now += 299
    assert source.token() == "Bearer token-1"
    clock.now += 1
    assert source.token() == "Bearer token-2"


def test_a_token_of_the_past_is_refused() -> None:
    clock = Clock()
    with pytest.raises(AuthenticationError, match="expired already"):
        TokenSource(Issuer(clock, lifetime=-1), SCOPES, clock=clock).token()


def test_a_refused_token_is_renewed_once() -> None:
    issuer = Issuer(Clock())
    source = TokenSource(issuer, SCOPES, clock=issuer.clock)
    refused = source.token()
    source.invalidate(refused)
    source.invalidate(refused)
    assert source.token() == "Bearer token-2"
    source.invalidate(refused)  # another thread, late
    assert source.token() == "Bearer token-2"
    assert issuer.scopes == [SCOPES[0]] * 2


def test_a_wrong_audience_changes_the_scope() -> None:
    issuer = Issuer(Clock())
    source = TokenSource(issuer, SCOPES, clock=issuer.clock)
    source.invalidate(source.token(), "Access token is missing, invalid, audience is incorrect, or have expired.")
    source.token()
    assert issuer.scopes == list(SCOPES)


def test_a_scope_that_the_cloud_does_not_know_is_followed_by_the_other() -> None:
    def fetch(scope: str) -> AccessToken:
        if scope == SCOPES[0]:
            raise AuthenticationError("Entra ID: AADSTS500011: The resource principal was not found")
        return AccessToken(Secret("good"), time.time() + 3600)

    assert TokenSource(fetch, SCOPES).token() == "Bearer good"


def test_other_failures_are_raised_at_once() -> None:
    asked = []

    def fetch(scope: str) -> AccessToken:
        asked.append(scope)
        raise AuthenticationError("Entra ID: AADSTS7000215: Invalid client secret provided")

    with pytest.raises(AuthenticationError, match="AADSTS7000215"):
        TokenSource(fetch, SCOPES).token()
    assert asked == [SCOPES[0]]


@pytest.mark.parametrize(
    ("output", "token", "expires_on"),
    [
        (b"abc.def\n", "abc.def", None),
        (b"Bearer abc.def", "abc.def", None),
        (b'{"accessToken":"a","expires_on":5000}', "a", 5000),
        (b'{"access_token":"a","expires_on":"5000"}', "a", 5000),
        (b'{"access_token":"a","expires_in":"60"}', "a", 1060),
        (b'{"access_token":"a","expires_in":60,"expires_on":5000}', "a", 5000),
        (b'{"accessToken":"a","expiresOn":"2026-11-22T12:00:00Z"}', "a", 1795348800),
        (b'{"access_token":"a"}', "a", None),
        (read("azure-cli-token.json"), "eyJ0eXAi.e30.sig", 1795350896),
        (read("azure-imds-token.json"), "eyJ0eXAi.e30.sig", 1795444200),
        (read("azure-token.json"), "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.e30.sig", 1000 + 3599),
    ],
)
def test_tokens_as_commands_print_them(output: bytes, token: str, expires_on: float | None) -> None:
    found = read_token(output, now=1000)
    assert (found.secret.reveal(), found.expires_on) == (token, expires_on)


def test_a_date_without_a_zone_is_local_time() -> None:
    found = read_token(b'{"accessToken":"a","expiresOn":"2026-11-22 12:34:56.000000"}', now=0)
    assert found.expires_on == datetime(2026, 11, 22, 12, 34, 56).timestamp()


@pytest.mark.parametrize(
    "output",
    [
        b"",
        b" \n",
        b"two words",
        b"a\nb",
        b"\xff",
        b"{",
        b"{}",
        b'{"accessToken":7}',
        b'{"accessToken":"a b"}',
        b'{"accessToken":"a","expires_on":"soon"}',
        b'{"accessToken":"a","expires_on":"nan"}',
        b'{"accessToken":"a","expires_in":[1]}',
        b'{"accessToken":"a","expiresOn":[1]}',
        read("azure-token-error-401.json"),
    ],
)
def test_what_is_no_token_is_refused(output: bytes) -> None:
    with pytest.raises(ValueError, match="printed"):
        read_token(output, now=0)


def command(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_command_runs_without_a_shell_and_without_other_keys() -> None:
    environ = {
        "OPENAI_API_KEY": CANARY,
        "FENNEC_AZURE_API_KEY": CANARY,
        "OPENROUTER_KEY": CANARY,
        "AZURE_OPENAI_KEY": CANARY,
        "AZURE_CLIENT_SECRET": "kept",
    }
    code = "import os, sys; print('-'.join([*sys.argv[1:], *sorted(os.environ.values())]).replace(' ', '_'))"
    found = run_token_command([*command(code), "$HOME;ls"], environ)
    assert found.secret.reveal().startswith("$HOME;ls-")
    assert "kept" in found.secret.reveal()
    assert CANARY not in found.secret.reveal()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (f"print('{CANARY}'); raise SystemExit(3)", "status 3"),
        (f"import sys; sys.stderr.write('{CANARY}'); raise SystemExit(1)", "status 1"),
        (f"print('{CANARY} {CANARY}')", "no token"),
        (f"print('{{{CANARY}')", "invalid JSON"),
        (f"print('{CANARY}' * 10_000)", "more than 64 KiB"),
        ("pass", "no token"),
    ],
)
def test_a_failing_command_is_one_line_without_the_token(
    code: str, words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(AuthenticationError, match=words) as caught:
        run_token_command(command(code), {})
    assert CANARY not in caught.value.line()
    assert (caught.value.exit_status, caught.value.retryable) == (4, False)
    assert capfd.readouterr() == ("", "")


def test_a_command_that_does_not_exist_is_an_error_of_its_name() -> None:
    with pytest.raises(AuthenticationError, match="token_command get-token cannot be run"):
        run_token_command(["/nonexistent/get-token"], {})


@pytest.mark.parametrize("code", ["import time; time.sleep(60)", "import os, time; os.close(1); time.sleep(60)"])
def test_a_slow_command_is_ended(code: str) -> None:
    began = time.monotonic()
    with pytest.raises(AuthenticationError, match="longer than"):
        run_token_command(command(code), {}, timeout_s=0.3)
    assert time.monotonic() - began < 10


def test_what_a_command_leaves_behind_is_ended_with_it(tmp_path: Path) -> None:
    mark = tmp_path / "alive"
    child = f"import time; time.sleep(1); open({str(mark)!r}, 'w')"
    code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {child!r}], stdout=2); print('a')"
    assert run_token_command(command(code), {}).secret.reveal() == "a"
    time.sleep(1.5)
    assert not mark.exists()


def test_the_command_goes_before_the_package() -> None:
    source = token_source(command("print('abc')"), authority="login.example", scopes=SCOPES, environ={})
    assert source.token() == "Bearer abc"


def test_a_missing_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "azure.identity", None)
    monkeypatch.setitem(sys.modules, "azure.core.exceptions", None)
    source = token_source(None, authority="login.example", scopes=SCOPES, environ={})
    with pytest.raises(ConfigError) as caught:
        source.token()
    assert "pip install 'fennec-cli[azure]'" in (caught.value.hint or "")


def installed(monkeypatch: pytest.MonkeyPatch, credential: Any) -> type[Exception]:
    """Put a stand-in for azure-identity in place and return its root of errors."""

    class AzureError(Exception):
        pass

    modules = {name: ModuleType(name) for name in ("azure", "azure.core", "azure.core.exceptions", "azure.identity")}
    modules["azure.core.exceptions"].AzureError = AzureError  # type: ignore[attr-defined]
    modules["azure.identity"].DefaultAzureCredential = credential  # type: ignore[attr-defined]
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    return AzureError


@pytest.mark.parametrize(
    ("environ", "given"),
    [({}, {"authority": "login.example"}), ({"AZURE_AUTHORITY_HOST": "login.other"}, {})],
)
def test_the_package_is_asked_for_the_scope_in_the_right_cloud(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], given: dict[str, str]
) -> None:
    made: list[dict[str, Any]] = []

    class Credential:
        def __init__(self, **options: Any) -> None:
            made.append(options)

        def get_token(self, scope: str) -> Any:
            return SimpleNamespace(token=f"for-{scope}", expires_on=2000)

    installed(monkeypatch, Credential)
    fetch: Fetch = identity("login.example", environ)
    assert [fetch(scope).secret.reveal() for scope in ("a", "b")] == ["for-a", "for-b"]
    assert made == [given]


def test_a_failure_of_the_package_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    class Credential:
        def __init__(self, **_options: Any) -> None:
            pass

        def get_token(self, _scope: str) -> Any:
            raise root("DefaultAzureCredential failed.\nAttempted credentials:\n\tAzureCliCredential: " + "x" * 2000)

    root = installed(monkeypatch, Credential)
    with pytest.raises(AuthenticationError) as caught:
        identity("login.example", {})("a")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_token_does_not_show_itself() -> None:
    source = TokenSource(lambda _scope: AccessToken(Secret(CANARY), time.time() + 3600), SCOPES)
    token = source.token()
    assert token == f"Bearer {CANARY}"
    assert CANARY not in f"{source!r} {vars(source)} {AccessToken(Secret(CANARY))!r}"
    with pytest.raises(TypeError):
        orjson.dumps(AccessToken(Secret(CANARY)))
