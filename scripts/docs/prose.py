"""What the manual says and no declaration in the code can: meanings, files, variables, pipelines.

In all texts `backquotes` make bold; options and pages such as fennec-config(5) are bold by themselves.
"""

DATE = "2026-11-22"  # of the manual; set it with each release

ABOUT = (
    "`fennec` is a filter. A prompt comes in on standard input, the model's answer goes out on standard output, "
    "everything else goes to standard error, and the exit status says what happened. "
    "It never asks a question, never needs a terminal, and never reports an incomplete answer as complete.",
    "Model names are written `PROVIDER/MODEL`. "
    "The text before the first slash is a provider if one of that name is built in or configured; "
    "the rest is the provider's own name of the model. "
    "Without it the default provider is used: the configured one, else the first whose key is present, "
    "else the embedded engine if it is installed. "
    "-v says which was taken and why.",
)

MESSAGES = (
    "A problem is one line on standard error: `fennec: CLASS: what failed, where; what to do`. "
    "The class is one of those under EXIT STATUS. "
    "Colour and progress appear only when standard error is a terminal.",
)

# class -> when, and whether the same command may succeed later
EXIT_MEANING: dict[str, tuple[str, bool]] = {
    "ok": ("The finish reason was seen and all bytes were written.", False),
    "internal": ("A bug of fennec. Please report it.", False),
    "usage": ("An option or argument is wrong, or two of them exclude each other.", False),
    "config": ("A configuration file, provider, profile or address cannot be used.", False),
    "auth": ("There is no key, or the provider or a proxy refuses it (401, 403, 407).", False),
    "request": (
        "The provider refuses the request (400, 404, 413, 422), does not serve the model, or the prompt is too long.",
        False,
    ),
    "rate_limit": (
        "The provider asks to slow down (429), and waiting was not enough or not allowed; or a quota is used up.",
        True,
    ),
    "unavailable": (
        "No usable answer: name resolution, connection, 408, 409, 5xx, or a broken protocol before any output.",
        True,
    ),
    "timeout": ("A time limit passed before any output.", True),
    "stream_broken": ("The stream was cut, failed or timed out after some output.", True),
    "truncated": ("The answer was cut at its token limit. --allow-truncated makes this a success.", False),
    "filtered": (
        "A content filter of the provider stopped the answer or refused the request. "
        "--allow-filtered makes a stopped answer a success.",
        False,
    ),
    "budget": ("A limit on cost was met, before sending or midway.", False),
    "cache_miss": ("Only the cache was to be asked, and it has no answer.", False),
    "circuit_open": ("The provider failed too often a moment ago; nothing was sent.", True),
    "invalid_output": ("The answer is complete but not what was asked for, such as one without a fenced block.", False),
    "partial_batch": (
        "Some rows failed. If all rows failed with one class, the status is that of the class.",
        False,
    ),
    "input": ("The prompt is empty or not UTF-8, or a file named on the command line cannot be read.", False),
    "output": ("The answer cannot be written, for another reason than a closed pipe.", False),
    "blocked": ("A local filter or a privacy rule stopped the request.", False),
    "tls": ("The certificate or the protocol version of the server was refused.", False),
    "regression": ("A measurement is worse than its baseline allows.", False),
    "integrity": ("Stored or fetched bytes are not what their check sum promises.", False),
}

SIGNALS = (
    ("130, 143", "Stopped by SIGINT or SIGTERM. fennec ends by the signal itself, so that a shell loop ends too."),
    ("141", "The reader closed the pipe. This is silent; the request is cancelled."),
)

