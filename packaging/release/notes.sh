#!/usr/bin/env bash
# What CHANGELOG.md says of this version: the text of the release.
#   packaging/release/notes.sh [--tag TAG]
# --tag also refuses a tag of another version, a section without its date, and changes that stand above it.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

tag=''
case ${1:-} in
--tag) tag=${2:?TAG is missing} ;;
'') ;;
*) fail "unknown option $1" ;;
esac
hint="(hint: RELEASING.md)"
[ -z "$tag" ] || [ "$tag" = "v$version" ] || fail "expected the tag v$version, found $tag $hint"

section() { # NAME; its heading, and what stands under it
    awk -v name="## [$1]" 'index($0, "## [") == 1 { found = index($0, name) == 1 } found' CHANGELOG.md
}
notes=$(section "$version")
heading=${notes%%$'\n'*} text=${notes#"$heading"}
grep -q '[^[:space:]]' <<<"$text" || fail "expected a section [$version] with some text in CHANGELOG.md $hint"
if [ -n "$tag" ]; then
    [[ $heading =~ \ -\ [0-9]{4}-[0-9]{2}-[0-9]{2}$ ]] ||
        fail "expected the heading \"## [$version] - YEAR-MONTH-DAY\" in CHANGELOG.md, found \"$heading\" $hint"
    if section Unreleased | tail -n +2 | grep -q '[^[:space:]]'; then
        fail "expected nothing under [Unreleased] in CHANGELOG.md, as it would be in no release $hint"
    fi
fi
sed '/./,$!d' <<<"${text#$'\n'}"
