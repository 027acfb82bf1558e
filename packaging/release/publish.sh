#!/usr/bin/env bash
# Makes the draft of a release from target/release-files, and pushes the images. Runs in the release workflow: it needs gh,
# docker, GH_TOKEN, and the right to write packages. Nothing is public before somebody publishes the draft.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

owner=${GITHUB_REPOSITORY_OWNER:?expected to run in the release workflow}
gh release create "v$version" --draft --title "wakegate $version" --notes-file <(packaging/release/notes.sh) \
    "$files"/*.deb "$files"/*.tar.gz "$files"/*.whl "$files"/THIRD-PARTY.html "$files"/wakegate.cdx.json "$files"/SHA256SUMS

echo "$GH_TOKEN" | docker login ghcr.io --username "$owner" --password-stdin
image=ghcr.io/$owner/wakegate:$version made=()
for arch in amd64 arm64; do
    docker load --input "$files/wakegate-$arch.image.tar"
    docker tag wakegate:latest "$image-$arch"
    docker push "$image-$arch"
    made+=("$image-$arch")
done
docker manifest create "$image" "${made[@]}"
docker manifest push "$image"

# The add-on, from the packages that were just tried.
docker run --privileged --rm tonistiigi/binfmt --install arm64
for arch in amd64:amd64 aarch64:arm64; do
    mkdir -p target/addon
    cp packaging/homeassistant/{Dockerfile,run.sh} target/addon/
    cp "$files"/wakegate_*_"${arch#*:}".deb target/addon/wakegate.deb
    base=$(sed -n "s/^ *${arch%:*}: *//p" packaging/homeassistant/build.yaml)
    docker build --platform "linux/${arch#*:}" --build-arg "BUILD_FROM=$base" --label io.hass.type=addon \
        --label "io.hass.version=$version" --label "io.hass.arch=${arch%:*}" \
        --tag "ghcr.io/$owner/${arch%:*}-addon-wakegate:$version" target/addon
    docker push "ghcr.io/$owner/${arch%:*}-addon-wakegate:$version"
done
