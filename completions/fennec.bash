# bash completion for fennec. Made by `make docs`; do not edit.
# Completing starts no Python: names from the user's own files are read with sed.

# Sets what the command $1 has: commands, options, and those options that take a value.
_fennec_table() {
    case $1 in
    'fennec')
        commands='complete models bench cache keys batch metrics audit config'
        options='--version -h --help'
        valued=''
        ;;
    'fennec complete')
        commands=''
        options='-m --model --provider -s --system --temperature --top-p --max-tokens --seed --stop --reasoning-effort -O --option --tools --tool-choice --schema --input -0 --nul -f --file -a --attach --attach-root --no-stdin --encoding-errors --format --ndjson --json -o --output -x --extract --reasoning --atomic --no-stream --strategy --fallback --timeout --connect-timeout --first-token-timeout --idle-timeout --deadline --retries --max-wait --no-breaker --on-interrupt --allow-truncated --allow-filtered --cache --no-cache --offline --cache-ttl --semantic --semantic-threshold --fingerprint --max-cost --budget -u --usage -j --jobs --ordered --allow-row-model --resume --dead-letter --fail-fast --max-failures --shard --rpm --tpm --redact --private --audit --api-key-file -n --dry-run -q --quiet -v --verbose --log-file --metrics-file --no-color -c --config --profile --version -h --help'
        valued='-m --model --provider -s --system --temperature --top-p --max-tokens --seed --stop --reasoning-effort -O --option --tools --tool-choice --schema --input -f --file -a --attach --attach-root --encoding-errors --format -o --output --strategy --fallback --timeout --connect-timeout --first-token-timeout --idle-timeout --deadline --retries --max-wait --on-interrupt --cache --cache-ttl --semantic-threshold --max-cost --budget -j --jobs --resume --dead-letter --max-failures --shard --rpm --tpm --redact --audit --api-key-file --log-file --metrics-file -c --config --profile'
        ;;
    'fennec models')
        commands='check list ps pull refresh rm show'
        options='-h --help --provider --offline --format --ndjson --json -c --config --profile'
        valued='--provider --format -c --config --profile'
        ;;
    'fennec models check')
        commands=''
        options='--provider --reset --format --ndjson --json -c --config --profile -h --help'
        valued='--provider --format -c --config --profile'
        ;;
    'fennec models list')
        commands=''
        options='--provider --offline --format --ndjson --json -c --config --profile -h --help'
        valued='--provider --format -c --config --profile'
        ;;
    'fennec models ps')
        commands=''
        options='--provider --format --ndjson --json -c --config --profile -h --help'
        valued='--provider --format -c --config --profile'
        ;;
    'fennec models pull')
        commands=''
        options='--from -q --quiet -c --config --profile -h --help'
        valued='--from -c --config --profile'
        ;;
    'fennec models refresh')
        commands=''
        options='--provider -q --quiet -c --config --profile -h --help'
        valued='--provider -c --config --profile'
        ;;
    'fennec models rm')
        commands=''
        options='-c --config --profile -h --help'
        valued='-c --config --profile'
        ;;
    'fennec models show')
        commands=''
        options='--format --ndjson --json -c --config --profile -h --help'
        valued='--format -c --config --profile'
        ;;
    'fennec bench')
        commands=''
        options='-m --model --models-from --set --input -s --system --max-tokens --temperature -O --option --self -N --requests --duration -j --jobs --rate --arrival --sweep --warmup --seed --max-cost --slo --baseline --max-regression --format --ndjson --json -o --output --report --timeout --connect-timeout --first-token-timeout --idle-timeout --retries --breaker --cache --api-key-file -q --quiet -v --verbose --log-file --no-color -c --config --profile -h --help'
        valued='-m --model --models-from --set --input -s --system --max-tokens --temperature -O --option -N --requests --duration -j --jobs --rate --arrival --warmup --seed --max-cost --slo --baseline --max-regression --format -o --output --report --timeout --connect-timeout --first-token-timeout --idle-timeout --retries --cache --api-key-file --log-file -c --config --profile'
        ;;
    'fennec cache')
        commands='clear explain export get import prune stats'
        options='-h --help --format --ndjson --json -c --config --profile'
        valued='--format -c --config --profile'
        ;;
    'fennec cache clear')
        commands=''
        options='-q --quiet -c --config --profile -h --help'
        valued='-c --config --profile'
        ;;
    'fennec cache explain')
        commands=''
        options='-m --model --provider -s --system --temperature --top-p --max-tokens --seed --stop --reasoning-effort -O --option --tools --tool-choice --schema -f --file -a --attach --no-stdin --encoding-errors --strategy --fallback --reasoning --cache-ttl --format --ndjson --json -c --config --profile -h --help'
        valued='-m --model --provider -s --system --temperature --top-p --max-tokens --seed --stop --reasoning-effort -O --option --tools --tool-choice --schema -f --file -a --attach --encoding-errors --strategy --fallback --cache-ttl --format -c --config --profile'
        ;;
    'fennec cache export')
        commands=''
        options='-o --output --with-prompts -c --config --profile -h --help'
        valued='-o --output -c --config --profile'
        ;;
    'fennec cache get')
        commands=''
        options='--format --ndjson --json -c --config --profile -h --help'
        valued='--format -c --config --profile'
        ;;
    'fennec cache import')
        commands=''
        options='-q --quiet -c --config --profile -h --help'
        valued='-c --config --profile'
        ;;
    'fennec cache prune')
        commands=''
        options='--older-than --max-size -q --quiet -c --config --profile -h --help'
        valued='--older-than --max-size -c --config --profile'
        ;;
    'fennec cache stats')
        commands=''
        options='--format --ndjson --json -c --config --profile -h --help'
        valued='--format -c --config --profile'
        ;;
    'fennec keys')
        commands='list rm rotate set test'
        options='-h --help --format --ndjson --json -c --config --profile'
        valued='--format -c --config --profile'
        ;;
    'fennec keys list')
        commands=''
        options='--format --ndjson --json -c --config --profile -h --help'
        valued='--format -c --config --profile'
        ;;
    'fennec keys rm')
        commands=''
        options='--slot --passphrase-file -c --config --profile -h --help'
        valued='--slot --passphrase-file -c --config --profile'
        ;;
    'fennec keys rotate')
        commands=''
        options='--no-stdin --passphrase-file -q --quiet -c --config --profile -h --help'
        valued='--passphrase-file -c --config --profile'
        ;;
    'fennec keys set')
        commands=''
        options='--vault --next --lock --passphrase-file -q --quiet -c --config --profile -h --help'
        valued='--vault --lock --passphrase-file -c --config --profile'
        ;;
    'fennec keys test')
        commands=''
        options='--passphrase-file --format --ndjson --json -c --config --profile -h --help'
        valued='--passphrase-file --format -c --config --profile'
        ;;
    'fennec batch')
        commands='cancel fetch status submit'
        options='-h --help'
        valued=''
        ;;
    'fennec batch cancel')
        commands=''
        options='--format --ndjson --json -c --config --profile -h --help'
        valued='--format -c --config --profile'
        ;;
    'fennec batch fetch')
        commands=''
        options='--wait -o --output --format --json --ndjson --reasoning --cache --allow-truncated --allow-filtered --redact --audit -q --quiet -v --verbose -c --config --profile -h --help'
        valued='--wait -o --output --format --cache --redact --audit -c --config --profile'
        ;;
    'fennec batch status')
        commands=''
        options='--format --ndjson --json -c --config --profile -h --help'
        valued='--format -c --config --profile'
        ;;
    'fennec batch submit')
        commands=''
        options='-m --model --provider -s --system --max-tokens -O --option --attach-root --max-cost --budget --redact --private --audit -q --quiet -v --verbose -c --config --profile -h --help'
        valued='-m --model --provider -s --system --max-tokens -O --option --attach-root --max-cost --budget --redact --audit -c --config --profile'
        ;;
    'fennec metrics')
        commands='reset show'
        options='-h --help -o --output --format --ndjson --json -c --config --profile'
        valued='-o --output --format -c --config --profile'
        ;;
    'fennec metrics reset')
        commands=''
        options='-c --config --profile -h --help'
        valued='-c --config --profile'
        ;;
    'fennec metrics show')
        commands=''
        options='-o --output --format --ndjson --json -c --config --profile -h --help'
        valued='-o --output --format -c --config --profile'
        ;;
    'fennec audit')
        commands='export head tail verify'
        options='-h --help'
        valued=''
        ;;
    'fennec audit export')
        commands=''
        options='-o --output --format --ndjson --json -c --config --profile -h --help'
        valued='-o --output --format -c --config --profile'
        ;;
    'fennec audit head')
        commands=''
        options='-c --config --profile -h --help'
        valued='-c --config --profile'
        ;;
    'fennec audit tail')
        commands=''
        options='-N --lines --format --ndjson --json -c --config --profile -h --help'
        valued='-N --lines --format -c --config --profile'
        ;;
    'fennec audit verify')
        commands=''
        options='--head --chain-only -c --config --profile -h --help'
        valued='--head -c --config --profile'
        ;;
    'fennec config')
        commands='check init path show'
        options='-h --help -c --config --profile --format --ndjson --json'
        valued='-c --config --profile --format'
        ;;
    'fennec config check')
        commands=''
        options='-c --config --profile -h --help'
        valued='-c --config --profile'
        ;;
    'fennec config init')
        commands=''
        options='-c --config --stdout -h --help'
        valued='-c --config'
        ;;
    'fennec config path')
        commands=''
        options='-c --config --format --ndjson --json -h --help'
        valued='-c --config --format'
        ;;
    'fennec config show')
        commands=''
        options='-c --config --profile --format --ndjson --json -h --help'
        valued='-c --config --profile --format'
        ;;
    esac
}

