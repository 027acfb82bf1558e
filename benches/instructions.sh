#!/usr/bin/env bash
# Counts the instructions of the hot path under callgrind and holds them against the baseline of
# this architecture: a guard against regressions that a loaded machine does not disturb.
#
#   benches/instructions.sh            count, compare; exit code 1 where one rose beyond TOLERANCE
#   benches/instructions.sh --update   count, and make that the baseline
#
# The counts depend on compiler, processor features and profile. Where those are not the
# baseline's, the counts are shown and nothing fails.
set -euo pipefail
cd "$(dirname "$0")/.."

# Per cent. Two runs differ by less than 0.1: hash maps are seeded anew each time.
TOLERANCE=${TOLERANCE:-2}
functions=(front_end_step spotter_step verifier_window pipeline_second)
arch=$(uname -m)
baseline=benches/instructions/$arch.tsv

if ! command -v valgrind >/dev/null; then
    echo "skipped: instructions: valgrind is missing (hint: apt-get install valgrind)" >&2
    exit 0
fi
features=$(grep -m1 -E '^(flags|Features)' /proc/cpuinfo | tr ' \t' '\n' | grep -x -E 'avx2|fma|asimd|neon' | sort | xargs)
key="$(rustc --version | cut -d' ' -f1,2); ${features:-no vector features}; dev profile"

target=${CARGO_TARGET_DIR:-target}
cargo build --locked --quiet --example instructions
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
toggles=()
for function in "${functions[@]}"; do toggles+=("--toggle-collect=instructions::$function*"); done
# A fixed environment: its size moves the stack.
calls=$(env -i PATH="$PATH" valgrind --quiet --tool=callgrind --collect-atstart=no "${toggles[@]}" \
    --callgrind-out-file="$out/callgrind" "$target/debug/examples/instructions" 2>"$out/log") ||
    { cat "$out/log" >&2; exit 2; }
callgrind_annotate --inclusive=yes --threshold=100 --auto=no "$out/callgrind" >"$out/counts" 2>>"$out/log"

found=$out/found.tsv
echo "# $key" >"$found"
for function in "${functions[@]}"; do
    total=$(grep -m1 -E "instructions::$function( |\$|\[|')" "$out/counts" | awk '{ gsub(",", "", $1); print $1 }')
    if [ -z "$total" ]; then
        echo "expected the function $function in callgrind's output, found none" >&2
        exit 2
    fi
    printf '%s\t%d\n' "$function" $((total / calls)) >>"$found"
done

if [ "${1:-}" = --update ]; then
    cp "$found" "$baseline"
    cat "$baseline"
    exit 0
fi
if [ ! -f "$baseline" ]; then
    cat "$found"
    echo "skipped: no baseline for $arch (hint: benches/instructions.sh --update)" >&2
    exit 0
fi
comparable=yes
if [ "$(head -n1 "$baseline")" != "# $key" ]; then
    comparable=no
    echo "skipped: the baseline is of$(head -n1 "$baseline" | tr -d '#'); this is $key" >&2
fi
# Per call: now, then, difference.
join -t $'\t' <(tail -n+2 "$found" | sort) <(tail -n+2 "$baseline" | sort) |
    awk -F'\t' -v tolerance="$TOLERANCE" -v comparable="$comparable" '
        {
            change = ($2 / $3 - 1) * 100
            word = change > tolerance ? "MORE" : change < -tolerance ? "less" : "ok"
            printf "%-16s %12d a call, baseline %12d, %+.2f %%  %s\n", $1, $2, $3, change, word
            if (word == "MORE") more = 1
            if (word == "less") less = 1
            count++
        }
        END {
            if (comparable == "no") exit 0
            if (count != 4) { print "the baseline lacks a function: benches/instructions.sh --update"; exit 1 }
            if (less) print "fewer instructions: keep the gain with benches/instructions.sh --update"
            if (more) print "more instructions than the baseline by over " tolerance " %; where that is meant: benches/instructions.sh --update"
            exit more
        }'
