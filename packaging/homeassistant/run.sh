#!/usr/bin/env bash
# Starts wakegate with the options that the supervisor wrote, and tells Home Assistant where it is.
# The folders and the supervisor's address have other values in the tests alone.
set -euo pipefail
shopt -s inherit_errexit

data=${ADDON_DATA:-/data} share=${ADDON_SHARE:-/share} ssl=${ADDON_SSL:-/ssl}
models=${ADDON_MODELS:-/usr/share/wakegate/models} supervisor=${ADDON_SUPERVISOR:-http://supervisor}
port=${ADDON_PORT:-10400} page_port=${ADDON_PAGE_PORT:-7871}
options=$data/options.json settings=$data/wakegate.toml queue=$data/review
umask 077

fail() {
    echo "wakegate add-on: $*" >&2
    exit 2
}

option() { # FILTER; empty where the option is not set
    jq -r "$1 // empty" "$options"
}

ask() { # PATH [CURL OPTION]...
    local path=$1
    shift
    curl --silent --show-error --fail --max-time 10 --header "Authorization: Bearer ${SUPERVISOR_TOKEN:-}" \
        "$@" "$supervisor/$path"
}

# A word of several parts is written as anywhere ("okay nabu", "okay_nabu"); its folder has a hyphen between them.
# A folder of the user's comes first, then the package in the binary (alexa), then those that we ship beside it.
wake_words() {
    local word folder found
    for word in $(option '.wake_words[] | gsub("[ _]"; "-")'); do
        folder=
        if [ -f "$share/wakegate/$word/manifest.toml" ]; then
            folder=$share/wakegate/$word
        elif [ "$word" != alexa ]; then
            found=("$models/$word"-*/)
            [ -f "${found[-1]}manifest.toml" ] && folder=${found[-1]%/}
        fi
        [ -n "$folder" ] || [ "$word" = alexa ] ||
            fail "there is no model for \"$word\": expected alexa, computer, jarvis, or a package in /share/wakegate/$word"
        echo '[[wake_word]]'
        [ -z "$folder" ] || jq -rn --arg folder "$folder" '"model = \($folder | @json)"'
        jq -r '{intended_at, accidental_below, spotter_threshold} | to_entries[] | select(.value != null)
            | "\(.key) = \(.value)"' "$options"
    done
}

# The broker that the supervisor knows; its password goes into a file of its own.
mqtt() {
    local broker
    [ "$(option .mqtt)" = true ] || return 0
    broker=$(ask services/mqtt 2>/dev/null) || {
        echo "wakegate add-on: no MQTT broker is announced; going on without" >&2
        return 0
    }
    jq -j '.data.password // ""' <<<"$broker" >"$data/mqtt-password"
    jq -r --arg file "$data/mqtt-password" '.data | "[mqtt]", "broker = \("\(.host):\(.port)" | @json)",
        (if .ssl then "tls = true" else empty end),
        (if (.username // "") != "" then "username = \(.username | @json)", "password_file = \($file | @json)" else empty end)' \
        <<<"$broker"
}

write_settings() {
    [ "$(option '.wake_words | length')" != 0 ] || fail "no wake word is chosen"
    echo '[audio]'
    echo 'enabled = false'
    wake_words
    mqtt
    echo '[metrics]'
    echo 'listen = "127.0.0.1:9464"'
    echo '[log]'
    jq -r '"level = \(.log_level // "warn" | @json)"' "$options"
    echo '[wyoming]'
    echo "listen = \"tcp://0.0.0.0:$port\""
    jq -r '"detect = \(.detect // "verdict" | @json)"' "$options"
    jq -r '"verdict_events = \(if .verdict_events == false then false else true end)"' "$options"
    if [ "$(option .mode)" = verifier ]; then
        [ -n "$(option .upstream)" ] || fail 'the mode "verifier" needs "upstream", the address of the other engine'
        jq -r '"upstream = \(.upstream | @json)", (if .upstream_lag_ms then "upstream_lag_ms = \(.upstream_lag_ms)" else empty end)' "$options"
    fi
    echo '[review]'
    jq -r --arg queue "$queue" '(.review // {}) as $review
        | "enabled = \(($review.enabled // false) and (($review.consent_by // "") != ""))", "directory = \($queue | @json)",
          (if $review.retention_days then "retention_days = \($review.retention_days)" else empty end),
          (if $review.daily_cap then "daily_cap = \($review.daily_cap)" else empty end)' "$options"
}

# Clips are kept only while review is on and its owner named; when that ends, they go.
consent() {
    local owner
    owner=$(option .review.consent_by)
    if [ "$(option .review.enabled)" = true ] && [ -n "$owner" ]; then
        wakegate review --config "$settings" consent --by "$owner"
    elif [ -d "$queue" ]; then
        wakegate review --config "$settings" consent --by "${owner:-owner}" --revoke
    elif [ "$(option .review.enabled)" = true ]; then
        echo 'wakegate add-on: nothing is kept: review needs "consent_by", the name of the owner who agrees' >&2
    fi
}

# The page is for a browser elsewhere, so it needs a certificate. Its links appear in the log.
page() {
    local host name reviewers=()
    host=$(option .review.host)
    [ -n "$host" ] && [ "$(option .review.enabled)" = true ] && [ -d "$queue" ] || return 0
    while IFS= read -r name; do
        [ -z "$name" ] || reviewers+=(--reviewer "$name")
    done < <(option '.review.reviewers // [] | .[]')
    wakegate review --config "$settings" serve --listen "0.0.0.0:$page_port" --name "$host" \
        --tls-cert "$ssl/$(option '.review.certfile // "fullchain.pem"')" \
        --tls-key "$ssl/$(option '.review.keyfile // "privkey.pem"')" "${reviewers[@]}" &
}

# Home Assistant is told once there is something to connect to.
discovery() {
    local tries
    for ((tries = 0; tries < 120; tries++)); do
        if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            ask discovery --output /dev/null --header 'Content-Type: application/json' --data \
                "{\"service\": \"wyoming\", \"config\": {\"uri\": \"tcp://$(hostname):$port\"}}" ||
                echo "wakegate add-on: Home Assistant was not told; add the Wyoming integration by hand" >&2
            return 0
        fi
        sleep 0.5
    done
}

[ -f "$options" ] || fail "there is no $options"
written=$(write_settings)
printf '%s\n' "$written" >"$settings"
wakegate config check "$settings" >/dev/null
consent
page
discovery &
exec wakegate listen --config "$settings"