# Offers values for $1, a command and one of its options, or ARGUMENT.
_fennec_value() {
    case $1 in
    'fennec complete -m' | \
        'fennec complete --model' | \
        'fennec complete --fallback' | \
        'fennec models show ARGUMENT' | \
        'fennec bench -m' | \
        'fennec bench --model' | \
        'fennec cache explain -m' | \
        'fennec cache explain --model' | \
        'fennec cache explain --fallback' | \
        'fennec batch submit -m' | \
        'fennec batch submit --model')
        _fennec_models
        ;;
    'fennec complete --provider' | \
        'fennec models --provider' | \
        'fennec models check --provider' | \
        'fennec models list --provider' | \
        'fennec models ps --provider' | \
        'fennec models refresh --provider' | \
        'fennec cache explain --provider' | \
        'fennec batch submit --provider')
        _fennec_providers
        ;;
    'fennec complete -s' | \
        'fennec complete --system' | \
        'fennec bench -s' | \
        'fennec bench --system' | \
        'fennec cache explain -s' | \
        'fennec cache explain --system' | \
        'fennec batch submit -s' | \
        'fennec batch submit --system')
        _fennec_at_file
        ;;
    'fennec complete --tools' | \
        'fennec complete --schema' | \
        'fennec complete -f' | \
        'fennec complete --file' | \
        'fennec complete -a' | \
        'fennec complete --attach' | \
        'fennec complete -o' | \
        'fennec complete --output' | \
        'fennec complete --resume' | \
        'fennec complete --dead-letter' | \
        'fennec complete --audit' | \
        'fennec complete --api-key-file' | \
        'fennec complete --log-file' | \
        'fennec complete --metrics-file' | \
        'fennec complete -c' | \
        'fennec complete --config' | \
        'fennec models -c' | \
        'fennec models --config' | \
        'fennec models check -c' | \
        'fennec models check --config' | \
        'fennec models list -c' | \
        'fennec models list --config' | \
        'fennec models ps -c' | \
        'fennec models ps --config' | \
        'fennec models pull --from' | \
        'fennec models pull -c' | \
        'fennec models pull --config' | \
        'fennec models refresh -c' | \
        'fennec models refresh --config' | \
        'fennec models rm -c' | \
        'fennec models rm --config' | \
        'fennec models show -c' | \
        'fennec models show --config' | \
        'fennec bench --models-from' | \
        'fennec bench --baseline' | \
        'fennec bench -o' | \
        'fennec bench --output' | \
        'fennec bench --report' | \
        'fennec bench --api-key-file' | \
        'fennec bench --log-file' | \
        'fennec bench -c' | \
        'fennec bench --config' | \
        'fennec cache -c' | \
        'fennec cache --config' | \
        'fennec cache clear -c' | \
        'fennec cache clear --config' | \
        'fennec cache explain --tools' | \
        'fennec cache explain --schema' | \
        'fennec cache explain -f' | \
        'fennec cache explain --file' | \
        'fennec cache explain -a' | \
        'fennec cache explain --attach' | \
        'fennec cache explain -c' | \
        'fennec cache explain --config' | \
        'fennec cache export -o' | \
        'fennec cache export --output' | \
        'fennec cache export -c' | \
        'fennec cache export --config' | \
        'fennec cache get -c' | \
        'fennec cache get --config' | \
        'fennec cache import -c' | \
        'fennec cache import --config' | \
        'fennec cache import ARGUMENT' | \
        'fennec cache prune -c' | \
        'fennec cache prune --config' | \
        'fennec cache stats -c' | \
        'fennec cache stats --config' | \
        'fennec keys -c' | \
        'fennec keys --config' | \
        'fennec keys list -c' | \
        'fennec keys list --config' | \
        'fennec keys rm --passphrase-file' | \
        'fennec keys rm -c' | \
        'fennec keys rm --config' | \
        'fennec keys rotate --passphrase-file' | \
        'fennec keys rotate -c' | \
        'fennec keys rotate --config' | \
        'fennec keys set --passphrase-file' | \
        'fennec keys set -c' | \
        'fennec keys set --config' | \
        'fennec keys test --passphrase-file' | \
        'fennec keys test -c' | \
        'fennec keys test --config' | \
        'fennec batch cancel -c' | \
        'fennec batch cancel --config' | \
        'fennec batch fetch -o' | \
        'fennec batch fetch --output' | \
        'fennec batch fetch --audit' | \
        'fennec batch fetch -c' | \
        'fennec batch fetch --config' | \
        'fennec batch status -c' | \
        'fennec batch status --config' | \
        'fennec batch submit --audit' | \
        'fennec batch submit -c' | \
        'fennec batch submit --config' | \
        'fennec metrics -o' | \
        'fennec metrics --output' | \
        'fennec metrics -c' | \
        'fennec metrics --config' | \
        'fennec metrics reset -c' | \
        'fennec metrics reset --config' | \
        'fennec metrics show -o' | \
        'fennec metrics show --output' | \
        'fennec metrics show -c' | \
        'fennec metrics show --config' | \
        'fennec audit export -o' | \
        'fennec audit export --output' | \
        'fennec audit export -c' | \
        'fennec audit export --config' | \
        'fennec audit export ARGUMENT' | \
        'fennec audit head -c' | \
        'fennec audit head --config' | \
        'fennec audit head ARGUMENT' | \
        'fennec audit tail -c' | \
        'fennec audit tail --config' | \
        'fennec audit tail ARGUMENT' | \
        'fennec audit verify -c' | \
        'fennec audit verify --config' | \
        'fennec audit verify ARGUMENT' | \
        'fennec config -c' | \
        'fennec config --config' | \
        'fennec config check -c' | \
        'fennec config check --config' | \
        'fennec config init -c' | \
        'fennec config init --config' | \
        'fennec config path -c' | \
        'fennec config path --config' | \
        'fennec config show -c' | \
        'fennec config show --config')
        _fennec_files
        ;;
    'fennec complete --tool-choice' | \
        'fennec cache explain --tool-choice')
        _fennec_offer 'auto none required'
        ;;
    'fennec complete --input' | \
        'fennec bench --input')
        _fennec_offer 'text lines nul ndjson'
        ;;
    'fennec complete --attach-root' | \
        'fennec batch submit --attach-root')
        _fennec_directories
        ;;
    'fennec complete --encoding-errors' | \
        'fennec cache explain --encoding-errors')
        _fennec_offer 'strict replace'
        ;;
    'fennec complete --format')
        _fennec_offer 'text ndjson json'
        ;;
    'fennec complete --strategy' | \
        'fennec cache explain --strategy')
        _fennec_offer 'manual automatic fallback cost'
        ;;
    'fennec complete --on-interrupt')
        _fennec_offer 'fail resume restart'
        ;;
    'fennec complete --cache')
        _fennec_offer 'use refresh off only'
        ;;
    'fennec complete --redact' | \
        'fennec batch fetch --redact' | \
        'fennec batch submit --redact')
        _fennec_offer 'off warn mask block'
        ;;
    'fennec complete --profile' | \
        'fennec models --profile' | \
        'fennec models check --profile' | \
        'fennec models list --profile' | \
        'fennec models ps --profile' | \
        'fennec models pull --profile' | \
        'fennec models refresh --profile' | \
        'fennec models rm --profile' | \
        'fennec models show --profile' | \
        'fennec bench --profile' | \
        'fennec cache --profile' | \
        'fennec cache clear --profile' | \
        'fennec cache explain --profile' | \
        'fennec cache export --profile' | \
        'fennec cache get --profile' | \
        'fennec cache import --profile' | \
        'fennec cache prune --profile' | \
        'fennec cache stats --profile' | \
        'fennec keys --profile' | \
        'fennec keys list --profile' | \
        'fennec keys rm --profile' | \
        'fennec keys rotate --profile' | \
        'fennec keys set --profile' | \
        'fennec keys test --profile' | \
        'fennec batch cancel --profile' | \
        'fennec batch fetch --profile' | \
        'fennec batch status --profile' | \
        'fennec batch submit --profile' | \
        'fennec metrics --profile' | \
        'fennec metrics reset --profile' | \
        'fennec metrics show --profile' | \
        'fennec audit export --profile' | \
        'fennec audit head --profile' | \
        'fennec audit tail --profile' | \
        'fennec audit verify --profile' | \
        'fennec config --profile' | \
        'fennec config check --profile' | \
        'fennec config show --profile')
        _fennec_profiles
        ;;
    'fennec models --format' | \
        'fennec models check --format' | \
        'fennec models list --format' | \
        'fennec models ps --format' | \
        'fennec models show --format' | \
        'fennec keys --format' | \
        'fennec keys list --format' | \
        'fennec keys test --format' | \
        'fennec batch cancel --format' | \
        'fennec batch status --format')
        _fennec_offer 'table json ndjson'
        ;;
    'fennec models pull ARGUMENT' | \
        'fennec models rm ARGUMENT')
        _fennec_local_models
        ;;
    'fennec bench --arrival')
        _fennec_offer 'poisson constant'
        ;;
    'fennec bench --format')
        _fennec_offer 'table json ndjson csv'
        ;;
    'fennec bench --cache')
        _fennec_offer 'off use refresh'
        ;;
    'fennec cache --format' | \
        'fennec cache explain --format' | \
        'fennec cache get --format' | \
        'fennec cache stats --format' | \
        'fennec audit tail --format' | \
        'fennec config --format' | \
        'fennec config path --format' | \
        'fennec config show --format')
        _fennec_offer 'text json ndjson'
        ;;
    'fennec keys rm --slot')
        _fennec_offer 'active next retired'
        ;;
    'fennec keys set --vault')
        _fennec_offer 'keyring file'
        ;;
    'fennec keys set --lock')
        _fennec_offer 'key-file passphrase keyring'
        ;;
    'fennec batch fetch --format')
        _fennec_offer 'json ndjson'
        ;;
    'fennec batch fetch --cache')
        _fennec_offer 'use off'
        ;;
    'fennec metrics --format' | \
        'fennec metrics show --format')
        _fennec_offer 'table json ndjson prometheus'
        ;;
    'fennec audit export --format')
        _fennec_offer 'csv json ndjson'
        ;;
    esac
}