# Shown in the manual as far as the code reads them; the provider's own variables come from its module.
VARIABLES: dict[str, str] = {
    "XDG_CONFIG_HOME": "Where the user's configuration is (`~/.config`).",
    "XDG_CACHE_HOME": "Where caches are (`~/.cache`).",
    "XDG_STATE_HOME": "Where state shared by all processes is (`~/.local/state`).",
    "XDG_DATA_HOME": "Where models of the embedded engine are (`~/.local/share`).",
    "XDG_RUNTIME_DIR": "Where the socket of the embedded engine is made while it runs.",
    "HTTPS_PROXY": "Proxy for https: `http://`, `https://` or `socks5h://`, perhaps with `USER:PASSWORD@`. "
    "Small letters work too. This machine is never asked through it.",
    "HTTP_PROXY": "Proxy for plain http.",
    "ALL_PROXY": "Proxy for both, where neither of them is set.",
    "NO_PROXY": "Hosts that are asked without a proxy: names, domains, addresses, networks, `*`.",
    "SSL_CERT_FILE": "File of certificates to trust instead of the system's.",
    "SSL_CERT_DIR": "Directories of certificates to trust instead of the system's, with `:` between them.",
    "CREDENTIALS_DIRECTORY": "Directory of key files that systemd hands to a service.",
    "FENNEC_PASSPHRASE_FILE": "The file with the passphrase of the encrypted file of keys.",
    "NO_COLOR": "If set and not empty, no colour.",
    "TERM": "If `dumb`, no colour.",
}

# path, the variable or name in the code that it hangs on, meaning
FILES: tuple[tuple[str, str, str], ...] = (
    ("/etc/fennec/config.toml", "SYSTEM_FILE", "Configuration of the machine."),
    ("$XDG_CONFIG_HOME/fennec/config.toml", "XDG_CONFIG_HOME", "Configuration of the user."),
    ("./.fennec.toml", "PROJECT_FILE", "Configuration of the working directory; not trusted, see fennec-config(5)."),
    ("$XDG_DATA_HOME/fennec/models", "XDG_DATA_HOME", "Models of the embedded engine, a file `NAME.gguf` each."),
    (
        "$XDG_CACHE_HOME/fennec/models",
        "ModelLists",
        "Lists of models as the providers gave them, a file `NAME.json` each.",
    ),
    ("$XDG_CACHE_HOME/fennec", "diskcache", "Cached answers."),
    ("$XDG_DATA_HOME/fennec/keys", "unlock.key", "Stored keys: the index, the encrypted file and its key file."),
    ("$XDG_STATE_HOME/fennec", "XDG_STATE_HOME", "State shared by all processes."),
)

# What for, and the command. One is shown once every fennec command, option and choice in it exists.
PIPELINES: tuple[tuple[str, str], ...] = (
    ("An answer in a file:", "cat prompt.txt | fennec complete > answer.txt"),
    (
        "A commit message:",
        "git diff --staged | fennec complete -s 'Write a commit message' | git commit -F -",
    ),
    (
        "Events, reduced to the text:",
        "fennec complete --ndjson < p.txt | jq -rj 'select(.type==\"chunk\").content // empty'",
    ),
    (
        "A reader that has enough cancels the request:",
        "yes 'count to 1000' | head -1 | fennec complete | head -3",
    ),
    (
        "Eight at a time:",
        "find docs -name '*.md' -print0 |\n"
        "  xargs -0 -P8 -I{} fennec complete -q --no-stdin -f {} -o {}.sum 'Summarise'",
    ),
    (
        "A batch that can be resumed:",
        "jq -c '{id:.sha,prompt:.msg}' commits.json |\n"
        "  fennec complete --input ndjson -j16 --resume run.ledger --dead-letter bad.ndjson --ndjson > out.ndjson",
    ),
    (
        "From cron:",
        "fennec complete -q --deadline 10m --budget daily --metrics-file fennec.prom -o report.txt < prompt.txt",
    ),
    (
        "In a test, without network:",
        "fennec cache import < cache.ndjson &&\n"
        "  fennec complete --offline --json < case1.txt | jq -e '.content|test(\"OK\")'",
    ),
    (
        "Another provider when the first one fails; an exit status that sendmail knows:",
        "fennec complete --strategy fallback --fallback openrouter/x --fallback ollama/y < q.txt ||\n"
        "  case $? in 6|7|8|14) exit 75;; *) exit 1;; esac",
    ),
    (
        "An answer of a given form:",
        'curl -fsS "$URL" | fennec complete --schema invoice.schema.json | jq .total',
    ),
    (
        "Measure what is cheap:",
        "fennec models list --ndjson | jq -r 'select(.input_usd_per_mtok<0.5).id' |\n"
        "  fennec bench --models-from - -N 20 --ndjson > bench.ndjson",
    ),
    (
        "Store a key, then see what a file of prompts would cost:",
        "pass show openai/key | fennec keys set openai &&\n"
        "  fennec complete -n --max-cost 0.50 --input lines < big.txt",
    ),
)

