#!/usr/bin/env bash
# What programs take of a disk, and of memory while they hear: a row for each, in MB of 10^6 bytes.
#   benches/footprint.sh PROGRAM...
# Each hears the recordings of data/ from a pipe, as it would hear a microphone, and is looked at once it has judged them.
# Needs Linux, and flac.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

[ $# -gt 0 ] || { echo "expected programs, as in: benches/footprint.sh target/release/wakegate" >&2; exit 2; }
folder=$(mktemp -d) pid=''
trap 'exec 3>&-; [ -z "$pid" ] || kill "$pid" 2>/dev/null || true; rm -rf "$folder"' EXIT
flac -s -d -c --force-raw-format --endian=little --sign=signed data/*.flac >"$folder/samples"

megabytes() { # KEY
    awk -v key="$1:" '$1 == key { printf "%.1f MB", $2 * 1024 / 1e6 }' "/proc/$pid/status"
}

echo "| program | size | resident | its own | pages of files |"
echo "| --- | --- | --- | --- | --- |"
for program in "$@"; do
    rm -f "$folder/pipe"
    mkfifo "$folder/pipe"
    "$program" -q listen --device - <"$folder/pipe" >"$folder/verdicts" &
    pid=$!
    exec 3>"$folder/pipe"
    cat "$folder/samples" >&3
    # The pipe's rest is 2 s of audio.
    sleep 3
    kill -0 "$pid"
    [ -s "$folder/verdicts" ] || { echo "expected verdicts of $program, found none" >&2; exit 1; }
    echo "| $program | $(stat -Lc %s "$program" | awk '{ printf "%.1f MB", $1 / 1e6 }') | $(megabytes VmRSS)" \
        "| $(megabytes RssAnon) | $(megabytes RssFile) |"
    exec 3>&-
    wait "$pid"
    pid=''
done
