#!/usr/bin/env bash
# Each artefact on a clean root: installs it as the manual says, and has it judge the recordings of data/. Of a .deb the
# Home Assistant add-on too, which is that package and a script.
#   packaging/release/try.sh FILE...        .deb, .tar.gz, .whl, .image.tar of this machine's processor
# Needs root (or user namespaces), mmdebstrap, and Debian's archive; a wheel needs PyPI for NumPy.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

trees=$root/target/clean-roots
mkdir -p "$trees"

clean() { # NAME PACKAGE,... ; a Debian of these packages alone, with data/ in /srv
    [ -e "$trees/$1.tar" ] || mmdebstrap --quiet --variant=apt --include="$2" bookworm "$trees/$1.tar"
    tree=$(mktemp -d)
    tar --extract --file "$trees/$1.tar" --directory "$tree" --exclude='./dev/*'
    mkdir -p "$tree/srv/data"
    cp data/*.flac data/*.tsv "$tree/srv/data/"
}

inside() { # COMMAND; in the tree, with a network for pip alone
    local net=(--unshare-net) file
    if [ "${network:-no}" = yes ]; then
        net=()
        # This machine's way out, behind a proxy with a certificate of its own too.
        for file in /etc/resolv.conf /etc/hosts /etc/ssl/certs/ca-certificates.crt; do
            [ ! -e "$file" ] || net+=(--ro-bind "$(readlink -f "$file")" "$file")
        done
    fi
    # Its own files lie over those of the tree, so they come after it.
    bwrap --unshare-pid --unshare-ipc --bind "$tree" / "${net[@]}" --proc /proc --dev /dev --tmpfs /tmp --clearenv \
        --setenv PATH /usr/sbin:/usr/bin:/sbin:/bin --setenv HOME /root --uid 0 --gid 0 --chdir /srv /bin/sh -exc "$1"
}

for file in "$@"; do
    echo "== $(basename "$file")"
    case $file in
    *.deb)
        clean package libasound2,libgcc-s1,systemd-standalone-sysusers,man-db,jq,curl
        cp "$file" "$tree/srv/wakegate.deb"
        cp packaging/homeassistant/run.sh "$tree/"
        # shellcheck disable=SC2016  # The shell in the tree expands it.
        inside 'apt-get install -y --no-install-recommends ./wakegate.deb
            wakegate --version
            man --where wakegate wakegate-score
            test -s /usr/share/bash-completion/completions/wakegate
            test -s /usr/share/doc/wakegate/LICENSE
            id wakegate
            wakegate config check /etc/wakegate/wakegate.toml
            for model in /usr/share/wakegate/models/*; do wakegate model check "$model"; done
            wakegate demo --data data'
        # Options as the supervisor writes them; here is none that would answer.
        mkdir "$tree/data"
        jq -n '{wake_words: ["alexa", "jarvis"], mode: "engine", detect: "word", mqtt: true, verdict_events: true,
            log_level: "info", review: {enabled: false}}' >"$tree/data/options.json"
        cat >"$tree/srv/addon" <<'END'
set -euo pipefail
/run.sh &
for ((tries = 0; tries < 60; tries++)); do
    { exec 3<>/dev/tcp/127.0.0.1/10400; } 2>/dev/null && break
    sleep 0.5
done
echo '{"type": "describe"}' >&3
info=$(timeout 2 cat <&3 || true)
case $info in *'"info"'*alexa*jarvis*) echo "the add-on serves alexa and jarvis" ;; *) echo "expected its info, found $info" >&2; exit 1 ;; esac
END
        inside 'bash addon'
        inside 'apt-get remove -y wakegate'
        ;;
    *wakegate-speaker-*.tar.gz)
        clean tar libasound2,libgcc-s1
        tar --extract --gzip --file "$file" --directory "$tree/srv" --strip-components 1
        inside './wakegate --version; ./wakegate model check; head -c 320000 /dev/zero | ./wakegate listen --device -'
        ;;
    *.tar.gz)
        clean tar libasound2,libgcc-s1
        tar --extract --gzip --file "$file" --directory "$tree/srv" --strip-components 1
        inside './wakegate --version; ./wakegate demo --data data'
        ;;
    *.whl)
        clean wheel python3-venv,ca-certificates
        cp "$file" "$tree/srv/"
        network=yes inside "python3 -m venv venv
            PIP_CERT=/etc/ssl/certs/ca-certificates.crt venv/bin/pip install -q $(basename "$file")
            venv/bin/python -c 'import wakegate; print(wakegate.Gate.load().score_file(\"data/alexa_lights.flac\"))'"
        ;;
    *.image.tar) packaging/container/test.sh "$file" ;;
    *) fail "expected .deb, .tar.gz, .whl or .image.tar, found $file" ;;
    esac
    # Where the sources lay on this machine is nobody's business.
    if [ -d "${tree:-}" ] && grep -rIlF --exclude-dir=proc -e "file://$root/" -e "file://$root#" "$tree"; then
        fail "expected no path of this machine in what was installed"
    fi
    rm -rf "${tree:-/nonexistent}"
done
