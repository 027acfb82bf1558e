#!/usr/bin/env bash
# Tries the installed service under the systemd that test.sh boots: a line for each check.
# Sound comes from a card that can be unplugged, or, where the kernel has none, through a pipe.
set -u
cd /srv/live || exit
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
    tail -n 5 said | sed 's/^/       /'
    systemctl status wakegate --no-pager -n 0 2>&1 | grep -E 'Active|Process|Status' | sed 's/^/    /'
    journalctl -u wakegate --no-pager -o cat -n 4 2>&1 | sed 's/^/       /'
    failed=$((failed + 1))
    echo "$failed" >failed
    return 1
}

finish() {
    journalctl -u wakegate -o short-precise --no-pager >>journal
    echo "end: $failed failed"
    sync
    systemctl poweroff
    exit
}

# Tries until it holds, for so many seconds. In qemu it tries ten times as long.
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
judged() { "${sound}_plays" "$1" && within 10 said "\"verdict\":\"$2\""; }
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
# CAP_SYS_RESOURCE, which systemd needs for LimitMEMLOCK= and LimitRTPRIO=.
may_raise_limits() { [ $((0x$(sed -n 's/^CapEff:\t*//p' /proc/1/status) >> 24 & 1)) = 1 ]; }
stored() { as_user wakegate review --config "$settings" status --json | grep -q "$1"; }

# ---- sound ----------------------------------------------------------------------------------

if modprobe -n -q snd-aloop; then
    sound=card AUDIO='[audio]
device = "hw:CARD=Loopback,DEV=1"'
else
    sound=pipe AUDIO='[audio]
device = "-"'
fi

card_comes() { modprobe snd-aloop pcm_substreams=2; }
card_goes() { echo snd_aloop.0 >/sys/bus/platform/drivers/snd_aloop/unbind; }
card_returns() { echo snd_aloop.0 >/sys/bus/platform/drivers/snd_aloop/bind; }
card_plays() { aplay -q -D plughw:Loopback,0,0 "$1.wav"; }

# Silence at the pace of a clock, until there is something to play.
pipe_comes() {
    (
        exec 3<>/run/sound
        while :; do
            if [ -e /run/playing ]; then
                cat /run/playing >&3
                rm /run/playing
            fi
            head -c 3200 /dev/zero >&3
            sleep 0.1
        done
    ) &
    feeder=$!
}
pipe_goes() { kill -STOP "$feeder"; }
pipe_returns() { kill -CONT "$feeder"; }
pipe_plays() {
    mv -T "$(cp "$1.raw" /run/next && echo /run/next)" /run/playing
    within 20 test ! -e /run/playing
}
pipe_prepare() {
    mkfifo -m 600 /run/sound
    printf '[Service]\nStandardInput=file:/run/sound\n' >"$dropin/sound.conf"
}

# ---------------------------------------------------------------------------------------------

dropin=/run/systemd/system/wakegate.service.d
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
out=${1:-/var/lib/wakegate/probe}
: >$out
can() { local name=$1; shift; if (eval "$*") >/dev/null 2>&1; then echo "$name yes" >>$out; else echo "$name no" >>$out; fi; }
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
can clock 'date -s @$(date +%s)'
can loopback '</dev/tcp/127.0.0.1/9464'
can network 'timeout 3 bash -c "</dev/tcp/192.0.2.1/7"'
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

without_sound() {
    configure "$AUDIO" "$REST"
    if [ $sound = pipe ]; then
        pipe_prepare
        systemctl daemon-reload
    fi
    systemctl start --no-block wakegate
    check "without sound it is activating" within 20 property ActiveState activating
    if [ $sound = card ]; then
        check "its status says why" within 20 property StatusText "waiting for audio"
        check "and the journal" within 10 said "no audio"
    fi
    "${sound}_comes"
    check "sound that comes makes it ready" within 60 property ActiveState active || finish
    check "and its status says so" property StatusText listening
}

