"""What is only known when a value is used: variables in it, and whether an address may be sent anything."""

from collections.abc import Mapping

from fennec_cli.errors import ConfigError
from fennec_cli.hosts import is_loopback


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


def is_plain_http(url: str) -> bool:
    """Whether `url` is http, however it is spelt."""
    return url[:7].lower() == "http://"
