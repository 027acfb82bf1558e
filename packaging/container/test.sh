#!/usr/bin/env bash
# Starts what is in the image as a container would (its own user, its root read-only, no network but loopback), asks for its
# health, talks Wyoming to it, and sees that it can write nowhere but in its volume. Needs bubblewrap, not docker.
set -euo pipefail

image=${1:?usage: packaging/container/test.sh wakegate-ARCH.image.tar}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/image" "$work/rootfs" "$work/volume"
tar --extract --file "$image" --directory "$work/image"
jq -r '.[0].Layers[]' "$work/image/manifest.json" | while read -r layer; do
    tar --extract --file "$work/image/$layer" --directory "$work/rootfs" --no-same-owner
done
# A container's runtime makes these by itself.
mkdir -p "$work/rootfs/proc" "$work/rootfs/dev"
config=$work/image/$(jq -r '.[0].Config' "$work/image/manifest.json")
says() { # FILTER EXPECTED
    [ "$(jq -c ".config$1" "$config")" = "$2" ] || { echo "expected $1 to be $2, found $(jq -c ".config$1" "$config")" >&2; exit 1; }
}
says .User '"10400:10400"'
says '.ExposedPorts | keys' '["10400/tcp"]'
says '.Volumes | keys' '["/var/lib/wakegate"]'
says .Entrypoint '["/usr/bin/wakegate"]'
says .Cmd '["listen","--config","/etc/wakegate/wakegate.toml"]'
says '.Healthcheck.Test[0:2]' '["CMD","/bin/busybox"]'

cat >"$work/inside" <<'END'
set -eu
[ "$(busybox id -u)" = 10400 ]
case $(wakegate --version) in *corpora*page*tls*) ;; *) echo "expected all but sound cards, found $(wakegate --version)" >&2; exit 1 ;; esac
wakegate listen --config /etc/wakegate/wakegate.toml &
tries=0
until busybox wget -q -O /dev/null http://127.0.0.1:9464/healthz 2>/dev/null; do
    tries=$((tries + 1))
    [ $tries -lt 60 ] || { echo "it never became healthy" >&2; exit 1; }
    busybox sleep 0.5
done
info=$( (printf '{"type": "describe"}\n'; busybox sleep 1) | busybox nc 127.0.0.1 10400)
case $info in *'"info"'*alexa*) ;; *) echo "expected its info, found $info" >&2; exit 1 ;; esac
for place in /etc/wakegate/x /usr/bin/x /x; do
    if (: >$place) 2>/dev/null; then echo "$place can be written" >&2; exit 1; fi
done
: >/var/lib/wakegate/x
wakegate model check /usr/share/wakegate/models/jarvis-*
# Who keeps clips in the volume reviews them here, and exports their labels.
wakegate review serve --help >/dev/null
wakegate review export --help >/dev/null
echo "the image works: healthy, answers Wyoming, writes in its volume alone"
END
chmod 777 "$work/volume"
bwrap --unshare-all --die-with-parent --new-session --uid 10400 --gid 10400 --clearenv --setenv PATH /usr/bin:/bin \
    --ro-bind "$work/rootfs" / --bind "$work/volume" /var/lib/wakegate --tmpfs /tmp --proc /proc --dev /dev \
    --ro-bind "$work/inside" /tmp/inside /bin/sh /tmp/inside