listening() {
    [ $sound = pipe ] ||
        check "the user sees the card" sh -c 'sudo -u wakegate wakegate devices | grep -q Loopback'
    check "it runs as its user" test "$(stat -c %U "/proc/$(main_pid)")" = wakegate
    check "no privilege can be gained" status_of NoNewPrivs 1
    check "it has no capability" status_of CapBnd 0+
    check "system calls are filtered" status_of Seccomp 2
    if may_raise_limits; then
        check "it is locked in memory" not status_of VmLck '0 kB'
        check "it has real-time priority" real_time
        check "the journal has no refusal" not said "no real-time\|out of swap"
    else
        echo "skip memory lock, real-time priority (nobody here may raise a limit)"
        check "what is refused is said: priority" said "no real-time priority"
    fi
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
    check "the probe ran" within 10 probed "done"
    local name
    for name in state loopback $([ $sound = pipe ] || echo card); do check "a hook can use: $name" probed "$name yes"; done
    # Only what can be used outside says something.
    /usr/local/bin/probe /srv/live/outside
    for name in etc usr home root disk proc setuid namespace clock network; do
        if grep -qx "$name yes" outside; then
            check "a hook can't use: $name" probed "$name no"
        else
            echo "skip a hook can't use: $name (nor can anybody here)"
        fi
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
    may_raise_limits || check "what is refused is said once clips are kept: swap" within 10 said "out of swap"
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
    head -c 32 /dev/urandom >device.key
    check "a key is encrypted for this machine" \
        systemd-creds encrypt --name=device.key device.key device.cred
    printf '[Service]\nLoadCredentialEncrypted=device.key:/srv/live/device.cred\n' >"$dropin/key.conf"
    systemctl daemon-reload
    review 'directory = "/var/lib/wakegate/second"' 'key_file = "/run/credentials/wakegate.service/device.key"'
    check "a key as credential: it starts" systemctl restart wakegate
    check "consent is given with it" as_user wakegate review --config "$settings" consent --by "Ada Owner"
    check "a wake word is intended" judged alexa_alone intended
    check "its clip is stored" within 20 stored '"queued":1\|"clips":1'
    check "no key is in the folder" not test -e /var/lib/wakegate/second/device.key
    rm "$dropin/key.conf"
    systemctl daemon-reload
    configure "$AUDIO" "$REST"
}

faults() {
    systemctl restart wakegate
    local before
    before=$(main_pid)
    sleep 75
    check "75 s on, the watchdog is content" property NRestarts 0
    check "it is the same process" test "$(main_pid)" = "$before"
    begin
    kill -9 "$before"
    check "killed, it starts again" within 30 property NRestarts 1
    check "and listens" within 30 property StatusText listening
    if [ $sound = card ]; then
        begin
        card_goes
        check "the card is gone: the journal says so" within 15 said 'no audio'
        sleep 3
        card_returns
        check "it is back: it listens" within 45 said 'listening'
        check "the same process" property NRestarts 1
    fi
    begin
    "${sound}_goes"
    check "no audio for 10 s: its status says so" within 30 property StatusText "no audio is judged"
    check "no audio for 60 s: the watchdog ends it" within 90 property NRestarts 2
    check "by its timeout" said 'Watchdog timeout'
    check "and by SIGKILL" said 'status=9/KILL'
    "${sound}_returns"
    check "with audio it listens again" within 60 property ActiveState active
    begin
    configure 'volume = 11'
    systemctl restart wakegate 2>/dev/null
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
    if [ $sound = pipe ]; then
        mkdir -p "$dropin"
        pipe_prepare
        systemctl daemon-reload
        systemctl restart --no-block wakegate
        pipe_comes
    fi
    check "after a boot it listens" within 60 property ActiveState active
    begin
    check "a wake word is intended" judged alexa_alone intended
    check "the package is removed" dpkg --purge wakegate
    check "the service with it" not systemctl is-active wakegate
    check "and its unit" not test -e /lib/systemd/system/wakegate.service
    check "and its configuration" not test -e "$settings"
}

slowness=1
[ "$(systemd-detect-virt)" != qemu ] || slowness=10

if [ ! -e second ]; then
    echo "$(uname -sr), $(systemctl --version | head -n 1), $(systemd-detect-virt), $(nproc) processors"
    touch second
    mkdir -p /home/ada "$dropin"
    # An address that is this machine's and not loopback's, with somebody who answers.
    ip addr add 192.0.2.1/32 dev lo
    systemd-run --quiet --unit=answers --socket-property=ListenStream=192.0.2.1:7 \
        --socket-property=Accept=yes /bin/true
    for name in alexa_alone mention_told; do
        flac -s -d -f -o "$name.wav" "$name.flac"
        flac -s -d -f --force-raw-format --endian=little --sign=signed -o "$name.raw" "$name.flac"
    done
    write_probe
    installed
    without_sound
    listening
    sandbox
    reload
    queue
    credential
    faults
    stop
    [ $sound = pipe ] || echo snd-aloop >/etc/modules-load.d/card.conf
    journalctl -u wakegate -o short-precise --no-pager >journal
    systemctl reboot
else
    removed
    finish
fi
