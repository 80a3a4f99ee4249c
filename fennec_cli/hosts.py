"""Which addresses are this machine's own: one strict check for everybody who asks."""


def is_loopback(url: str) -> bool:
    """Whether `url` leads to this machine. A name like `127.evil.example` does not."""
    from ipaddress import ip_address  # most addresses are https, and nobody asks
    from urllib.parse import urlsplit

    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
