"""Shared by all tests: nothing of the user's configuration, keys or models reaches them."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from fennec_cli import redactor

PREFIXES = ("FENNEC_", "OPENAI_", "XDG_", "ANTHROPIC_", "AZURE_", "OPENROUTER_", "OLLAMA_")

signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup a fennec would leave it alone, as it should

# A machine with other work is no fault of a test.
settings.register_profile("fennec", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("fennec")


@pytest.fixture(autouse=True)
def clean_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty HOME and an environment without keys, proxies and settings."""
    home = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        ours = name.startswith(PREFIXES) and name != "FENNEC_SOAK"
        if ours or name.upper().endswith("_PROXY") or name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "NO_COLOR"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    return home


@pytest.fixture(autouse=True)
def nothing_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """The secrets of one test hide nothing in what another one reads."""
    monkeypatch.setattr(redactor, "_hidden", {})


def soak(small: int, full: int) -> int:
    """How often a long loop runs: `small` in CI, `full` with `make soak`."""
    return full if os.environ.get("FENNEC_SOAK") else small


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """After a soak: the figures that tests have told with `record_property`."""
    if not os.environ.get("FENNEC_SOAK"):
        return
    terminalreporter.section("figures")
    for report in terminalreporter.getreports("passed"):
        if report.when == "call" and report.user_properties:
            figures = ", ".join(f"{name} {value}" for name, value in report.user_properties)
            name = report.nodeid.rpartition("::")[2].removeprefix("test_")
            terminalreporter.line(f"{name}: {figures} ({report.duration:.0f} s)")
