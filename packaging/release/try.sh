#!/usr/bin/env bash
# Each artefact on a clean root: installs it as the manual says, and has it judge the recordings of data/.
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
    local net=(--unshare-net)
    [ "${network:-no}" = no ] || net=(--ro-bind /etc/resolv.conf /etc/resolv.conf)
    bwrap --unshare-pid --unshare-ipc "${net[@]}" --bind "$tree" / --proc /proc --dev /dev --tmpfs /tmp --clearenv \
        --setenv PATH /usr/sbin:/usr/bin:/sbin:/bin --setenv HOME /root --uid 0 --gid 0 --chdir /srv /bin/sh -exc "$1"
}

for file in "$@"; do
    echo "== $(basename "$file")"
    case $file in
    *.deb)
        clean deb libasound2,libgcc-s1,systemd-standalone-sysusers,man-db
        cp "$file" "$tree/srv/wakegate.deb"
        # shellcheck disable=SC2016  # The shell in the tree expands it.
        inside 'dpkg --install wakegate.deb
            wakegate --version
            man --where wakegate wakegate-score
            test -s /usr/share/bash-completion/completions/wakegate
            wakegate config check /etc/wakegate/wakegate.toml
            for model in /usr/share/wakegate/models/*; do wakegate model check "$model"; done
            wakegate demo --data data
            dpkg --remove wakegate'
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
            venv/bin/pip install -q $(basename "$file")
            venv/bin/python -c 'import wakegate; print(wakegate.Gate.load().score_file(\"data/alexa_lights.flac\"))'"
        ;;
    *.image.tar) packaging/container/test.sh "$file" ;;
    *) fail "expected .deb, .tar.gz, .whl or .image.tar, found $file" ;;
    esac
    rm -rf "${tree:-/nonexistent}"
done
