#!/bin/sh
# Writes to one server under sanitizers, kills it while others still write, and looks whether the
# next one on the same log has all that was answered.
# Arguments: binary mode [flags]
set -eu
server=$1 mode=$2
shift 2
port=$((10000 + $$ % 20000)) url=http://127.0.0.1:$((10000 + $$ % 20000)) # below the kernel's own
folder=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill -9 "$pid" 2>/dev/null || true; rm -rf "$folder"' EXIT
fail() { echo "error: durable: $mode: $1" >&2; exit 1; }
status() { curl -s -o /dev/null -w '%{http_code}' "$@"; }
expect() {
    want=$1
    shift
    got=$(status "$@")
    [ "$got" = "$want" ] || fail "$*: expected $want, got $got"
}
# Flags are its arguments.
start() {
    "$server" --port "$port" --threads 2 --durability "$mode" --data-directory "$folder/log" \
        --segment-bytes 256KiB "$@" 2>>"$folder/stderr" &
    pid=$!
    tries=0
    until [ "$(status "$url/")" = 200 ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 100 ] || fail "not ready after 10 s: $(cat "$folder/stderr")"
        sleep 0.1
    done
}
head_of() { curl -s -I "$url/bucket/$1" | grep -v -i -e '^date' -e '^x-amz-request-id'; }

start "$@"
expect 404 -X PUT -d x "$url/bucket/early"
expect 200 -X PUT "$url/bucket"
head -c 1000000 /dev/urandom >"$folder/large"
expect 200 -T "$folder/large" -H 'Cache-Control: no-store' -H 'x-amz-meta-name: a b' \
    "$url/bucket/large"
expect 412 -X PUT -d x -H 'If-None-Match: *' "$url/bucket/large"
expect 200 -X PUT -d gone "$url/bucket/gone"
expect 204 -X DELETE "$url/bucket/gone"
expect 204 -X DELETE "$url/bucket/never"
expect 409 -X DELETE "$url/bucket"
# More keys than may be under way at a time.
keys=$(seq -f '<Object><Key>k%g</Key></Object>' 150)
for number in 1 64 65 128 129 150; do
    expect 200 -X PUT -d "$number" "$url/bucket/k$number"
done
found=$(curl -s -d "<Delete>$keys</Delete>" "$url/bucket?delete" | grep -o '<Deleted>' | wc -l)
[ "$found" = 150 ] || fail "expected 150 keys deleted, got $found"
expect 200 -X PUT -H 'x-amz-copy-source: bucket/large' "$url/bucket/copied"
upload=$(curl -s -X POST "$url/bucket/parts?uploads" |
    sed 's/.*<UploadId>\(.*\)<.UploadId>.*/\1/')
tag=$(curl -s -D - -o /dev/null -T "$folder/large" \
    "$url/bucket/parts?partNumber=3&uploadId=$upload" | tr -d '\r' | sed -n 's/^ETag: //p')
listed="<Part><PartNumber>3</PartNumber><ETag>$tag</ETag></Part>"
expect 200 -d "<CompleteMultipartUpload>$listed</CompleteMultipartUpload>" \
    "$url/bucket/parts?uploadId=$upload"
for key in large copied parts; do
    head_of $key >"$folder/before-$key"
done
code=0
"$server" --port 1 --durability "$mode" --data-directory "$folder/log" 2>/dev/null || code=$?
[ "$code" = 4 ] || fail "a second process on the log: expected exit 4, got $code"

for number in 1 2 3 4; do
    (
        count=0
        while [ "$(status -X PUT -d "$number $count" "$url/bucket/$number-$count")" = 200 ]; do
            echo "$number-$count"
            count=$((count + 1))
        done >"$folder/answered-$number"
    ) &
done
tries=0
until cat "$folder"/answered-* | grep -q .; do
    tries=$((tries + 1))
    [ "$tries" -lt 200 ] || fail "no write was answered within 20 s"
    sleep 0.1
done
sleep 0.5
kill -9 "$pid"
wait
start "$@"
cat "$folder"/answered-* >"$folder/answered"
while read -r key; do
    expect 200 "$url/bucket/$key"
done <"$folder/answered"
for key in large copied parts; do
    curl -s "$url/bucket/$key" | cmp -s - "$folder/large" || fail "$key differs"
    head_of $key | cmp -s - "$folder/before-$key" || fail "the head of $key differs"
done
grep -q '^ETag: ".*-1"' "$folder/before-parts" || fail "the parts have no ETag of parts"
expect 404 "$url/bucket/gone"
expect 404 "$url/bucket/k65"
kill -TERM "$pid"
code=0
wait "$pid" || code=$?
pid=
[ "$code" = 0 ] || fail "expected exit 0 after SIGTERM, got $code"
# What a bridge says of the kill is its duty.
! grep -v -e '^recovery: torn tail' -e '^error: bridge: the storage process has ended' \
    "$folder/stderr" || fail "it said something unexpected"
echo "durable: $mode: good"
