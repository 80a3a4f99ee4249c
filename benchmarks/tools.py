"""The tools that are measured, each in a virtual environment of its own, and the command of each case."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Command, RunFailed
from benchmarks.server import answer_text

ROOT = Path(__file__).parent.parent
PROMPT = "Name three colours.\n"
CHUNKS = {
    "live": 1,
    "live alone": 1,
    "live tls": 1,
    "live messages": 1,
    "20k": 20_000,
    "20k ndjson": 20_000,
    "20k messages": 20_000,
    "200k": 200_000,
}
ROWS = {
    "batch 16": 5_000,
    "loop 16": 5_000,
    "batch 256": 5_000,
    "batch cached": 5_000,
    "10k": 10_000,
    "100k": 100_000,
    "ledger": 1,
}
RESUMED = 1_000_000  # finished rows in the ledger of the case `ledger`
CACHED = {"cached": 1, "cached 1k": 250, "cached 100k": 25_000, "few entries": 1, "many entries": 1}  # chunks
ENTRIES = {"few entries": 100, "many entries": 100_000}  # that lie beside the answer
STATE = ("transactions", "updates", "redis", "store")  # cases that measure themselves and print the figure
# Every event is at once a line for sed and an object for jq; `fennec` is what this pipe becomes.
CURL = """\
curl -sN -H "authorization: Bearer $OPENAI_API_KEY" -H 'content-type: application/json' \
-d '{"model":"'"$1"'","stream":true,"messages":[{"role":"user","content":"Name three colours."}]}' \
"$OPENAI_BASE_URL/chat/completions" | sed -un 's/^data: {/{/p' |
jq --unbuffered -rj '.choices[0].delta.content // empty'
"""
LLM_MODELS = "".join(
    f"- model_id: bench-{count}\n  model_name: bench-{count}\n  api_base: {{base_url}}\n"
    for count in sorted(set(CHUNKS.values()))
)
# What shell-gpt would ask for on its first run, and its cache off.
SGPT = {"USE_LITELLM": "false", "SHELL_INTERACTION": "false", "PRETTIFY_MARKDOWN": "false"}


@dataclass(frozen=True, slots=True)
class Bench:
    """Where a run takes place: a scratch directory for HOME and output, and the server's address."""

    scratch: Path
    base_url: str
    secure_url: str  # of the same server over TLS, whose authority is in `authority`
    authority: Path

    @property
    def environ(self) -> dict[str, str]:
        """All that a measured command sees; nothing of Python's or the user's settings."""
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.scratch),
            "LANG": "C.UTF-8",
            "OPENAI_API_KEY": "sk-bench",
            "OPENAI_BASE_URL": self.base_url,
            "ANTHROPIC_API_KEY": "sk-bench",
            "ANTHROPIC_BASE_URL": self.base_url.removesuffix("/v1"),
            "LLM_USER_PATH": str(self.scratch / "llm"),
            **SGPT,
            "API_BASE_URL": self.base_url,
        }

    @property
    def prompt(self) -> Path:
        return self.scratch / "prompt"

    def rows(self, count: int) -> Path:
        """A file of so many rows."""
        place = self.scratch / f"rows-{count}"
        if not place.exists():
            place.write_text("".join(f'{{"id":"row-{n}","prompt":"Name three colours, {n}."}}\n' for n in range(count)))
        return place

    def filled(self, count: int, python: Path) -> None:
        """Make a cache of so many entries, and a configuration that names it."""
        place = self.scratch / f"entries-{count}"
        if not place.exists():
            argv = [str(python), str(ROOT / "benchmarks" / "cache.py"), "fill", str(place), str(count)]
            _call(argv, self.environ)
            Path(f"{place}.toml").write_text(f'[cache]\nmode = "use"\ndir = "{place}"\n')

    def resumed(self, count: int, python: Path) -> None:
        """Make a ledger of so many finished rows."""
        place = self.scratch / "rows.ledger"
        if not place.exists():
            _call([str(python), str(ROOT / "benchmarks" / "ledger.py"), str(place), str(count)], self.environ)

    def prepare(self) -> None:
        self.prompt.write_text(PROMPT)
        (self.scratch / "wide.toml").write_text("[provider.openai]\nmax_parallel = 256\n")
        (self.scratch / "llm").mkdir()
        (self.scratch / "llm" / "extra-openai-models.yaml").write_text(LLM_MODELS.format(base_url=self.base_url))


def fennec(environment: Path, case: str) -> list[str]:
    program = str(environment / "bin" / "fennec")
    if case == "pass":
        return [str(environment / "bin" / "python"), "-c", "pass"]
    if case in CHUNKS:
        ndjson = ["--ndjson"] if case.endswith("ndjson") else []
        provider = "anthropic" if case.endswith("messages") else "openai"
        return [program, "complete", "-m", f"{provider}/bench-{CHUNKS[case]}", *ndjson]
    if case == "loop 16":
        return [str(environment / "bin" / "python"), str(ROOT / "benchmarks" / "loop.py"), "bench-1", "16"]
    if case in ROWS:
        jobs = "-j256" if case == "batch 256" else "-j16"
        cached = ["--cache", "use"] if case == "batch cached" else []
        rows = ["--input", "ndjson", "--ndjson", "-c", "wide.toml", jobs]
        run = [program, "complete", "-m", "openai/bench-1", *rows, *cached]
        if case == "ledger":  # into a pipe: an empty file would get all its rows again
            return ["/bin/sh", "-c", '"$@" | cat', "sh", *run, "--resume", "rows.ledger"]
        return run
    if case in CACHED:
        use = ["-c", f"entries-{ENTRIES[case]}.toml"] if case in ENTRIES else ["--cache", "use"]
        return [program, "complete", "-m", f"openai/bench-{CACHED[case]}", *use]
    if case == "store":
        return [str(environment / "bin" / "python"), str(ROOT / "benchmarks" / "cache.py"), case]
    if case in STATE:
        return [str(environment / "bin" / "python"), str(ROOT / "benchmarks" / "state.py"), case]
    return [program, *{"version": ["--version"], "help": ["--help"], "complete help": ["complete", "--help"]}[case]]


