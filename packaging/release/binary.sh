#!/usr/bin/env bash
# A stripped binary with its papers: wakegate-VERSION-TARGET.tar.gz. `cargo binstall` takes it from the release.
#   packaging/release/binary.sh TARGET [--program FILE] [--documents-by FILE]
# --program packs one that is built already; --documents-by is one that runs on this machine, where that one does not.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

target=${1:?usage: packaging/release/binary.sh TARGET [--program FILE] [--documents-by FILE]}
shift
built='' writer=''
while [ $# -gt 0 ]; do
    case $1 in
    --program) built=$2; shift ;;
    --documents-by) writer=$2; shift ;;
    *) fail "unknown option $1" ;;
    esac
    shift
done
if [ -z "$built" ]; then
    cargo build --release --locked --bin wakegate --target "$target"
    built=$CARGO_TARGET_DIR/$target/release/wakegate
fi
documents "${writer:-$built}"

name=wakegate-$version-$target
folder=$(mktemp -d)/$name
mkdir -p "$folder/models"
install -m 755 "$built" "$folder/wakegate"
cp LICENSE README.md CHANGELOG.md "$folder/"
cp -r target/documents/man target/documents/completions "$folder/"
for model in models/*-[0-9]*/; do
    mkdir "$folder/$model"
    cp "$model"/{manifest.toml,MODEL_CARD.md,*.onnx} "$folder/$model/"
done
[ ! -d target/notices ] || cp target/notices/* "$folder/"
# The same files make the same archive.
tar --create --gzip --file "$files/$name.tar.gz" --directory "$(dirname "$folder")" --sort=name --owner=0 --group=0 \
    --numeric-owner --mtime="@$(git log -1 --format=%ct)" "$name"
rm -rf "$(dirname "$folder")"
ls -l "$files/$name.tar.gz"
