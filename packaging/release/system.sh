#!/usr/bin/env bash
# What a build for release needs on Debian or Ubuntu, beside Rust.
set -euo pipefail

sudo=$([ "$(id -u)" = 0 ] || echo sudo)
$sudo apt-get update -qq
$sudo apt-get install -y -qq --no-install-recommends \
    binutils bubblewrap buildah build-essential git jq libasound2-dev mmdebstrap pkg-config python3-venv
