#!/bin/sh
# What becomes of nginx when its parent ends, and of us when nginx ends or is not there.
# Arguments: binary storage
set -eu
server=$1 storage=$2
port=$((30000 + $$ % 2000)) folder=$(mktemp -d) # below the kernel's own ports
url=http://127.0.0.1:$port
pid=
trap '[ -z "$pid" ] || kill -9 "$pid" 2>/dev/null || true; rm -rf "$folder"' EXIT
fail() { echo "error: front: $1: $(cat "$folder/stderr")" >&2; exit 1; }
start() {
    "$server" --stack=fastcgi --storage="$storage" --port "$port" --threads 2 \
        --data-directory "$folder" 2>"$folder/stderr" &
    pid=$!
    tries=0
    until curl -s -o /dev/null "$url/"; do
        tries=$((tries + 1))
        [ "$tries" -lt 100 ] || fail "not ready after 10 s"
        sleep 0.1
    done
    nginx=$(cat "$folder/front-$port/nginx.pid")
    bridge=
    read -r ours <"/proc/$pid/task/$pid/children" || true
    for one in $ours; do
        [ "$one" = "$nginx" ] || bridge=$one
    done
    children=$(cat "/proc/$nginx/task/$nginx/children")
}
ended() {
    tries=0
    for one in $nginx $children $bridge; do
        while [ -e "/proc/$one" ]; do
            tries=$((tries + 1))
            [ "$tries" -lt 100 ] || fail "nginx ($one) is still there after $1"
            sleep 0.05
        done
    done
}
expect_code() {
    code=0
    wait "$pid" || code=$?
    pid=
    [ "$code" = "$1" ] || fail "$2: expected exit $1, got $code"
}

start
kill -KILL "$pid"
expect_code 137 "killed"
ended "its parent was killed"
start # on the same port, over what is left
kill -KILL "$nginx"
expect_code 1 "nginx killed"
ended "the death of nginx"
grep -q 'nginx has ended by itself' "$folder/stderr" || fail "the end of nginx is not told"
if [ "$storage" = process ]; then
    start
    kill -KILL "$bridge"
    expect_code 1 "bridge killed"
    ended "the death of the bridge"
    grep -q 'bridge: it has ended by itself' "$folder/stderr" || fail "its end is not told"
    start
    kill -KILL "$pid"
    expect_code 137 "killed"
    ended "the death of the storage"
    grep -q 'storage process has ended' "$folder/stderr" || fail "the bridge says nothing"
fi
start
kill -TERM "$pid"
expect_code 0 "stopped"
ended "a stop"
[ ! -e "$folder/front-$port" ] || fail "the folder is left behind"
if [ ! -e /usr/sbin/nginx ]; then
    echo "front: nginx is not in /usr/sbin: not looked at how it is missed"
elif unshare -rm true 2>/dev/null; then
    # shellcheck disable=SC2016 # the inner shell expands them
    unshare -rm sh -c 'mount --bind /dev/null /usr/sbin/nginx &&
        PATH=/nowhere exec "$0" --stack=fastcgi --port "$1" --data-directory "$2"' \
        "$server" "$port" "$folder" 2>"$folder/stderr" &
    pid=$!
    expect_code 4 "without nginx"
    [ "$(grep -c 'nginx is not installed' "$folder/stderr")" = 1 ] || fail "it is not told"
fi
echo "front: storage=$storage: good"