_fennec_offer() {
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
}

_fennec_files() {
    compopt -o default 2>/dev/null # readline knows best how to complete and quote a file name
}

_fennec_at_file() {
    [[ $cur == @* ]] || return
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -P @ -- "${cur#@}")
}

_fennec_directories() {
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -d -- "$cur")
}

# Names NAME of the tables [$1.NAME] in the configuration.
_fennec_configured() {
    sed -n "s/^ *\[$1\.\([A-Za-z0-9_-]*\).*/\1/p" "${XDG_CONFIG_HOME:-$HOME/.config}/fennec/config.toml" /etc/fennec/config.toml 2>/dev/null | sort -u
}

_fennec_providers() {
    _fennec_offer "openai anthropic openrouter ollama azure local $(_fennec_configured provider)"
}

_fennec_profiles() {
    _fennec_offer "$(_fennec_configured profile)"
}

_fennec_installed() {
    local file
    for file in "${XDG_DATA_HOME:-$HOME/.local/share}"/fennec/models/*.gguf; do
        file=${file##*/}
        [[ $file == '*.gguf' ]] || echo "local/${file%.gguf}"
    done
}

_fennec_local_models() {
    _fennec_offer "local/smollm2-135m $(_fennec_installed)"
}

# Models of the lists that `fennec models refresh` keeps.
_fennec_listed() {
    local file provider
    for file in "${XDG_CACHE_HOME:-$HOME/.cache}/fennec/models"/*.json; do
        [[ -r $file ]] || continue
        provider=${file##*/} provider=${provider%.json}
        grep -o '"id":"[^"\\]*"' "$file" | sed "s|^\"id\":\"\(.*\)\"\$|$provider/\1|"
    done
}

