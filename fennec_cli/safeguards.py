"""What the configuration says about filter, audit log and private mode, as the parts that a pipeline is given."""

import os
from collections.abc import Mapping, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING

from fennec_cli.config import Config
from fennec_cli.private import home_of, installation_key
from fennec_cli.request import CompletionRequest
from fennec_cli.stages import Stage
from fennec_cli.tuples import NamedTuple
from fennec_cli.types import Say, silent

if TYPE_CHECKING:
    from fennec_cli.audit.trail import Trail
    from fennec_cli.filtering import FilterPolicy
    from fennec_cli.rules.table import Rule


class Safeguards(NamedTuple):
    """The filter and the audit log of a run, either of which may be off."""

    policy: "FilterPolicy | None" = None
    trail: "Trail | None" = None
    say: Say = silent
    provider: str | None = None  # who is asked first

    def filtered(self, stage: Stage) -> Stage:
        """Put the filter round a stage."""
        if self.policy is None:
            return stage
        from fennec_cli.stages.filter import filtered

        return filtered(stage, self.policy, key=masking_key, warn=partial(self.say, 0), say=partial(self.say, 1))

    def outgoing(self, request: CompletionRequest) -> tuple[CompletionRequest, list[str] | None]:
        """Return a request as the filter would let it out, and its masks. Raises `Blocked`."""
        if self.policy is None:
            return request, None
        from fennec_cli.stages.filter import outgoing

        sent, masks, _ = outgoing(request, self.policy, masking_key, partial(self.say, 0), partial(self.say, 1))
        return sent, list(masks.values) if masks else None

    def audited(self, stage: Stage, identity: str | None = None) -> Stage:
        """Put the audit log round a stage; with `identity` that of the answer only."""
        if self.trail is None:
            return stage
        from fennec_cli.stages.audit import audited

        return audited(stage, self.trail, self.provider, identity=identity)

    def sending(self, stage: Stage) -> Stage:
        """Put round a stage that sends something what has it on record before."""
        if self.trail is None:
            return stage
        from fennec_cli.stages.audit import recorded

        return recorded(stage, self.trail)

    def record(self, event: str, fields: Mapping[str, object]) -> None:
        """Put on record what is no request: a key was rotated, a circuit opened."""
        if self.trail is not None:
            self.trail.event(event, fields)

    def close(self) -> None:
        if self.trail is not None:
            self.trail.close()


def safeguards(
    config: Config,
    *,
    redact: str | None = None,
    audit_file: str | None = None,
    environ: Mapping[str, str] = os.environ,
    say: Say = silent,
) -> Safeguards:
    """Return what the configuration asks for; `redact` and `audit_file` are the options. Opens nothing."""
    return Safeguards(filter_policy(config, redact), audit_trail(config, audit_file, environ, say), say)


def filter_policy(config: Config, redact: str | None = None) -> "FilterPolicy | None":
    """Return the filter, or None where nothing is looked at. `redact` is one mode for all of the request."""
    settings = config.filter
    request = {name: redact or mode for name, mode in settings.modes("request").items()}
    response = settings.modes("response")
    if redact == "mask" and response["secrets"] == "off":
        response["secrets"] = "mask"
    if set(request.values()) | set(response.values()) == {"off"}:
        return None
    from fennec_cli.filtering import FilterPolicy, Modes

    own = _own_rules(settings.rules) if settings.rules else ()
    return FilterPolicy(Modes(**request), Modes(**response), own)  # type: ignore[arg-type]


def _own_rules(tables: Sequence[Mapping[str, str]]) -> "list[Rule]":
    from fennec_cli.rules.table import Rule

    return [Rule(table["name"], table["class"], table["pattern"]) for table in tables]  # type: ignore[arg-type]


def audit_trail(
    config: Config,
    file: str | None = None,
    environ: Mapping[str, str] = os.environ,
    say: Say = silent,
) -> "Trail | None":
    """Return the audit log of a run, or None where it is off."""
    settings = config.audit
    if not settings.enabled and file is None:
        return None
    from fennec_cli.audit.log import AuditLog
    from fennec_cli.audit.trail import Trail

    path = audit_path(config, file, environ)
    if path is None:
        path = "/nonexistent/fennec/audit.jsonl"  # no HOME: writing it fails, and says so
    named = file is not None or settings.file is not None
    log = AuditLog(
        path,
        key=partial(_key_or_none, environ),
        fsync=settings.fsync,
        keep=settings.keep,
        own_directory=not named,
    )
    return Trail(
        log,
        content=settings.content,
        required=settings.required,
        key=lambda: installation_key("audit-content", environ),
        about={"fennec.config_hash": config.digest} if config.digest else {},
        say=partial(say, 0 if named else 1),
    )


def audit_path(config: Config, file: str | None = None, environ: Mapping[str, str] = os.environ) -> str | None:
    """Return where the audit log is, or None without a state directory."""
    given = file or config.audit.file
    if given:
        return os.path.abspath(os.path.expanduser(given))
    home = home_of("state", environ)
    return os.path.join(home, "audit", "audit.jsonl") if home else None


@cache
def masking_key() -> bytes:
    """The secret that masks are made with: the installation's, so that a prompt keeps its fingerprint."""
    try:
        return installation_key("masks")
    except OSError:
        return os.urandom(32)


def _key_or_none(environ: Mapping[str, str]) -> bytes | None:
    try:
        return installation_key("audit", environ)
    except OSError:
        return None
