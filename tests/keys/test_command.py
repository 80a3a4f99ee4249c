"""Commands that print a key."""

import sys
import time
from pathlib import Path

import pytest

from fennec_cli.errors import AuthenticationError
from fennec_cli.keys.command import MAX_OUTPUT, read_key, run_key_command, without_keys
from fennec_cli.keys.places import Sources, place_of
from fennec_cli.keys.source import KeySource

CANARY = "sk-canary-0123456789"


def test_a_bare_key_and_json_are_read() -> None:
    assert read_key(f" {CANARY}\n".encode())[0].reveal() == CANARY
    secret, expires_on = read_key(b'{"version": 1, "api_key": "k-1", "expiration": "2999-01-01T00:00:00Z"}')
    assert (secret.reveal(), expires_on) == ("k-1", 32472144000.0)
    assert read_key(b'{"api_key": "k-1", "expiration": 32472144000}')[1] == 32472144000.0
    assert read_key(b'{"version": 1, "api_key": "k-1"}')[1] is None


@pytest.mark.parametrize(
    "printed",
    [
        b"",
        b"two words",
        b"{",
        b'{"version": 2, "api_key": "sk-canary-0123456789"}',
        b'{"version": 1, "key": "sk-canary-0123456789"}',
        b'{"version": 1, "api_key": 7}',
        b'{"version": 1, "api_key": "sk-canary-0123456789", "expiration": "soon"}',
        b'{"version": 1, "api_key": "sk-canary-0123456789", "expiration": 1000}',
        b'{"version": 1, "api_key": "sk-canary-0123456789", "expiration": [1]}',
    ],
)
def test_what_is_no_key_is_refused_without_showing_it(printed: bytes) -> None:
    with pytest.raises(ValueError, match="printed") as caught:
        read_key(printed)
    assert CANARY not in str(caught.value)


def test_the_command_gets_no_keys_and_no_shell() -> None:
    program = "import os, sys; print(','.join(sorted(os.environ)) + sys.argv[1])"
    environ = {"PATH": "/usr/bin:/bin", "OPENAI_API_KEY": CANARY, "FENNEC_X_API_KEY": CANARY, "OPENROUTER_KEY": CANARY}
    secret, _ = run_key_command([sys.executable, "-c", program, "$(echo;x)"], environ)
    names = secret.reveal()
    assert names.endswith("$(echo;x)")
    assert "KEY" not in names
    assert without_keys({"my_api_key": "x", "HOME": "/"}) == {"HOME": "/"}


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (["/nowhere/to/be/found"], "cannot be run"),
        (["sh", "-c", f"echo {CANARY} >&2; exit 3"], "status 3"),
        (["sh", "-c", f"head -c {MAX_OUTPUT + 10} /dev/zero"], "more than 64 KiB"),
        (["sh", "-c", "sleep 20"], "longer than"),
        (["sh", "-c", "exec >&-; sleep 20"], "longer than"),
        (["sh", "-c", f"setsid sleep 5 & echo {CANARY}"], "longer than"),
    ],
)
def test_a_command_that_fails_is_named_and_not_repeated(command: list[str], reason: str) -> None:
    begin = time.monotonic()
    with pytest.raises(AuthenticationError, match=reason) as caught:
        run_key_command(command, {"PATH": "/usr/bin:/bin"}, timeout_s=0.5)
    assert CANARY not in caught.value.line()
    assert time.monotonic() - begin < 3.0


def test_a_key_that_expires_is_fetched_again_a_minute_before(tmp_path: Path) -> None:
    count = tmp_path / "count"
    count.write_text("")
    expires = time.time() + 1000
    form = '{"version":1,"api_key":"k-%d","expiration":%d}'
    script = f"echo x >> {count}; printf '{form}' $(wc -l < {count}) {expires:.0f}"
    place = place_of(Sources("openai", (), {"PATH": "/usr/bin:/bin"}, command=("sh", "-c", script)))
    assert place is not None
    now = [time.time()]
    source = KeySource("openai", place, clock=lambda: now[0])
    assert [source.key(), source.key()] == ["k-1", "k-1"]
    now[0] = expires - 61
    assert source.key() == "k-1"
    now[0] = expires - 59
    assert source.key() == "k-2"
