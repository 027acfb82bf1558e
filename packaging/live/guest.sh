#!/usr/bin/env bash
# Tries the installed service, inside the machine that test.sh boots: a line for each check.
set -u
cd /root
export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
settings=/etc/wakegate/wakegate.toml
failed=$(cat failed 2>/dev/null || echo 0)
mark=0

check() { # NAME COMMAND...
    local name=$1
    shift
    if "$@" >said 2>&1; then
        echo "ok   $name"
        return
    fi
    echo "FAIL $name: $*"
    sed 's/^/       /' said
    systemctl status wakegate --no-pager -n 12 2>&1 | sed 's/^/       /'
    failed=$((failed + 1))
    echo "$failed" >failed
}

# Tries until it holds, for so many seconds. A machine without KVM is ten times slower.
within() { # SECONDS COMMAND...
    local end=$(($(date +%s) + $1 * slowness))
    shift
    until "$@"; do
        [ "$(date +%s)" -lt "$end" ] || return 1
        sleep 0.2
    done
}

not() { ! "$@"; }
property() { [ "$(systemctl show wakegate -P "$1")" = "$2" ]; }
begin() { journalctl --sync; mark=$(journalctl -u wakegate -o cat | wc -l); }
said() { journalctl -u wakegate -o cat | tail -n +$((mark + 1)) | grep -q -- "$1"; }
play() { aplay -q -D plughw:Loopback,0,0 "$1.wav"; }
judged() { play "$1" && within 10 said "\"verdict\":\"$2\""; }
page() { # PATH PATTERN
    exec 3<>/dev/tcp/127.0.0.1/9464 || return 1
    printf 'GET %s HTTP/1.1\r\nHost: a\r\n\r\n' "$1" >&3
    timeout 10 cat <&3 | grep -q -- "$2"
}
configure() { printf '%s\n' "$@" >"$settings"; }
as_user() { sudo -u wakegate "$@"; }
main_pid() { systemctl show wakegate -P MainPID; }
status_of() { grep -qP "^$1:\\s+$2\$" "/proc/$(main_pid)/status"; }
# One of its threads has the real-time priority that the configuration asks for.
real_time() { ps -L -o cls=,rtprio= -p "$(main_pid)" | grep -qP '(RR|FF)\s+10$'; }
stored() { as_user wakegate review --config "$settings" status --json | grep -q "$1"; }
card() { echo snd_aloop.0 >"/sys/bus/platform/drivers/snd_aloop/$1"; }

AUDIO='[audio]
device = "hw:CARD=Loopback,DEV=1"'
REST='[metrics]
listen = "127.0.0.1:9464"
[log]
level = "info"
[hooks]
on_intended = "logger -t wakegate-hook heard"
on_accidental = "/usr/local/bin/probe"'

# What a hook can do in the sandbox that it inherits.
write_probe() {
    cat >/usr/local/bin/probe <<'TEXT'
#!/bin/bash
out=/var/lib/wakegate/probe
: >$out
can() { local name=$1; shift; if (eval "$*") 2>/dev/null; then echo "$name yes" >>$out; else echo "$name no" >>$out; fi; }
can state 'touch /var/lib/wakegate/touched'
can etc 'touch /etc/touched'
can usr 'touch /usr/touched'
can home 'ls /home/ada'
can root 'ls /root'
can disk 'head -c 1 </dev/vda'
can card 'head -c 0 </dev/snd/controlC0'
can proc 'ls -d /proc/1'
can setuid 'cp /bin/true /var/lib/wakegate/t && chmod u+s /var/lib/wakegate/t && [ -u /var/lib/wakegate/t ]'
can namespace 'unshare --user true'
can module 'modprobe dummy'
can loopback '</dev/tcp/127.0.0.1/9464'
can network '</dev/tcp/192.0.2.1/7'
echo done >>$out
TEXT
    chmod 755 /usr/local/bin/probe
}

probed() { grep -qx "$1" /var/lib/wakegate/probe; }