def llm(environment: Path, case: str) -> list[str]:
    program = str(environment / "bin" / "llm")
    return [program, "--help"] if case == "help" else [program, "-n", "-m", f"bench-{CHUNKS[case]}"]


def openai(environment: Path, case: str) -> list[str]:
    return [str(environment / "bin" / "python"), str(ROOT / "benchmarks" / "openai_sdk.py"), f"bench-{CHUNKS[case]}"]


def anthropic(environment: Path, case: str) -> list[str]:
    program = ROOT / "benchmarks" / "anthropic_sdk.py"
    return [str(environment / "bin" / "python"), str(program), f"bench-{CHUNKS[case]}"]


def sgpt(environment: Path, case: str) -> list[str]:
    return [str(environment / "bin" / "sgpt"), "--no-cache", "--model", f"bench-{CHUNKS[case]}"]


def curl(_environment: Path, case: str) -> list[str]:
    return ["/bin/sh", "-c", CURL, "sh", f"bench-{CHUNKS[case]}"]


ARGV: dict[str, Callable[[Path, str], list[str]]] = {
    "fennec": fennec,
    "llm": llm,
    "sgpt": sgpt,
    "openai": openai,
    "anthropic": anthropic,
    "curl": curl,
}
PACKAGES = {"sgpt": ("shell-gpt", "click")}  # shell-gpt 1.5.1 imports click and does not say so


def command(tool: str, environment: Path, case: str, bench: Bench) -> Command:
    environ = bench.environ
    if case == "live alone":
        del environ["HOME"]  # then there is no place for a state that is shared
    if case == "live tls":
        environ |= {"OPENAI_BASE_URL": bench.secure_url, "SSL_CERT_FILE": str(bench.authority)}
    if case in ENTRIES:
        bench.filled(ENTRIES[case], environment / "bin" / "python")
    if case == "ledger":
        bench.resumed(RESUMED, environment / "bin" / "python")
    figure = float if case in STATE else None
    stdin = bench.rows(ROWS[case]) if case in ROWS else bench.prompt
    return Command(tuple(ARGV[tool](environment, case)), stdin, environ, _check(case), figure)


def _check(case: str) -> Callable[[bytes], bool]:
    if case == "pass":
        return lambda output: not output
    if case == "ledger":
        return lambda output: output.count(b"\n") == 1 and b'"resumed":1' in output
    if case in ROWS:
        closing = b'"content": " the"' if case == "loop 16" else b'"ok":true'
        return lambda output: output.count(closing) == ROWS[case]
    if case in CACHED:
        whole = answer_text(CACHED[case]).rstrip("\n")
        return lambda output: output.decode().rstrip("\n") == whole
    if case not in CHUNKS:
        return lambda output: bool(output)
    if case.endswith("ndjson"):
        return lambda output: output.count(b'"type":"chunk"') == CHUNKS[case] and b'"ok":true' in output
    text = answer_text(CHUNKS[case])
    return lambda output: output.decode().rstrip("\n") == text.rstrip("\n")


def install_fennec(directory: Path) -> Path:
    """Install this tree, as a user would get it, into an environment of its own; again when a source file changed."""
    environment, stamp = directory / "bench-fennec", directory / "bench-fennec" / "installed"
    sources = [ROOT / "setup.cfg", *(ROOT / "fennec_cli").rglob("*.py")]
    if not stamp.exists() or stamp.stat().st_mtime < max(source.stat().st_mtime for source in sources):
        _make(environment)
        _pip(environment, ".[redis]")
        _pip(environment, "--force-reinstall", "--no-deps", ".")
        stamp.touch()
    return environment


def missing(environment: Path) -> dict[str, str]:
    """Cases that cannot be measured here, and why."""
    if shutil.which("redis-server") is None:
        return {"redis": "redis-server is not installed"}
    argv = [str(environment / "bin" / "python"), "-c", "import redis"]
    if subprocess.run(argv, capture_output=True, check=False).returncode != 0:
        return {"redis": "the extra `redis` is not installed"}
    return {}


def install_competitor(tool: str, directory: Path) -> Path:
    """Return the environment of a competitor. Raises `RunFailed` where it cannot be had on this machine."""
    if tool == "curl":
        for program in ("curl", "sed", "jq"):
            if shutil.which(program) is None:
                raise RunFailed(f"{program} is not installed")
        return directory
    environment = directory / f"bench-{tool}"
    stamp = environment / "installed"
    if not stamp.exists():
        _make(environment)
        _pip(environment, *PACKAGES.get(tool, (tool,)))
        stamp.touch()
    return environment


def _make(environment: Path) -> None:
    if not (environment / "bin" / "pip").exists():
        _call([sys.executable, "-m", "venv", str(environment)])


def _pip(environment: Path, *arguments: str) -> None:
    _call([str(environment / "bin" / "pip"), "install", "-q", "--disable-pip-version-check", *arguments])


def _call(argv: list[str], environ: dict[str, str] | None = None) -> None:
    done = subprocess.run(argv, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise RunFailed(f"cannot be installed ({lines[-1] if lines else done.returncode})")