# Whole paragraphs of a command's DESCRIPTION, after its own help.
DESCRIPTIONS: dict[str, tuple[str, ...]] = {
    "fennec complete": (
        "Standard input is read unless it is a terminal or --no-stdin is given. "
        "Files named by -f stand between the argument and standard input. "
        "All text must be UTF-8; a prompt of nothing but white space is an error.",
        "In text format the answer's bytes are written as they arrive, and nothing else; "
        "a newline is added only on a terminal. "
        "The other formats are described in fennec-events(7).",
        "With --input lines or --input nul every record is one prompt, the argument and files stand before each, "
        "and each answer is closed by a newline or a NUL. "
        "A prompt that fails is reported and does not stop the others.",
        "With --input ndjson every line is an object with `prompt` or `messages` (as OpenAI writes them), and, where "
        "wanted, `id` (a text; else the number of the line), `system`, `model`, `options`, `attachments` and `meta`, "
        "which comes back untouched. Of `options`, `temperature`, `top_p`, `max_tokens`, `seed`, `stop` and "
        "`reasoning_effort` are what the options of those names are, `tools` are definitions of functions, the others "
        "are sent as they are. One that chooses who else sees the prompt (`provider`, `plugins`, `mcp_servers`, …) is "
        "refused. Rows of OpenAI's batch files (`custom_id`, `body`) are taken too. A row that cannot be used is an "
        "error of its own.",
        "With -j more than one row is under way. Text answers are then written whole; events of several rows may "
        "stand between each other.",
        "A failed attempt is repeated as long as nothing was written. "
        "Whatever was written is never taken back: with --atomic, -x, -o or --json the answer is held "
        "until it is complete.",
    ),
    "fennec bench": (
        "A closed loop (-j) keeps a number of requests under way and sends the next one when one is answered; "
        "when the server slows down, so does the load, and the queue that users would stand in is hidden. "
        "An open loop (--rate) sends at planned moments whatever comes back; the figures from the planned moment "
        "then hold all waiting. Both count all models together, and -N each model and level of load by itself. "
        "With several models each round asks every model once, in random order, so that a drift meets all alike.",
        "Prompts come from standard input unless --set is given or standard input is a terminal, empty, or the list of "
        "models. Answers are neither shown nor kept, and results hold no prompt. "
        "The prompts of a set differ from their first word on, so that no server's prefix cache helps.",
        "Moments are taken in worker processes, one for 32 lanes. "
        "The result is marked as not valid when requests went out later than 10 ms or 5 % of the median time to first "
        "token (p99), or when a worker used more than 80 % of a processor: then our own side was the bottleneck, "
        "and the figures are not the provider's. "
        "--self measures fennec's own error and cost.",
        "With --baseline a figure (TTFT, TPOT, E2E, share of answers) is a regression when it is worse by more than "
        "--max-regression and the 95 % interval of the change excludes no change; the class is then `regression`. "
        "The table says the size of the effect by Cliff's delta.",
        "A request that fails is counted and never left out. If no request was answered the exit status is that of "
        "the failure; if none of one model was, the class is `partial_batch`.",
        "JSON Schemas of all forms are part of the package: `bench.json`, `bench-request.json`, `bench-self.json`. "
        "Definitions of all figures are in --json, in the report, and shown with -v.",
    ),
    "fennec models": (
        "Models of the embedded engine are files in `$XDG_DATA_HOME/fennec/models`. "
        "They are used as `local/NAME`, and nothing is ever fetched without being asked for.",
        "What a provider answered to `list` or `refresh` is kept in `$XDG_CACHE_HOME/fennec/models`. "
        "`list` shows it for a provider that fails, and with --offline instead of asking; how old it is stands on "
        "standard error and, for programs, in the field `source`. There `id` is the name that every "
        "command takes, and `model` the provider's own.",
        "`check` gives the fields `provider`, `ok`, `url`, `proxy`, `address` (that was connected to), `dns_ms`, "
        "`connect_ms`, `tls_ms`, `tls` (its version), `issuer` (of the certificate), `key` (where it comes from), "
        "`key_accepted`, `latency_ms`, `models`, `circuits`, `class` and `message`. "
        "The latency goes from the call to the head of its answer and includes connecting. "
        "The exit status of `list`, `check` and `refresh` is that of the first provider that failed.",
    ),
}