installed() {
    check "the package installs" dpkg -i wakegate.deb
    check "it lacks no dependency" dpkg --audit
    check "the user is there, in the group audio" sh -c 'id -nG wakegate | grep -qw audio'
    check "the user can't log in" sh -c 'getent passwd wakegate | grep -q nologin$'
    check "it is not enabled" not systemctl is-enabled wakegate
    check "it was not started" not systemctl is-active wakegate
    check "its configuration is taken" wakegate config check "$settings"
    check "the unit is valid" systemd-analyze verify wakegate.service
    check "its exposure is below 2" systemd-analyze security wakegate --threshold=20 --no-pager
    systemd-analyze security wakegate --no-pager 2>&1 | grep 'Overall' | sed 's/^/     /'
}

without_a_card() {
    configure "$AUDIO" "$REST"
    systemctl start --no-block wakegate
    check "without a card it waits" within 20 property StatusText "waiting for audio"
    check "and is activating" property ActiveState activating
    check "the reason is in the journal" within 10 said "no audio"
    modprobe snd-aloop pcm_substreams=2
    check "a card that comes makes it ready" within 60 property ActiveState active
    check "and its status says so" property StatusText listening
}

listening() {
    check "the user sees the card" sh -c 'sudo -u wakegate wakegate devices | grep -q Loopback'
    check "it runs as its user" test "$(stat -c %U "/proc/$(main_pid)")" = wakegate
    check "no privilege can be gained" status_of NoNewPrivs 1
    check "it has no capability" status_of CapBnd 0+
    check "system calls are filtered" status_of Seccomp 2
    check "it is locked in memory" not status_of VmLck '0 kB'
    check "it has real-time priority" real_time
    check "the journal has no refusal" not said "no real-time\|out of swap"
    begin
    check "a wake word is intended" judged alexa_alone intended
    check "its hook ran" within 10 sh -c 'journalctl -t wakegate-hook -o cat | grep -qx heard'
    begin
    check "a word in passing is accidental" judged mention_told accidental
    check "the counters have both" page /metrics 'verdicts_total.*intended.* 1$'
    check "health is 200" page /healthz ' 200 '
}

# The accidental verdict above ran the probe, with all that the unit allows.
sandbox() {
    check "the probe ran" within 10 probed done
    local name
    for name in state card loopback; do check "a hook can use: $name" probed "$name yes"; done
    for name in etc usr home root disk proc setuid namespace module network; do
        check "a hook can't use: $name" probed "$name no"
    done
}

reload() {
    begin
    configure "$AUDIO" '[[wake_word]]' 'intended_at = 0.95' "$REST"
    check "systemctl reload" systemctl reload wakegate
    check "the change is told" within 10 said 'intended_at'
    configure "$AUDIO" '[[wake_word]]' 'intended_at = 7.0'
    systemctl reload wakegate
    check "a broken one is refused" within 10 said 'stays as it was'
    check "and the service goes on" property ActiveState active
    check "the same process" property NRestarts 0
    configure "$AUDIO" "$REST"
    systemctl reload wakegate
}

review() { # what runs before: the service, without review
    begin
    configure "$AUDIO" "$REST" '[review]' 'enabled = true' 'min_free_mb = 10' "$@"
}

queue() {
    review
    check "review is turned on by a reload" systemctl reload wakegate
    check "consent is given by the user" as_user wakegate review --config "$settings" consent --by "Ada Owner"
    check "a wake word is intended" judged alexa_alone intended
    check "its clip is stored" within 20 stored '"queued":1\|"clips":1'
    check "its folder is the user's alone" test "$(stat -c '%a %U' /var/lib/wakegate/review)" = "700 wakegate"
    check "so is the key" test "$(stat -c '%a %U' /var/lib/wakegate/review/device.key)" = "600 wakegate"
    check "the log verifies" as_user wakegate review --config "$settings" audit verify
    check "the journal has no failure" not said 'failed'
}

