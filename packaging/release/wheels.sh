#!/usr/bin/env bash
# The Python package as wheels for CPython 3.10 and newer (abi3).
#   packaging/release/wheels.sh TARGET manylinux_2_28|musllinux_1_2|off
# Zig links against the old C library that the tag promises; on macOS "off" takes the system's.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

target=${1:?usage: packaging/release/wheels.sh TARGET COMPATIBILITY} compatibility=${2:?COMPATIBILITY is missing}
python3 -m venv target/wheel-tools
target/wheel-tools/bin/pip install -q maturin==1.16.0 ziglang==0.17.0
options=(--locked --release -m python/Cargo.toml --target "$target" --out "$files")
[ "$compatibility" = off ] || options+=(--zig --compatibility "$compatibility")
[ ! -d target/notices ] || cp target/notices/THIRD-PARTY.html python/package/wakegate/
PATH=$root/target/wheel-tools/bin:$PATH maturin build "${options[@]}"
rm -f python/package/wakegate/THIRD-PARTY.html
