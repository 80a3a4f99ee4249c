"""TOML files -> frozen data that remember where each value came from.

`load` finds the files and lays them over each other, `source` reads one and knows its lines, `schema` is the table of
legal keys, `kinds` the types of their values, `layer` checks a file against the table, `project` says what a file
nobody vouched for may set, `build` makes the result, `values` checks what is only known when a value is used.
"""

from fennec_cli.config.load import load_config
from fennec_cli.config.settings import CacheConfig, Config, LogConfig, NetworkConfig, ProviderConfig
from fennec_cli.config.values import check_base_url, expand, is_plain_http, server_url

__all__ = [
    "CacheConfig",
    "Config",
    "LogConfig",
    "NetworkConfig",
    "ProviderConfig",
    "check_base_url",
    "expand",
    "is_plain_http",
    "load_config",
    "server_url",
]
