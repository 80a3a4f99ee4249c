"""Imports point down only, and each third-party package has one home."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "fennec_cli"

# Highest first. A module may import from its own layer and from those below it.
LAYERS: list[set[str]] = [
    {"__main__", "cli"},
    {"commands"},
    {
        "api",
        "audit_report",
        "cache_care",
        "cache_lines",
        "bench",
        "completion",
        "config_check",
        "config_report",
        "key_care",
        "listing",
        "jobs",
        "metrics_report",
        "model_check",
        "model_facts",
    },
    {"caching"},
    {"semantic"},
    {"answering"},
    {"choosing"},
    {"batch"},
    {"output", "prompts", "inputs", "rows", "dialogue"},
    {"pipeline"},
    {"safeguards"},
    {"registry"},
    {"assembly", "regional"},
    {"credentials"},
    {"ollama_models"},
    {"stages", "transport", "engine", "model_files", "model_lists", "model_sources"},
    {"spending"},
    {"answer_schema", "admission", "audit", "embeddings", "flights", "masking", "responses"},
    {"filtering", "holders", "keeper"},
    {"entra"},
    {"catalogue", "config", "keys"},
    {"threads"},
    {"signals"},
    {"store"},
    {"private", "encryption"},
    {"recording", "digest"},
    {
        "backoff",
        "bucket",
        "budget",
        "circuit",
        "counting",
        "duration",
        "envelope",
        "similarity",
        "size",
        "metrics",
        "pricing",
        "regions",
        "rules",
        "selection",
        "slots",
    },
    {"provider_batches"},
    {"providers"},
    {"dialects"},
    {"hints", "wire"},
    {"request", "aggregate"},
    {"chunk"},
    {"errors", "hashes", "hosts"},
    {"redactor"},
    {"tuples", "types"},
    {"__init__"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}

# package -> the modules of ours that may import it
HOMES: dict[str, set[str]] = {
    "click": {"cli", "commands"},
    "httpx": {"transport"},
    "httpcore": set(),
    "h11": {"transport"},
    "ssl": {"transport"},
    "tenacity": {"stages"},
    "diskcache": {"store"},
    "redis": {"store"},
    "sqlite3": {"store"},
    "cryptography": {"encryption"},
    "xllamacpp": {"engine"},
    "azure": {"entra"},
    "keyring": {"keys"},
    "onnxruntime": {"embeddings"},
    "tokenizers": {"embeddings"},
    "orjson": {
        "answer_schema",
        "audit",
        "audit_report",
        "batch",
        "cache_care",
        "cache_lines",
        "bench",
        "catalogue",
        "commands",
        "completion",
        "config_report",
        "dialects",
        "digest",
        "embeddings",
        "entra",
        "inputs",
        "jobs",
        "keys",
        "listing",
        "masking",
        "metrics_report",
        "model_facts",
        "model_lists",
        "output",
        "provider_batches",
        "providers",
        "request",
        "rows",
        "responses",
        "store",
        "wire",
    },
    "jsonschema_rs": {"answer_schema"},
    "tomllib": {"config"},
}
PURE = {
    "aggregate",
    "backoff",
    "bucket",
    "budget",
    "chunk",
    "circuit",
    "dialects",
    "digest",
    "envelope",
    "errors",
    "filtering",
    "hints",
    "hosts",
    "masking",
    "metrics",
    "pricing",
    "provider_batches",
    "providers",
    "redactor",
    "recording",
    "regions",
    "request",
    "rules",
    "selection",
    "similarity",
    "slots",
    "wire",
}
IMPURE_MODULES = {"os", "socket", "subprocess", "threading", "httpx", "select", "sys", "pathlib"}


def modules() -> list[tuple[str, Path]]:
    return [(str(path.relative_to(PACKAGE)), path) for path in sorted(PACKAGE.rglob("*.py"))]


def unit(path: Path) -> str:
    """The name that the table of layers knows a file by: its module, or its folder's."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imports(path: Path, *, everywhere: bool = True) -> set[str]:
    """Dotted names that a file imports; type-checking blocks count too, for they are arrows in the reader's mind."""
    found = set()
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree) if everywhere else tree.body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize(("name", "path"), modules())
def test_imports_point_down(name: str, path: Path) -> None:
    if name == "__init__.py":
        return  # the facade: its names are for type checkers and load lazily (tests/test_api.py)
    here = LEVEL[unit(path)]
    for imported in imports(path):
        parts = imported.split(".")
        if parts[0] != "fennec_cli" or len(parts) < 2 or parts[1] not in LEVEL:
            continue
        assert LEVEL[parts[1]] >= here, f"{name} imports {imported}, which lies above it"


@pytest.mark.parametrize(("name", "path"), modules())
def test_third_party_packages_have_one_home(name: str, path: Path) -> None:
    for imported in imports(path):
        home = HOMES.get(imported.split(".")[0])
        assert home is None or unit(path) in home, f"{name} imports {imported}; its home is {home}"


@pytest.mark.parametrize(("name", "path"), modules())
def test_sockets_have_one_home(name: str, path: Path) -> None:
    """`engine` listens for llama.cpp, and `bench` has a server of its own to measure itself."""
    if unit(path) not in ("transport", "engine", "bench"):
        assert not imports(path) & {"socket", "http.client", "urllib.request"}, name


@pytest.mark.parametrize(("name", "path"), [m for m in modules() if unit(m[1]) in PURE])
def test_pure_modules_do_no_input_or_output(name: str, path: Path) -> None:
    assert not {imported.split(".")[0] for imported in imports(path)} & IMPURE_MODULES, name


def test_what_bench_says_of_its_samples_is_pure() -> None:
    for name in ("compare", "page", "plan", "result", "sample", "sets", "stats", "summary", "svg", "table", "units"):
        found = {imported.split(".")[0] for imported in imports(PACKAGE / "bench" / f"{name}.py")}
        assert not found & (IMPURE_MODULES | {"time"}), name


def test_stages_do_not_know_each_other() -> None:
    stages = {path.stem for path in (PACKAGE / "stages").glob("*.py")} - {"__init__"}
    for path in (PACKAGE / "stages").glob("*.py"):
        for imported in imports(path):
            parts = imported.split(".")
            assert parts[:2] != ["fennec_cli", "stages"] or len(parts) < 3 or parts[2] not in stages, imported


def test_every_module_has_a_place_in_the_table() -> None:
    assert {unit(path) for _, path in modules()} <= LEVEL.keys()


def test_the_architecture_s_description_names_every_module() -> None:
    text = (PACKAGE.parent / "docs" / "architecture.md").read_text()
    assert {name for name in LEVEL if f"`{name}`" not in text} <= {"__init__"}
