"""Regions of one deployment: their order, which of them are allowed, and which failures move on to the next.

`allowed_regions` is a rule, not a preference: an endpoint whose region is not allowed, or not known, is never asked.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from fennec_cli.dialects.base import Endpoint
from fennec_cli.errors import AuthenticationError, Blocked, ContextLengthError, FennecError
from fennec_cli.tuples import NamedTuple

_REGIONAL_HOST = ".api.cognitive.microsoft.com"  # behind the region's name


class Region(NamedTuple):
    """A regional endpoint. `deployment` is the name there, where it differs from the one asked for."""

    name: str
    endpoint: str
    deployment: str | None = None


def regions_in_order(extra: Mapping[str, Any], base_url: str) -> tuple[Region, ...]:
    """Return the regions to try, in the configured order; a provider without regions is one at `base_url`.

    Raises `Blocked` when `allowed_regions` leaves none. Call it before anything is sent.
    """
    rows = extra.get("regions") or ({"name": _region_of(base_url), "endpoint": base_url},)
    regions = tuple(Region(**row) for row in rows)
    if extra.get("allowed_regions") is None:
        return regions
    permitted = {_plain(name) for name in extra["allowed_regions"]}
    allowed = tuple(region for region in regions if region.name and _plain(region.name) in permitted)
    if not allowed:
        named = ", ".join(region.name or "an endpoint of unknown region" for region in regions)
        raise Blocked(
            f"allowed_regions permits {', '.join(extra['allowed_regions']) or 'none'}, configured is {named}",
            hint="name an endpoint in an allowed region under [[provider.azure.regions]]",
        )
    return allowed


def located(endpoint: Endpoint, region: Region, model: str | None) -> Endpoint:
    """Return `endpoint` in `region`, where `model` (the provider's usual one) is served by the region's deployment."""
    extra = dict(endpoint.extra)
    if region.deployment and model:
        extra["deployments"] = {**(extra.get("deployments") or {}), model: region.deployment}
    return endpoint._replace(base_url=region.endpoint, extra=extra)


def moves_on(error: FennecError) -> bool:
    """Whether the next region may do better: not with a key that is refused or a prompt that is too long."""
    if isinstance(error, AuthenticationError):
        return error.status == 403  # the rules of one region's network
    return error.falls_back and not isinstance(error, ContextLengthError)


def _region_of(base_url: str) -> str:
    host = urlsplit(base_url).hostname or ""
    return host.removesuffix(_REGIONAL_HOST) if host.endswith(_REGIONAL_HOST) else ""


def _plain(name: str) -> str:
    """`Sweden Central` and `swedencentral` are one region."""
    return "".join(character for character in name.casefold() if character.isalnum())
