"""What the configuration keys mean. A key that is an option of a command takes the option's help."""

TABLES: dict[str, str] = {
    "": "Keys outside of any table.",
    "alias": 'Short names for models: `big = "openai/gpt-5.4"` makes `-m big` work.',
    "provider.NAME": "One table a provider. A name that is not built in needs a `type`.",
    "provider.NAME.headers": "HTTP headers sent with each request to this provider.",
    "provider.NAME.retry": "When a failed attempt is repeated.",
    "provider.NAME.breaker": "When a provider that keeps failing is left alone for a while.",
    'provider.NAME.prices."MODEL"': "What a model costs, in USD per million tokens. "
    "`input` and `output` are both needed.",
    "complete": "Defaults for the options of fennec-complete(1).",
    "bench": "Defaults for the options of fennec-bench(1).",
    "cache": "Answers kept for the same request.",
    "cache.semantic": "Answers kept for similar requests.",
    "budget.NAME": "A limit on cost, shared by all processes.",
    "filter": "What to do with secrets and personal data in a request or an answer. Texts are looked at, and files of "
    "`-f`; images and PDFs of `-a` are sent as they are, which `mask` and `block` say on standard error, and `warn` "
    "with `-v`.",
    "audit": "The log of what was asked of whom.",
    "metrics": "Counters shared by all processes.",
    "log": "Where messages go besides standard error.",
    "network": "Defaults for all providers.",
}

