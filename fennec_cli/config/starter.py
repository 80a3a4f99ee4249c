"""The file that `fennec config init` writes. A line that begins with `#` and no space is a setting to uncomment."""

STARTER = """\
# Configuration of fennec. `fennec config check` looks for mistakes, `fennec config show` says what is in effect.
# Everything here is optional. Stronger than this file: ./.fennec.toml, variables FENNEC_<OPTION>, and options.

# The model when -m names none; a name before the first slash is a provider.
#model = "openai/gpt-5.4-mini"

# How long one prompt may take, with all waits and retries.
#deadline = "10m"

# Short names for -m.
[alias]
#fast = "openai/gpt-5.4-mini"

# Defaults for the options of `fennec complete`: the long name, dashes as underscores.
[complete]
#system = "Answer in one sentence."
#max_tokens = 4096
#usage = true

# A provider. Without api_key its own variable is used (OPENAI_API_KEY). Better than a key in this file:
# "${VARIABLE}", "file:PATH", or what `fennec keys set openai` stores.
[provider.openai]
#api_key = "${OPENAI_API_KEY}"
#temperature = 0.7
#timeout = "2m"

[provider.openai.retry]
#max_attempts = 3
#max_delay = "8s"

# Any server that speaks OpenAI's protocol, under a name of your own.
#[provider.mine]
#type = "openai"
#base_url = "http://localhost:8080/v1"
#model = "llama-3"

# Settings to choose with --profile work.
#[profile.work]
#model = "mine/llama-3"

[log]
#file = "/tmp/fennec.log"
"""
