#!/usr/bin/env bash
# Whether every dependency is one that deny.toml admits: licences, known faults, where it is from.
#   packaging/release/dependencies.sh [CHECK...]
# Known faults (advisories) come from RustSec's repository; where that can't be reached: bans licenses sources.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

tool cargo-deny 0.20.2
cargo deny --locked --workspace check "$@"
