# shellcheck shell=bash
# What the release scripts share; sourced by them, which use its variables.
# shellcheck disable=SC2034
set -euo pipefail
# Not in the bash that macOS brings.
shopt -s inherit_errexit 2>/dev/null || true

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target}
# Everything that is published comes here.
files=${RELEASE_FILES:-$root/target/release-files}
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$root/Cargo.toml" | head -n 1)
program=$root/crates/wakegate-cli
mkdir -p "$files"
cd "$root"

fail() {
    echo "$*" >&2
    exit 2
}

# Our licence in target/documents, and those of others where notices.sh was run.
licences() {
    local notice
    rm -rf "$root/target/documents/licences"
    mkdir -p "$root/target/documents/licences"
    cp "$root/LICENSE" "$root/target/documents/licences/"
    for notice in "$root"/target/notices/*; do
        [ ! -e "$notice" ] || cp "$notice" "$root/target/documents/licences/"
    done
}

# Licences, man pages and completions, as the program itself writes them: PROGRAM is one that runs here.
documents() { # PROGRAM
    local shell
    rm -rf "$root/target/documents"
    mkdir -p "$root/target/documents/completions"
    licences
    "$1" manual "$root/target/documents/man"
    for shell in bash zsh fish; do
        "$1" completions "$shell" >"$root/target/documents/completions/wakegate.$shell"
    done
}

# The tools of a release, in the versions that were tried.
tool() { # NAME VERSION
    cargo install --list | grep -qx "$1 v$2:" || cargo install --locked "$1@$2"
}
