"""What is only known when a value is used: variables in it, and whether an address may be sent anything."""

from collections.abc import Mapping

from fennec_cli.errors import ConfigError
from fennec_cli.hosts import is_loopback, plain_url


def expand(value: str, environ: Mapping[str, str], where: str) -> str:
    """Replace every `${VAR}` by the variable's value, and `$${` by a plain `${`.

    Raises ConfigError naming the variable and `where` if it is not set. Values are not looked into again.
    """
    if "${" not in value:
        return value
    import re

    def replacement(match: re.Match[str]) -> str:
        if match[0] == "$${":
            return "${"
        name = match[1]
        if name is None:
            raise ConfigError(f"{where}: a ${{ that does not begin a variable", hint="write ${NAME}, or $${ for itself")
        if name not in environ:
            raise ConfigError(f"{where}: variable {name} is not set", hint=f"export {name}")
        return environ[name]

    return re.sub(r"\$\$\{|\$\{(?:([A-Za-z_][A-Za-z0-9_]*)\})?", replacement, value)


def missing_variable(value: str, environ: Mapping[str, str]) -> str:
    """Return the complaint of `expand` about a value, or nothing."""
    try:
        expand(value, environ, "")
    except ConfigError as error:
        return error.message.removeprefix(": ")
    return ""


def check_base_url(url: str, *, allow_insecure_http: bool, where: str = "base_url") -> None:
    """Raise ConfigError unless `url` is https, or http to this machine or by permission, and holds no secret."""
    plain = plain_url(url)
    if plain is not None and "?" not in plain.rest and (plain.scheme == "https" or is_loopback(url)):
        return
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigError(f"{where} is not a URL") from error
    if parts.scheme not in ("http", "https") or not host:
        raise ConfigError(f"{where} must be an http(s) URL with a host")
    if "@" in parts.netloc:
        raise ConfigError(f"{where} must not hold a user or password", hint="set api_key instead")
    # urlsplit drops line ends and tabs, and clients disagree about a backslash: neither has a place in an address.
    if "\\" in url or not url.isprintable() or " " in url:
        raise ConfigError(f"{where} must not hold spaces, control characters or backslashes")
    if parts.query or parts.fragment:
        raise ConfigError(f"{where} must not have a ?query or #fragment")
    if parts.scheme == "http" and not allow_insecure_http and not is_loopback(url):
        hint = "use https, or set allow_insecure_http = true"
        raise ConfigError(f"{where} is plain http to another machine, {host:.200}", hint=hint)


def server_url(backend: str, environ: Mapping[str, str]) -> str | None:
    """Return the address of the server that `cache.backend` names, None for the disk. Raises ConfigError."""
    if backend == "disk":
        return None
    from importlib.util import find_spec
    from urllib.parse import parse_qs, urlsplit

    url = expand(backend, environ, "cache.backend")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigError("cache.backend is not a URL") from error
    if parts.scheme not in ("redis", "rediss", "unix") or not (parts.path if parts.scheme == "unix" else host):
        raise ConfigError("cache.backend must be a redis://, rediss:// or unix:// URL with a host or a path")
    if parts.scheme != "unix" and not (parts.path.strip("/") or "0").isdigit():
        raise ConfigError("cache.backend has a path that is not the number of a database")
    known = {"db", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile"} if parts.scheme == "rediss" else {"db"}
    if not parse_qs(parts.query, keep_blank_values=True).keys() <= known or parts.fragment:
        raise ConfigError(f"cache.backend may have no options but {', '.join(sorted(known))}")
    if find_spec("redis") is None:
        raise ConfigError(
            "cache.backend is a server, and the extra `redis` is not installed", hint="pip install 'fennec-cli[redis]'"
        )
    return url


def is_plain_http(url: str) -> bool:
    """Whether `url` is http, however it is spelt."""
    return url[:7].lower() == "http://"
