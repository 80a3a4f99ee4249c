"""Runs the installed `fennec` as a user does: a process with a clean environment, bytes in, bytes out."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CANARY = "sk-canary-0123456789abcdef"
ROOT = Path(__file__).parents[2]
LONGEST_S = 30.0


def command() -> list[str]:
    """The console script beside this interpreter, else the package itself."""
    script = Path(sys.executable).with_name("fennec")
    return [str(script)] if script.exists() else [sys.executable, "-m", "fennec_cli"]


@dataclass(frozen=True)
class Result:
    stdout: bytes
    stderr: str
    status: int  # negative: the signal that ended it

    @property
    def text(self) -> str:
        return self.stdout.decode()

    def failed(self, error_class: str, status: int, *, stdout: bytes = b"") -> str:
        """Assert a failure of the documented kind, said in one line; return that line."""
        assert (self.status, self.stdout) == (status, stdout), self
        lines = self.stderr.splitlines()
        assert len(lines) == 1, self.stderr
        assert lines[0].startswith(f"fennec: {error_class}: "), self.stderr
        return lines[0]

    def succeeded(self, stdout: bytes | str) -> None:
        """Assert an answer and nothing said about it."""
        wanted = stdout.encode() if isinstance(stdout, str) else stdout
        assert (self.stdout, self.stderr, self.status) == (wanted, "", 0)


@dataclass
class Fennec:
    """Starts the command. `env` is all that the command finds in its environment; a None takes a variable away."""

    home: Path
    base_url: str = "http://127.0.0.1:9/v1"
    env: dict[str, str | None] = field(default_factory=dict)

    def environment(self, extra: Mapping[str, str | None]) -> dict[str, str]:
        wanted: dict[str, str | None] = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "OPENAI_BASE_URL": self.base_url,
            "OPENAI_API_KEY": CANARY,
            **self.env,
            **extra,
        }
        if not Path(sys.executable).with_name("fennec").exists():
            wanted["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), wanted.get("PYTHONPATH")]))
        return {name: value for name, value in wanted.items() if value is not None}

    def start(
        self, *arguments: str, env: Mapping[str, str | None] = {}, prefix: tuple[str, ...] = (), **popen: Any
    ) -> "subprocess.Popen[bytes]":
        options: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(
            [*prefix, *command(), *arguments],
            env=self.environment(env),
            **{"cwd": self.home, **options, **popen},
        )

    def __call__(
        self, *arguments: str, stdin: bytes | str | None = None, env: Mapping[str, str | None] = {}, **popen: Any
    ) -> Result:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        if data is not None:
            popen["stdin"] = subprocess.PIPE
        with self.start(*arguments, env=env, **popen) as process:
            return finished(process, data)

    def complete(self, *arguments: str, stdin: bytes | str | None = "hi", **more: Any) -> Result:
        """Run `fennec complete`, by default with a prompt on standard input."""
        return self("complete", *arguments, stdin=stdin, **more)

    def shell(self, script: str, *, env: Mapping[str, str | None] = {}, stdin: bytes | None = None) -> Result:
        """Run a shell line in which `fennec` is the command. Descriptors that a test closes are closed here."""
        words = " ".join(command())
        with subprocess.Popen(
            [shutil.which("bash") or "bash", "-c", f'fennec() {{ exec {words} "$@"; }}\n{script}'],
            env=self.environment(env),
            cwd=self.home,
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            return finished(process, stdin)


def finished(process: "subprocess.Popen[bytes]", stdin: bytes | None = None) -> Result:
    """Wait for a process and return what it wrote, after checking what holds always."""
    try:
        out, err = process.communicate(stdin, timeout=LONGEST_S)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    result = Result(out or b"", (err or b"").decode(), process.returncode)
    assert "Traceback" not in result.stderr, result.stderr
    assert CANARY not in result.stderr
    assert CANARY.encode() not in result.stdout
    return result
