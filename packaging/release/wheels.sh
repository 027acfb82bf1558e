#!/usr/bin/env bash
# The Python package as wheels for CPython 3.10 and newer (abi3).
#   packaging/release/wheels.sh TARGET manylinux_2_28|musllinux_1_2|off
# Zig links against the old C library that the tag promises; on macOS "off" takes the system's.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

target=${1:?usage: packaging/release/wheels.sh TARGET COMPATIBILITY} compatibility=${2:?COMPATIBILITY is missing}
python3 -m venv target/wheel-tools
target/wheel-tools/bin/pip install -q maturin==1.16.0 ziglang==0.17.0 wheel==0.48.0
made=$(mktemp -d)
options=(--locked --release -m python/Cargo.toml --target "$target" --out "$made")
[ "$compatibility" = off ] || options+=(--zig --compatibility "$compatibility")
trap 'rm -rf "$made" python/package/wakegate/THIRD-PARTY.html' EXIT
[ ! -d target/notices ] || cp target/notices/THIRD-PARTY.html python/package/wakegate/
PATH=$root/target/wheel-tools/bin:$PATH maturin build "${options[@]}"

# maturin puts a list of all parts into the wheel, with where the sources lay on this machine: that is nobody's business.
target/wheel-tools/bin/wheel unpack --dest "$made" "$made"/*.whl
for parts in "$made"/*/*.dist-info/sboms/*.json; do
    sed "s#file://$root#file:///wakegate#g" "$parts" >"$made/parts.json"
    mv "$made/parts.json" "$parts"
done
target/wheel-tools/bin/wheel pack --dest-dir "$files" "$made"/wakegate-*/
