#!/usr/bin/env bash
# What CHANGELOG.md says of this version: the text of the release.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

awk -v version="## [$version]" 'index($0, "## [") == 1 { found = index($0, version) == 1; next } found' CHANGELOG.md |
    grep . || fail "expected a section [$version] in CHANGELOG.md (hint: RELEASING.md)"
