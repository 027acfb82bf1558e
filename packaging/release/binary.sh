#!/usr/bin/env bash
# A stripped binary with its papers: wakegate-VERSION-TARGET.tar.gz. `cargo binstall` takes it from the release.
#   packaging/release/binary.sh TARGET [--speaker | --program FILE [--documented]]
# --speaker makes wakegate-speaker-VERSION-TARGET.tar.gz, what a speaker needs and no more (docs/operators.md); --program packs
# one that is built already; --documented takes the pages that are in target/documents, as for a program that does not run on
# this machine.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

target=${1:?usage: packaging/release/binary.sh TARGET}
shift
built='' papers=documents name=wakegate-$version-$target
while [ $# -gt 0 ]; do
    case $1 in
    --speaker) papers=licences name=wakegate-speaker-$version-$target ;;
    --program) built=$2; shift ;;
    --documented) papers=none ;;
    *) fail "unknown option $1" ;;
    esac
    shift
done
if [ $papers = licences ]; then
    cargo rustc --profile speaker --locked -p wakegate-cli --bin wakegate --no-default-features --features capture --target "$target" \
        -- -C link-arg=-Wl,-z,pack-relative-relocs
    built=$CARGO_TARGET_DIR/$target/speaker/wakegate
elif [ -z "$built" ]; then
    cargo build --release --locked --bin wakegate --target "$target"
    built=$CARGO_TARGET_DIR/$target/release/wakegate
fi
case $papers in
documents) documents "$built" ;;
licences) licences ;;
esac

folder=$(mktemp -d)/$name
mkdir -p "$folder/models"
install -m 755 "$built" "$folder/wakegate"
cp README.md CHANGELOG.md target/documents/licences/* "$folder/"
[ $papers = licences ] || cp -r target/documents/man target/documents/completions "$folder/"
for model in models/*-[0-9]*/; do
    mkdir "$folder/$model"
    cp "$model"/{manifest.toml,MODEL_CARD.md,*.onnx} "$folder/$model/"
done
# The same files make the same archive.
tar --create --gzip --file "$files/$name.tar.gz" --directory "$(dirname "$folder")" --sort=name --owner=0 --group=0 \
    --numeric-owner --mtime="@$(git log -1 --format=%ct)" "$name"
rm -rf "$(dirname "$folder")"
ls -l "$files/$name.tar.gz"
