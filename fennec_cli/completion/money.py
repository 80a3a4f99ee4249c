"""`--max-cost` and `--budget`: which budgets a run keeps to."""

from fennec_cli.budget import Budget
from fennec_cli.config import Config
from fennec_cli.errors import ConfigError
from fennec_cli.output.notes import Notes
from fennec_cli.registry import ProviderRegistry
from fennec_cli.spending import Spending


def spending(
    max_cost: float | None,
    name: str | None,
    config: Config,
    registry: ProviderRegistry,
    notes: Notes,
    asked: str = "the request",
) -> Spending:
    """Return the budgets of a run. Raises `ConfigError` for one that is not configured."""
    budgets = []
    if max_cost is not None:
        budgets.append(Budget("--max-cost", max_cost, "run", refuses_unknown=name is None))
    if name is not None:
        if name not in config.budgets:
            known = ", ".join(config.budgets)
            raise ConfigError(
                f"there is no budget {name!r:.80}",
                hint=f"known are {known}" if known else f"write a [budget.{name}] with usd and per",
            )
        table = config.budgets[name]
        strict = table.unknown_price == "refuse"
        budgets.append(Budget(f"budget {name}", table.usd, table.per, refuses_unknown=strict))
    return Spending(budgets, registry.state, asked=asked, warn=notes.warn)
