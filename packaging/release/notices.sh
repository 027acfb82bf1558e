#!/usr/bin/env bash
# Who else's work is in the program, under which licence (THIRD-PARTY.html), and the list of all parts for machines (an SBOM
# in CycloneDX). Both go into every artefact. Needs crates.io.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

tool cargo-about 0.8.4
tool cargo-cyclonedx 0.5.9
mkdir -p "$root/target/notices"
cargo about generate --locked --fail --workspace --config packaging/release/about.toml \
    --output-file "$root/target/notices/THIRD-PARTY.html" packaging/release/about.hbs
# It writes a file beside every manifest; that of the program is the one that is published.
cargo cyclonedx --format json --spec-version 1.5 --override-filename wakegate.cdx
find "$root" -name wakegate.cdx.json -not -path "$root/target/*" -print | while read -r made; do
    case $made in
    # Where the sources lay on this machine is nobody's business.
    "$program"/*) sed "s#file://$root#file:///wakegate#g" "$made" >"$root/target/notices/wakegate.cdx.json" && rm "$made" ;;
    *) rm "$made" ;;
    esac
done
cp "$root"/target/notices/* "$files/"
ls -l "$root/target/notices"