DESCRIPTIONS["fennec cache"] = (
    "Answers are kept by `fennec complete --cache use`, or with `[cache] mode` of the configuration; see "
    "fennec-complete(1).",
    "`stats` gives the fields `entries`, `fresh`, `bytes`, `max_bytes`, `hits`, `misses`, `hit_rate`, `oldest_s`, "
    "`newest_s`, `saved_input_tokens`, `saved_output_tokens` and `saved_usd`. `get` prints the answer's text, and "
    "with --json everything that is kept of it.",
    "`explain` gives `fingerprint`, `verdict` (kept, stale, truncated, missing), `nearest` and `differs`: each field "
    "that is another one in the nearest request, with what it is here and there.",
    "`export` writes a line for each answer that counts, sorted by fingerprint, with a check sum. The same answers "
    "give the same bytes, so that a repository can keep them; the texts of prompts are not among them unless "
    "--with-prompts is given, but the answers are. `import` of the same lines a second time changes nothing. A line "
    "that fails its check, and an entry that this installation has not written, is class `integrity`.",
)
DESCRIPTIONS["fennec keys"] = (
    "A key is looked for in this order: --api-key-file, `FENNEC_PROVIDER_API_KEY`, `api_key` or `api_keys` of the "
    "configuration, the provider's own variable, the file `PROVIDER_api_key` in `CREDENTIALS_DIRECTORY` "
    "(systemd), `key_command`, and what `set` has stored. The first place that has one is taken.",
    "What is stored is in the system's keyring (Secret Service, KWallet, macOS, Windows; no other backend is "
    "used), or in the encrypted file `$XDG_DATA_HOME/fennec/keys/keys.enc` (extra `encrypt`). A keyring that asks "
    "for a password is given up after three seconds where there is no terminal. The file is AES-256-GCM; its data "
    "key is unlocked by the key file `unlock.key` beside it, by a passphrase (Argon2id) in the file that "
    "`FENNEC_PASSPHRASE_FILE` names or in the credential `fennec_passphrase`, or by the keyring. Whoever loses "
    "that has lost the file.",
    "A name has up to three keys. The `active` one is sent. When a provider refuses it (401), the stored keys are "
    "read again, as another process may have changed them; else the `next` one is tried, and once it has worked "
    "it is the active one for all processes and the old one is `retired`. Neither 403 nor 429 nor a server's "
    "fault changes a key. `rotate` does the same by hand or from cron, after the new key was tried.",
    "`list` gives the fields `name`, `place`, `slot`, `used`, `age_days` and `old` (beyond `max_age`), `test` "
    "gives `name`, `place`, `slot`, `ok`, `class` and `message`. Keys themselves are never shown.",
)