# The key comes from systemd and lies in no folder of the service.
credential() {
    mkdir -p /etc/systemd/system/wakegate.service.d
    head -c 32 /dev/urandom >device.key
    chmod 600 device.key
    if systemd-creds encrypt --name=device.key device.key device.cred >said 2>&1; then
        printf '[Service]\nLoadCredentialEncrypted=device.key:/root/device.cred\n'
    else
        printf '[Service]\nLoadCredential=device.key:/root/device.key\n'
    fi >/etc/systemd/system/wakegate.service.d/key.conf
    systemctl daemon-reload
    review 'directory = "/var/lib/wakegate/second"' 'key_file = "/run/credentials/wakegate.service/device.key"'
    check "a key as credential: it starts" systemctl restart wakegate
    check "consent is given with it" as_user wakegate review --config "$settings" consent --by "Ada Owner"
    check "a wake word is intended" judged alexa_alone intended
    check "its clip is stored" within 20 stored '"queued":1\|"clips":1'
    check "no key is in the folder" not test -e /var/lib/wakegate/second/device.key
    rm -r /etc/systemd/system/wakegate.service.d
    systemctl daemon-reload
    configure "$AUDIO" "$REST"
}

faults() {
    systemctl restart wakegate
    local before
    before=$(main_pid)
    sleep $((75 * slowness))
    check "75 s on, the watchdog is content" property NRestarts 0
    check "it is the same process" test "$(main_pid)" = "$before"
    begin
    kill -9 "$before"
    check "killed, it starts again" within 30 property NRestarts 1
    check "and listens" within 30 property StatusText listening
    begin
    card unbind
    check "the card is gone: the journal says so" within 15 said 'no audio'
    sleep 3
    card bind
    check "it is back: it listens" within 45 said 'listening'
    check "the same process" property NRestarts 1
    begin
    card unbind
    check "no audio for 60 s: the watchdog ends it" within 90 property NRestarts 2
    check "by its timeout" said 'watchdog\|Watchdog'
    check "it waits" within 20 property ActiveState activating
    card bind
    check "and listens again" within 60 property ActiveState active
    begin
    configure 'volume = 11'
    systemctl restart wakegate
    check "a broken configuration: it fails" within 20 property ActiveState failed
    check "with exit code 2" property ExecMainStatus 2
    sleep 5
    check "and is not started again" property NRestarts 0
    configure "$AUDIO" "$REST"
}

stop() {
    systemctl reset-failed wakegate
    check "it starts" systemctl start wakegate
    check "it stops within 10 s" timeout $((10 * slowness)) systemctl stop wakegate
    check "with exit code 0" property ExecMainStatus 0
    check "as a success" property Result success
    check "it leaves no core file" sh -c '! ls /var/lib/systemd/coredump/*wakegate* /var/lib/wakegate/core* 2>/dev/null'
    check "it is enabled" systemctl enable wakegate
}

removed() {
    check "after a boot it listens" within 60 property ActiveState active
    begin
    check "a wake word is intended" judged alexa_alone intended
    check "the package is removed" dpkg --purge wakegate
    check "the service with it" not systemctl is-active wakegate
    check "and its unit" not test -e /lib/systemd/system/wakegate.service
    check "and its configuration" not test -e "$settings"
}

slowness=1
grep -q hypervisor /proc/cpuinfo && [ "$(systemd-detect-virt)" = kvm ] || slowness=10

if [ ! -e second ]; then
    echo "$(uname -sr), $(systemctl --version | head -n 1), $(systemd-detect-virt), $(nproc) processors"
    touch second
    mkdir -p /home/ada
    ip link add dummy0 type dummy && ip addr add 192.0.2.1/24 dev dummy0 && ip link set dummy0 up
    for name in alexa_alone mention_told; do flac -s -d -f -o "$name.wav" "$name.flac"; done
    write_probe
    installed
    without_a_card
    listening
    sandbox
    reload
    queue
    credential
    faults
    stop
    echo snd-aloop >/etc/modules-load.d/card.conf
    journalctl -u wakegate -o short-precise --no-pager >journal
    systemctl reboot
else
    removed
    echo "end: $failed failed"
    systemctl poweroff
fi