KEYS: dict[str, str] = {
    "model": "Model or alias to use when none is named.",
    "provider": "Provider to use when none is named. "
    "TOML allows it beside a [provider.NAME] only in another file: in the same one write it under [complete].",
    "strategy": "Who answers: `manual` (the named model), `fallback` (the next one when one fails), "
    "`automatic` (the best of `candidates` for the request), or `cost` (the cheapest of them). "
    "A model that is known to lack what a prompt needs is skipped, unless `-m` names it.",
    "candidates": "Models that `automatic` and `cost` choose from; `PROVIDER/*` stands for all models of the list "
    "that `fennec models refresh` has kept.",
    "fallback": "Models to ask in this order when the first one fails.",
    "format": "Format of the output.",
    "deadline": "Limit for everything, from reading standard input on.",
    "alias.SHORT": "The model that the short name stands for.",
    "provider.NAME.type": "The kind of service: openai, anthropic, openrouter, ollama, azure, local, "
    "or one that an installed package adds.",
    "provider.NAME.api": "Which interface of the provider is used.",
    "provider.NAME.api_key": "The key, or where it is: `${VAR}`, `file:PATH`, `store:NAME` "
    "(what fennec-keys(1) has stored; without a name that of the provider) or `keyring:SERVICE/USER` "
    "(what another program has put into the keyring).",
    "provider.NAME.key_command": "A command that prints the key, as a list of program and arguments: "
    "the bare key, or JSON with `version` 1, `api_key` and perhaps `expiration`. "
    "It has ten seconds, no shell, and no keys in its environment.",
    "provider.NAME.api_keys": "Several keys: one that is refused (401) gives way to the next, for all processes.",
    "provider.NAME.base_url": "Address of the service. "
    "Plain http is refused unless it is this machine or `allow_insecure_http` is set.",
    "provider.NAME.headers.HEADER": "The header's value.",
    "provider.NAME.model": "Model to use when none is named.",
    "provider.NAME.ca_bundle": "File or directory of certificates to trust instead of the system's.",
    "provider.NAME.client_cert": "File with the certificate that identifies us to the server and its key, or a list of "
    "the two files. Others must not be able to read the key.",
    "provider.NAME.proxy": "Proxy for this provider, whatever the environment says: "
    "`http://`, `https://` or `socks5h://`, perhaps with `USER:PASSWORD@` (`${VAR}` keeps them out of this file); "
    "`none` for no proxy.",
    "provider.NAME.tls_min": "Oldest version of TLS that is accepted.",
    "provider.NAME.num_ctx": "Size of the context window in tokens (embedded engine, Ollama).",
    "provider.NAME.gpu_layers": "How many layers of the model go to the GPU; -1 is all (embedded engine, Ollama).",
    "provider.NAME.keep_alive": "How long the model stays loaded (Ollama).",
    "provider.NAME.rpm": "Most requests a minute of all processes together.",
    "provider.NAME.tpm": "Most tokens a minute of all processes together.",
    "provider.NAME.burst": "How many requests may go at once after a pause (a tenth of `rpm`).",
    "provider.NAME.max_parallel": "How many requests of all processes may be under way at once (16).",
    "provider.NAME.max_wait": "Longest wait for a rate limit (60 s).",
    "provider.NAME.max_age": "Age at which a stored key counts as old (90 days).",
    "provider.NAME.private": "`required`: every request to this provider is sent as with --private, "
    "and one that it could not keep private is blocked.",
    "provider.NAME.endpoint": "Address of the Azure resource.",
    "provider.NAME.resource": "Name of the Azure resource, in place of its address.",
    "provider.NAME.deployment": "Name of the Azure deployment.",
    "provider.NAME.api_version": "Version of the Azure interface.",
    "provider.NAME.allowed_regions": "The only Azure regions that may be used.",
    "provider.NAME.regions": "Azure regions in order of fallback: tables with `name`, `endpoint` and `deployment`.",
    "provider.NAME.token_command": "A command that prints an access token.",
    "provider.NAME.routing": "How OpenRouter chooses among the services behind it.",
    'provider.NAME.prices."MODEL".input': "Price of input tokens.",
    'provider.NAME.prices."MODEL".output': "Price of output tokens.",
    'provider.NAME.prices."MODEL".cached': "Price of cached input tokens, if it is another one.",
    "provider.NAME.retry.max_attempts": "Attempts in all, the first one included (3).",
    "provider.NAME.retry.initial_delay": "First wait (0.5 s).",
    "provider.NAME.retry.max_delay": "Longest wait (8 s).",
    "provider.NAME.retry.backoff_factor": "What each wait is multiplied by to give the next (2).",
    "provider.NAME.retry.jitter": "How random a wait is: from nothing to all of it (`full`, the default), "
    "from half of it (`equal`), or not.",
    "provider.NAME.retry.max_retry_after": "Longest wait that a provider may ask for (120 s).",
    "provider.NAME.breaker.threshold": "Failures in a row that open the circuit (5).",
    "provider.NAME.breaker.timeout": "How long it stays open; each failed probe doubles it, up to 5 minutes (30 s).",
    "cache.backend": "Where everything is kept that processes share: `disk` (the default), or the address of a Redis "
    "or Valkey server, for several machines: `redis://:${PASSWORD}@HOST:PORT/DB`, `rediss://` with TLS "
    "(`?ssl_ca_certs=FILE`), or `unix://PATH`. It needs the extra `redis`.",
    "cache.mode": "How kept answers are used: `use` (answer with them, keep new ones), `refresh` (ask anew), "
    "`off` (the default), or `only` (ask nobody).",
    "cache.single_flight": "Of processes that miss the same answer one asks, and the others wait for it (true).",
    "cache.dir": "Where answers are kept (`$XDG_CACHE_HOME/fennec/responses`).",
    "cache.ttl": "How long an answer counts (24 h).",
    "cache.max_size": "How much room they may take (256 MiB); the least recently read go first.",
    "cache.encrypt": "Encrypt what is kept, with a key of this installation; needs the extra `encrypt`.",
    "cache.semantic.enabled": "Answer from the cache too what means the same as an earlier prompt.",
    "cache.semantic.threshold": "How close such prompts must be, from 0 to 1 (0.97).",
    "cache.semantic.embeddings": "Who measures it: `local` (the extra `semantic`, the default), or a provider's model "
    "such as `openai/text-embedding-3-small`, which is sent each prompt that is not kept; "
    "the budgets of the run pay for it, and need a price for it under `prices`.",
    "cache.mac_key_file": "File with a secret of 16 to 64 bytes that entries are signed with, "
    "for machines that share a cache; else each installation has its own.",
    "budget.NAME.usd": "How much may be spent in each period.",
    "budget.NAME.per": "The period: a day, a month (both of UTC), or a run (day).",
    "budget.NAME.unknown_price": "Whether what has no known price is refused (refuse).",
    "filter.request": "What is done about what goes out: off, warn, mask or block, for everything or for each class.",
    "filter.request.secrets": "Keys, tokens, passwords, private keys (warn).",
    "filter.request.pii": "Addresses, phone, card, account and identity numbers (off).",
    "filter.response": "The same for what comes back.",
    "filter.response.secrets": "Keys, tokens, passwords, private keys (off; with --redact mask: mask).",
    "filter.response.pii": "Addresses, phone, card, account and identity numbers (off).",
    "filter.preset": "`strict` blocks secrets in a request and masks personal data, where nothing else is said.",
    "filter.rules": "Rules of your own, tables with `name`, `pattern` and `class` (secrets or pii). "
    "A pattern is a Python expression with bounds: `{1,40}` instead of `*` and `+`. "
    "If it has a group, that is what is masked.",
    "audit.enabled": "Whether every interaction is put on record, by default without any text of it (true).",
    "audit.file": "Where, instead of audit/audit.jsonl in the state directory.",
    "audit.content": "What is kept of prompts and answers: nothing, a keyed hash, the text without secrets, "
    "or all of it (none).",
    "audit.required": "Send nothing that cannot be put on record (false).",
    "audit.fsync": "When records are made durable: at the end of a run (exit), each at once (always), "
    "or when the system likes (never).",
    "audit.keep": "How many files are kept of those that were full (64 MiB) or old (30 days) (12).",
    "metrics.enabled": "Whether requests are counted (true).",
    "metrics.file": "After each run, write the counters here in Prometheus' text format.",
    "log.file": "Append every message to this file.",
    "log.level": "Least serious message that is written there (debug).",
    "allow_insecure_http": "Allow plain http to another machine.",
    "send_key_insecure": "Send the key over plain http too.",
    "x509_strict": "Check certificates by the strict rules of RFC 5280.",
}
