#!/usr/bin/env bash
# A stripped binary with its papers: wakegate-VERSION-TARGET.tar.gz. `cargo binstall` takes it from the release.
#   packaging/release/binary.sh TARGET [--program FILE [--documented]]
# --program packs one that is built already; --documented takes the pages that are in target/documents, as for a program
# that does not run on this machine.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

target=${1:?usage: packaging/release/binary.sh TARGET [--program FILE [--documented]]}
shift
built='' documented=no
while [ $# -gt 0 ]; do
    case $1 in
    --program) built=$2; shift ;;
    --documented) documented=yes ;;
    *) fail "unknown option $1" ;;
    esac
    shift
done
if [ -z "$built" ]; then
    cargo build --release --locked --bin wakegate --target "$target"
    built=$CARGO_TARGET_DIR/$target/release/wakegate
fi
[ $documented = yes ] || documents "$built"

name=wakegate-$version-$target
folder=$(mktemp -d)/$name
mkdir -p "$folder/models"
install -m 755 "$built" "$folder/wakegate"
cp README.md CHANGELOG.md target/documents/licences/* "$folder/"
cp -r target/documents/man target/documents/completions "$folder/"
for model in models/*-[0-9]*/; do
    mkdir "$folder/$model"
    cp "$model"/{manifest.toml,MODEL_CARD.md,*.onnx} "$folder/$model/"
done
# The same files make the same archive.
tar --create --gzip --file "$files/$name.tar.gz" --directory "$(dirname "$folder")" --sort=name --owner=0 --group=0 \
    --numeric-owner --mtime="@$(git log -1 --format=%ct)" "$name"
rm -rf "$(dirname "$folder")"
ls -l "$files/$name.tar.gz"