# Further sentences for an option, after its one line of help.
OPTION_NOTES: dict[str, dict[str, str]] = {
    "fennec bench": {
        "--model": "Its variable may also hold one name as it is.",
        "--models-from": "Empty lines and those that begin with # are left out.",
        "--set": "In tokens in and out: short 32x32, chat 128x128, long-answer 64x512, summary 1024x128, rag 4096x256.",
        "--requests": "A median needs 20 answers, a p90 100, a p99 1,000; below that a figure is not given.",
        "--jobs": "Lanes begin 5 ms after each other.",
        "--sweep": "Rates are halved down to an eighth, jobs down to one.",
        "--max-cost": "The most a request may cost is estimated, so it needs --max-tokens or a built-in set, "
        "and a known price. Requests under way count in full.",
        "--baseline": "Models and levels of load that it does not know are said; so are other conditions than now.",
        "--retries": "It has no variable: the one of fennec-complete(1) is not meant for measurements.",
        "--cache": "An answer that was kept has no time of sending: all its times are from the planned moment.",
        "--breaker": "Also where `rpm` or `tpm` are configured, the state that all processes share is used.",
        "--report": "It needs no network and has no script.",
    },
    "fennec complete": {
        "--model": "Without the provider the default one is used. "
        "An alias is a name in `[alias]` of the configuration.",
        "--system": "@FILE takes the text from a file.",
        "--option": "It goes into the request's body under that name and wins over what fennec would put there: "
        "`-O top_k=40`.",
        "--input": "All but `text` make a batch.",
        "--attach-root": "Without it rows may attach URLs only. A path is relative to it and cannot lead out of it.",
        "--jobs": "No more than `max_parallel` of the provider (16 unless configured).",
        "--allow-row-model": "Without it a row chooses among the models of the provider in use. "
        "A local model goes by its name there, never by a path.",
        "--max-cost": "What a request may cost at most is taken before it is sent, and what it did not cost is given "
        "back. Without --max-tokens the length of an answer is estimated, and one that outgrows the budget is stopped "
        "midway. A model whose price is not known is refused.",
        "--budget": "The limit is that of the configuration: a day or a month of UTC, or a run. "
        "What a killed process had taken stays taken.",
        "--dead-letter": "The file is emptied first.",
        "--resume": "A second start with the same ledger sends no row again that has a good answer in it, and writes "
        "what was not written. Rows that failed are sent again. Into a regular file (`>>`, or -o, which then adds to "
        "the file) every row comes exactly once: what a run left half written is made whole, and its errors and "
        "summary, which stand at the end, give way. Into a pipe, lines that may be repetitions carry `replayed`.",
        "--fail-fast": "Those under way are answered and written.",
        "--no-stdin": "For loops such as `while read`, whose input a filter would eat.",
        "--encoding-errors": "`strict` fails with the offset of the first wrong byte; "
        "`replace` puts U+FFFD in its place.",
        "--output": "The answer goes to a temporary file beside it, which is renamed when all is well. "
        "A failure leaves nothing behind and an older file as it was; of a batch, what was answered is written.",
        "--extract": "The fence is a line of backquotes or tildes. Without a block the class is `invalid_output`.",
        "--reasoning": "On standard error in text format, else in its own field.",
        "--atomic": "So even a late failure can be repeated.",
        "--timeout": "The stream is part of it. There is no limit of this kind unless one is set.",
        "--connect-timeout": "Five seconds unless set.",
        "--first-token-timeout": "Five minutes unless set.",
        "--idle-timeout": "Two minutes unless set. Time in which the reader of the output is slow does not count.",
        "--deadline": "Waits, repeated attempts and the stream are part of it. Half an hour a prompt unless set.",
        "--retries": "Two unless set. Only failures that may pass are repeated, with growing, random waits "
        "or the wait that the provider asks for.",
        "--cache": "`use` and `refresh` keep complete answers, when they have been written; `only` fails with class "
        "`cache_miss` where none is kept. An answer is given again only for the same request to the same address: "
        "model, prompt, options, attachments. The default is `[cache] mode`, or else `off`.",
        "--semantic": "It turns the cache on. System prompt and all options must be the same; the prompt may differ "
        "in case and spaces, or be close by a small language model's measure, with the same numbers, negations, names, "
        "quantities, units and order of words. Never with several turns, tools, attachments or a schema, nor above 512 "
        "characters. Such an answer is marked `semantic` in the events, with its `similarity`.",
        "--cache-ttl": "It limits both the answers that are given and those that are kept now.",
        "--api-key-file": "No option takes a key itself: others could read it in the list of processes.",
        "--dry-run": "The request is shown as JSON with secrets masked, with an estimate of tokens and cost.",
        "--verbose": "Once tells which provider was taken and why.",
        "--config": "It stands in for the user's and the project's file.",
    },
}

DURATIONS = "Durations (`DUR`) are written `500ms`, `30s`, `2m`, `1h30m`, `7d`, or as a number of seconds."

