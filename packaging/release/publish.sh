#!/usr/bin/env bash
# Makes the draft of a release from target/release-files, and pushes the images. Runs in the release workflow: it needs gh,
# docker, GH_TOKEN, and the right to write packages. Nothing is public before somebody publishes the draft, but for images of
# this version where those of an earlier one are public.
#   packaging/release/publish.sh [--dry-run]
# --dry-run looks for every file and prints the commands instead of running them; exit code 1 if something is missing.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

dry=no owner=${GITHUB_REPOSITORY_OWNER:-}
case ${1:-} in
--dry-run) dry=yes owner=${owner:-wakegate} ;;
'') ;;
*) fail "unknown option $1" ;;
esac
[ -n "$owner" ] || fail "expected to run in the release workflow (hint: --dry-run)"
does() { # COMMAND...
    if [ $dry = yes ]; then echo "$*"; else "$@"; fi
}

shopt -s nullglob
published=("$files"/*.deb "$files"/*.tar.gz "$files"/*.whl "$files"/{THIRD-PARTY.html,wakegate.cdx.json,SHA256SUMS})
wanted=()
for arch in amd64 arm64 armhf; do wanted+=("wakegate_${version}-1_$arch.deb"); done
for target in x86_64-unknown-linux-gnu aarch64-unknown-linux-gnu armv7-unknown-linux-gnueabihf; do
    wanted+=("wakegate-$version-$target.tar.gz")
done
for target in x86_64-unknown-linux-gnu aarch64-unknown-linux-gnu; do wanted+=("wakegate-speaker-$version-$target.tar.gz"); done
for arch in amd64 arm64; do wanted+=("wakegate-$arch.image.tar"); done
missing=0
for name in "${wanted[@]}" THIRD-PARTY.html wakegate.cdx.json SHA256SUMS; do
    [ -s "$files/$name" ] || { echo "missing: $name" >&2; missing=1; }
done
for kind in manylinux_2_28_{x86_64,aarch64} musllinux_1_2_{x86_64,aarch64} "macosx_*_arm64" "macosx_*_x86_64"; do
    compgen -G "$files/wakegate-$version-*-$kind.whl" >/dev/null || { echo "missing: a wheel for $kind" >&2; missing=1; }
done
(cd "$files" && sha256sum --check --quiet SHA256SUMS) || missing=1
notes=$(packaging/release/notes.sh --tag "${GITHUB_REF_NAME:-v$version}") || missing=1
[ $missing = 0 ] || [ $dry = yes ] || fail "expected every file of the release in $files"
does gh release create "v$version" --draft --title "wakegate $version" --notes "$notes" "${published[@]}"

[ $dry = yes ] || echo "$GH_TOKEN" | docker login ghcr.io --username "$owner" --password-stdin
image=ghcr.io/$owner/wakegate:$version made=()
for arch in amd64 arm64; do
    does docker load --input "$files/wakegate-$arch.image.tar"
    does docker tag wakegate:latest "$image-$arch"
    does docker push "$image-$arch"
    made+=("$image-$arch")
done
does docker manifest create "$image" "${made[@]}"
does docker manifest push "$image"

# The add-on, from the packages that were just tried.
does docker run --privileged --rm tonistiigi/binfmt --install arm64
for arch in amd64:amd64 aarch64:arm64; do
    mkdir -p target/addon
    cp packaging/homeassistant/{Dockerfile,run.sh} target/addon/
    does cp "$files/wakegate_${version}-1_${arch#*:}.deb" target/addon/wakegate.deb
    base=$(sed -n "s/^ *${arch%:*}: *//p" packaging/homeassistant/build.yaml)
    does docker build --platform "linux/${arch#*:}" --build-arg "BUILD_FROM=$base" --label io.hass.type=addon \
        --label "io.hass.version=$version" --label "io.hass.arch=${arch%:*}" \
        --tag "ghcr.io/$owner/${arch%:*}-addon-wakegate:$version" target/addon
    does docker push "ghcr.io/$owner/${arch%:*}-addon-wakegate:$version"
done
[ $missing = 0 ]
