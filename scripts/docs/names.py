"""Names that completions offer and that no command declares: built-in providers and models with a package."""

from fennec_cli.model_files import KNOWN_MODELS
from fennec_cli.providers import PROVIDERS

PROVIDER_NAMES = tuple(PROVIDERS)
LOCAL_MODELS = tuple(f"local/{name}" for name in KNOWN_MODELS)

# The shells read these lines with sed, so that completing starts no Python.
CONFIG_FILES = '"${XDG_CONFIG_HOME:-$HOME/.config}/fennec/config.toml" /etc/fennec/config.toml'
MODEL_LISTS = '"${XDG_CACHE_HOME:-$HOME/.cache}/fennec/models"'
MODEL_ID = r'"id":"[^"\\]*"'  # in a kept list, which has no white space (`model_lists`)
TABLE_PATTERN = r"s/^ *\[$1\.\([A-Za-z0-9_-]*\).*/\1/p"  # `$1` is provider or profile


def quoted(text: str) -> str:
    """Quote for a POSIX shell."""
    return "'" + text.replace("'", r"'\''") + "'"
