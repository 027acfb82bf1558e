#!/usr/bin/env bash
# Instructions for each 80 ms step and each verifier call on ARM, counted by qemu-user: README.md.
#
# usage: packaging/arm/instructions.sh [--work DIR] [aarch64] [armv7]    after build.sh
set -euo pipefail
shopt -s inherit_errexit
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# The cores that are counted for: the runtime picks its matrix kernels by core, from /proc/cpuinfo,
# which is the host's here. So it is told what it would read there.
cores() {
    case $1 in
    aarch64) echo "cortex-a53 cortex-a72 cortex-a76" ;;
    armv7) echo "cortex-a7" ;;
    esac
}

# Board, clock in GHz and decode width of those that have the core, or run its programs.
boards() {
    case $1 in
    cortex-a53 | cortex-a7) printf '%s\n' "Zero_2_W 1.0 2" "Pi_3B 1.2 2" "Pi_3B+ 1.4 2" ;;
    cortex-a72) printf '%s\n' "Pi_4 1.5 3" "Pi_4_(1.8_GHz) 1.8 3" ;;
    cortex-a76) printf '%s\n' "Pi_5 2.4 4" ;;
    esac
}

# An estimate: between a half and a quarter of the decode width in instructions a cycle.
estimate() { # CORE STEP CALL
    boards "$1" | awk -v step="$2" -v call="$3" '{
        rate = $2 * $3 * 1e6; gsub("_", " ", $1)
        printf "  estimate, %s: step %.2f to %.2f ms (%.1f to %.1f %% of 80 ms), ", $1,
            2 * step / rate, 4 * step / rate, 2 * step / rate / 0.8, 4 * step / rate / 0.8
        printf "verifier %.0f to %.0f ms\n", 2 * call / rate, 4 * call / rate }'
}

count() { # CORE FILE -> lines that were printed, and instructions
    local core=$1 file=$2 said lines
    lines=$(TRACT_CPU_AARCH64_KIND=${core#cortex-} TRACT_CPU_ARM32_NEON=true \
        "$qemu" -cpu "$core" -plugin "$folder/count.so" "$binary" listen --input - --chunk-ms 80 \
        <"$file" 2>"$folder/said" | wc -l)
    said=$(sed -n 's/^instructions //p' "$folder/said")
    [ -n "$said" ] || { cat "$folder/said" >&2; return 1; }
    echo "$lines $said"
}

# Raw 16 kHz mono 16-bit samples: 10 s and 20 s of noise (peak -26 dBFS; always the same), and 20 s of
# four wake words, which differ from the noise by four calls of the verifier alone: networks of
# this kind do the same work whatever they hear.
workloads() {
    local seconds
    for seconds in 10 20; do
        perl -e 'my $x = 1; binmode STDOUT; for (1 .. 16000 * $ARGV[0]) {
            $x = ($x * 1664525 + 1013904223) % 4294967296; print pack("s<", ($x >> 16) % 3200 - 1600) }' \
            "$seconds" >"$folder/noise-$seconds"
    done
    flac -s -d -f --force-raw-format --endian=little --sign=signed -o "$folder/word" data/alexa_alone.flac
    truncate -s $((5 * 32000)) "$folder/word"
    for _ in 1 2 3 4; do cat "$folder/word"; done >"$folder/words-20"
}

inside() {
    processor=$1 folder=/made/instructions
    # shellcheck disable=SC2154  # build.sh names the target
    binary=/made/out/$target/wakegate qemu=qemu-${processor/armv7/arm}
    mkdir -p "$folder"
    gcc -O2 -Wall -Wextra -shared -fPIC -o "$folder/count.so" packaging/arm/count.c
    workloads
    echo "$target, $("$qemu" --version | head -n 1), wakegate $(sha256sum <"$binary" | cut -c 1-12)"
    local core half full words calls step call
    for core in $(cores "$processor"); do
        half=$(count "$core" "$folder/noise-10")
        full=$(count "$core" "$folder/noise-20")
        words=$(count "$core" "$folder/words-20")
        calls=${words% *}
        if [ "${half% *} ${full% *}" != "0 0" ] || [ "$calls" = 0 ]; then
            echo "expected activations among the words alone, found ${half% *}, ${full% *}, $calls" >&2
            return 1
        fi
        echo "$core: noise 10 s ${half#* }, 20 s ${full#* }; words 20 s ${words#* }, $calls verifier calls"
        step=$(((${full#* } - ${half#* }) / 125)) call=$(((${words#* } - ${full#* }) / calls))
        echo "  80 ms step $step (n = 125), verifier call $call (n = $calls)," \
            "start-up $((${half#* } - 125 * step))"
        estimate "$core" "$step" "$call"
    done
}

if [ "${1:-}" = --inside ]; then
    shift
    inside "$@"
    exit
fi
work=() processors=()
while [ $# -gt 0 ]; do
    case $1 in
    --work) work=(--work "$2"); shift ;;
    *) processors+=("$1") ;;
    esac
    shift
done
[ ${#processors[@]} -gt 0 ] || processors=(aarch64 armv7)
for processor in "${processors[@]}"; do
    "$here/build.sh" "${work[@]}" --run "$processor" packaging/arm/instructions.sh --inside "$processor"
done
