"""What every command of `fennec batch` needs, made once."""

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fennec_cli import signals
from fennec_cli.config import Config, server_url
from fennec_cli.errors import OutputError
from fennec_cli.jobs.fetch import Collection
from fennec_cli.jobs.records import Job, Jobs
from fennec_cli.jobs.service import Service
from fennec_cli.jobs.submit import Submission
from fennec_cli.output.notes import Notes, wants_color
from fennec_cli.private import home_of, installation_key
from fennec_cli.provider_batches import interface
from fennec_cli.providers import provider_module
from fennec_cli.registry import ProviderRegistry
from fennec_cli.safeguards import Safeguards, safeguards
from fennec_cli.store import shared_state

if TYPE_CHECKING:
    from fennec_cli.jobs.money import Money


class Desk:
    """Configuration, registry, shared state and the records of jobs, for one command."""

    def __init__(self, config: Config, verbosity: int = 0, *, quiet: bool = False) -> None:
        signals.install()
        self.notes = Notes(
            verbosity=verbosity,
            quiet=quiet,
            log_file=config.log.file,
            log_level=config.log.level,
            color=wants_color(os.environ),
        )
        self._config = config
        server = server_url(config.cache.backend, os.environ)
        self.state = state = shared_state(os.environ, partial(self.notes.say, 1), server)
        self.registry = ProviderRegistry(config, say=self.notes.say, state=state)
        self.jobs = Jobs(state)
        home = home_of("state")
        if home is None:
            raise OutputError("there is no place for the rows of a batch: HOME is not set")
        self.home = Path(home, "batches")

    def service(self, provider: str) -> Service:
        kind = self.registry.type_of(provider)
        api = interface(kind, provider)
        return Service(api, provider_module(kind), self.registry.direct(provider))

    def said(self, name: str) -> Any:
        """What the configuration says of an option of `fennec complete` that holds for batches too."""
        return self._config.commands.get("complete", {}).get(name)

    def guards(self, redact: str | None, audit: str | None, provider: str) -> Safeguards:
        """Filter and audit log, as `fennec complete` has them."""
        redact, audit = redact or self.said("redact"), audit or self.said("audit")
        guards = safeguards(self._config, redact=redact, audit_file=audit, say=self.notes.loud)
        return guards._replace(provider=provider)

    def money(self, max_cost: float | None, budget: str | None, provider: str) -> "Money | None":
        """The budgets that a batch must keep to; None for none."""
        max_cost = self.said("max_cost") if max_cost is None else max_cost
        budget = budget or self.said("budget")
        if max_cost is None and budget is None:
            return None
        from fennec_cli.completion.money import spending
        from fennec_cli.jobs.money import Money

        spent = spending(max_cost, budget, self._config, self.registry, self.notes, "the batch")
        return Money(spent, self.registry, provider)

    def submission(
        self, service: Service, guards: Safeguards = Safeguards(), money: "Money | None" = None
    ) -> Submission:
        try:
            key = installation_key("batch")
        except OSError as error:
            raise OutputError(f"cannot read the installation's key ({error.strerror})") from error
        reserve = money.reserve if money is not None else lambda _usd: []
        return Submission(service, self.jobs, self.home, key, self.notes.say, guards.record, reserve)

    def collection(self, job: Job) -> Collection:
        return Collection(self.service(job.provider), self.jobs, self.home)