# Providers up to the slash, then what is known of their models; installed models.
_fennec_models() {
    local typed=${COMP_LINE:0:COMP_POINT} name names='' before
    typed=${typed##*[[:space:]=]}
    if [[ $typed == */* ]]; then
        before=${typed%"${typed##*:}"} # bash cuts words at a colon, too
        mapfile -t COMPREPLY < <(compgen -W "$(_fennec_listed) $(_fennec_installed)" -- "$typed")
        COMPREPLY=("${COMPREPLY[@]#"$before"}")
        return
    fi
    for name in openai anthropic openrouter ollama azure local $(_fennec_configured provider); do
        names+="$name/ "
    done
    _fennec_offer "$names $(_fennec_installed)"
    [[ ${COMPREPLY[0]-} == */ ]] && compopt -o nospace 2>/dev/null
}

_fennec() {
    local cur=${COMP_WORDS[COMP_CWORD]} place=fennec option='' word i only_arguments=''
    local commands='' options='' valued=''
    COMPREPLY=()
    _fennec_table "$place"
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        # bash cuts --option=value into three words, and a value at its colons
        if [[ $option && ($word == '=' || $word == :* || ${COMP_WORDS[i + 1]} == :*) ]]; then
            continue
        elif [[ $option ]]; then
            option=''
        elif [[ $word == -- ]]; then
            only_arguments=1
        elif [[ ! $only_arguments && $word == -* ]]; then
            [[ " $valued " == *" $word "* ]] && option=$word
        elif [[ " $commands " == *" $word "* ]]; then
            place+=" $word"
            _fennec_table "$place"
        fi
    done
    if [[ $option ]]; then
        [[ $cur == '=' ]] && cur=''
        _fennec_value "$place $option"
    elif [[ $cur == -* && ! $only_arguments ]]; then
        _fennec_offer "$options"
    elif [[ $commands ]]; then
        _fennec_offer "$commands"
    else
        _fennec_value "$place ARGUMENT"
    fi
}

complete -F _fennec fennec