TWINS = (
    "An option that is not given is looked for in its environment variable, then in the configuration. "
    "A repeatable option takes a JSON array of texts there."
)

CONFIG_ABOUT = (
    "The configuration is a set of TOML files. None of them has to exist: a key in the environment is enough to begin. "
    "A file is at most 256 KiB of UTF-8.",
    "A key that does not exist, and a value of a wrong type, is an error of class `config` that names file, line "
    "and the nearest known key.",
)

CONFIG_LAYERS = (
    "Files are laid over each other key by key, the strongest first:",
    "`./.fennec.toml`, the project's file in the working directory, which may only set what is marked below;",
    "`$XDG_CONFIG_HOME/fennec/config.toml`, the user's file (`~/.config` where the variable is not set);",
    "`/etc/fennec/config.toml`, the machine's file.",
)

CONFIG_PRECEDENCE = (
    "A file named by --config is trusted and stands in for the user's and the project's file. "
    "--profile lays `[profile.NAME]` of the trusted files over all of them, the project's file too.",
    "A key at the top, such as `model`, takes the place of its namesake in `[complete]` of a weaker file; in one file "
    "`[complete]` has the last word.",
    "An option on the command line wins over its environment variable, and the variable over all files.",
)

CONFIG_VALUES = (
    "`${VAR}` in `api_key`, `api_keys`, `base_url`, `proxy` and `headers` stands for an environment variable; "
    "`$${` is a plain `${`. "
    "It is looked up only for the provider in use. "
    "An unset one is an error, but in `api_key` it only means that there is no key here.",
    "An `api_key` may also be a place: `file:PATH`, `store:NAME` (see fennec-keys(1)) or `keyring:SERVICE/USER`. "
    "A file that others can read and that holds a key itself is reported.",
    'Durations are texts such as "500ms", "30s", "2m", "1h30m", or numbers of seconds.',
)

CONFIG_PROJECT = (
    "`./.fennec.toml` may come with a repository that somebody else wrote, so it is not trusted. "
    "It may set the keys that are marked `project` below and no others: "
    "nothing that names a host or a file, carries a key, or sets a header; "
    "a model of the embedded engine goes by its name there, not by a path. "
    "It may name only providers that are built in or that you have configured, and has no profiles. "
    "`${VAR}` is refused in it, and no `@FILE` is read. "
    "Anything else is an error of class `config`, unless the file is given with --config.",
    "A file that belongs to another user (and not to root) is ignored, with a note on standard error.",
)

CONFIG_EXAMPLE = """\
[provider.openai]
api_key = "${OPENAI_API_KEY}"
model = "gpt-4"
max_tokens = 4096
temperature = 0.7
timeout = "30s"

[provider.openai.retry]
max_attempts = 3
initial_delay = "1s"
max_delay = "30s"

[provider.anthropic]
api_key = "${ANTHROPIC_API_KEY}"
model = "claude-3-sonnet"
max_tokens = 4096

[provider.ollama]
base_url = "http://localhost:11434"
model = "codellama"
gpu_layers = 35
"""

CONFIG_EXAMPLE_SERVER = """\
[complete]
provider = "lab"
deadline = "5m"

[provider.lab]
type = "openai"
base_url = "https://models.example.org/v1"
api_key = "file:~/.lab-key"

[alias]
big = "openai/gpt-5.4"

[profile.ci.complete]
retries = 5
no_color = true
"""

EVENTS_ABOUT = (
    "`fennec complete --ndjson` writes one JSON object a line: UTF-8, closed by LF. "
    "A write carries whole lines and happens at once after each read from the network.",
    "Exactly one `end` or `error` closes each `id`. "
    "`end` says that the finish reason was seen; its `ok` is false where the answer is complete but a failure by "
    "the rules of the command. A batch ends with one `summary`.",
    "Readers should ignore keys and types that they do not know. A change that would break them raises `v`.",
)

EVENTS_OBJECT = (
    "`fennec complete --json` writes one object a prompt when its answer is over: the fields of `end` or `error`, "
    "and these.",
)
