"""`fennec cache explain`: the request that a prompt would be, against what is kept."""

import re

from fennec_cli.cache_care import explain, full_name, shown_explanation, usable
from fennec_cli.caching import describe
from fennec_cli.completion.options import CompleteOptions
from fennec_cli.completion.run import offline_run
from fennec_cli.config import Config
from fennec_cli.output.sink import write_out
from fennec_cli.responses import ResponseCache

_FINGERPRINT = re.compile("[0-9a-f]{8,64}")


def run_explain(options: CompleteOptions, config: Config, output_format: str, *, start: float) -> int:
    """Explain the prompt, or the fingerprint that stands in its place. Returns the exit status."""
    ttl = config.cache.ttl if options.cache_ttl is None else options.cache_ttl
    cache = ResponseCache(config.cache, patient=True)
    if options.prompt and _FINGERPRINT.fullmatch(options.prompt):
        name = options.prompt
        with usable():
            found = explain(cache, full_name(cache, name) if cache.is_there() else name, None, ttl=ttl)
    else:
        request, known = offline_run(options, config, start=start).identified()
        fields = describe(request, known)["fields"]
        assert isinstance(fields, dict)
        with usable():
            found = explain(cache, known.fingerprint, fields, ttl=ttl)
    write_out(shown_explanation(found, output_format))
    return 0
