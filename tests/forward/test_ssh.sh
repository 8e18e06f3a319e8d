#!/bin/bash
# ssh with a command and its exit code, and 100 MiB copied each way, with sshd on either side.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/common.sh"
needs ssh sshd ssh-keygen
bytes=100MiB
! brief || bytes=10MiB

user=$(id -un 2>/dev/null) || { echo "skipped: who runs the test has no name"; exit 77; }
case $(getent passwd "$user" | cut -d : -f 7) in
    */nologin | */false) echo "skipped: $user may not log in"; exit 77 ;;
esac
if [ "$(id -u)" = 0 ]; then
    id -u sshd >/dev/null 2>&1 || { echo "skipped: there is no user sshd"; exit 77; }
    mkdir -p /run/sshd # as its service does when it starts
fi

for key in host user; do
    ssh-keygen -q -t ed25519 -N '' -C test -f $key
done
cp user.pub authorized_keys
ports server near far
cat >sshd.conf <<END
ListenAddress 127.0.0.1:$server
HostKey $work/host
AuthorizedKeysFile $work/authorized_keys
PidFile none
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
PrintMotd no
END
start sshd "$(command -v sshd)" -D -e -f "$work/sshd.conf"
sshd=$pid
within 10 listens "$server"
forward -L "$near:127.0.0.1:$server" -R "$far:127.0.0.1:$server"

"$XENSOCK" payload --seed 10 --bytes $bytes >big
hash=$(xxh128sum <big)
for port in "$near" "$far"; do
    echo "[127.0.0.1]:$port $(cut -d ' ' -f 1-2 host.pub)" >known_hosts
    ssh=(timeout 40 ssh -F none -T -p "$port" -i "$work/user" -o IdentitiesOnly=yes
        -o UserKnownHostsFile="$work/known_hosts" -o GlobalKnownHostsFile=/dev/null
        -o StrictHostKeyChecking=yes -o BatchMode=yes -o IdentityAgent=none "$user@127.0.0.1")
    expect 7 "${ssh[@]}" 'echo there; echo beside >&2; exit 7'
    [ "$(cat out.log)" = there ] || fail "the command said: $(cat out.log)"
    grep -qx beside err.log || fail "the command's errors: $(cat err.log)"
    [ "$("${ssh[@]}" "cat '$work/big'" </dev/null | xxh128sum)" = "$hash" ] ||
        fail "the copy from there is another"
    [ "$("${ssh[@]}" xxh128sum <big)" = "$hash" ] || fail "the copy to there is another"
done
forwarded
interrupted "$sshd" 0 TERM
nothing_left
