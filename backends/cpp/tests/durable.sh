#!/bin/sh
# Kills a durable server in the middle of writes, starts it again on its log, and compares.
# Arguments: binary mode
set -eu
server=$1 mode=$2
port=$((10000 + ($$ + 7) % 20000)) # below the kernel's own
url=http://127.0.0.1:$port
folder=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill -9 "$pid" 2>/dev/null || true; rm -rf "$folder"' EXIT
fail() { echo "error: durable: $1" >&2; exit 1; }
status() { curl -s -o /dev/null -w '%{http_code}' "$@"; }
begin() {
    "$server" --port "$port" --threads 2 --durability "$mode" --data-directory "$folder/data" \
        --segment-bytes 1MiB 2>>"$folder/log" &
    pid=$!
    tries=0
    until [ "$(status "$url/")" = 200 ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 100 ] || fail "the server is not ready after 10 s: $(cat "$folder/log")"
        sleep 0.1
    done
}
expect() {
    want=$1
    shift
    got=$(status "$@")
    [ "$got" = "$want" ] || fail "$*: expected $want, got $got"
}

begin
expect 404 -X PUT -d x "$url/bucket/key"
expect 200 -X PUT "$url/bucket"
head -c 3000000 /dev/urandom >"$folder/large"
expect 200 -T "$folder/large" -H 'x-amz-meta-a: b' -H 'Content-Type: a/b' "$url/bucket/large"
checksum='x-amz-checksum-crc64nvme: jPG2ztM5/8M='
expect 200 -X PUT -d 'kept checksum' -H "$checksum" "$url/bucket/checked"
expect 400 -X PUT -d 'other content' -H "$checksum" "$url/bucket/unchecked"
expect 412 -X PUT -d x -H 'If-None-Match: *' "$url/bucket/large"
for number in 1 2 3 4 5 6; do
    expect 200 -X PUT -d "body $number" "$url/bucket/key$number"
done
expect 204 -X DELETE "$url/bucket/key1"
curl -s -d '<Delete><Object><Key>key2</Key></Object><Object><Key>none</Key></Object></Delete>' \
    "$url/bucket?delete" | grep -q '<Deleted><Key>key2</Key></Deleted><Deleted><Key>none' ||
    fail "the answer of ?delete is wrong"
expect 200 -X PUT -H 'x-amz-copy-source: bucket/large' "$url/bucket/copy"
upload=$(curl -s -X POST "$url/bucket/parts?uploads" | sed 's/.*<UploadId>\(.*\)<.UploadId>.*/\1/')
tag=$(curl -s -D - -o /dev/null -T "$folder/large" \
    "$url/bucket/parts?partNumber=3&uploadId=$upload" | tr -d '\r' | sed -n 's/^ETag: //p')
listed="<Part><PartNumber>3</PartNumber><ETag>$tag</ETag></Part>"
expect 200 -d "<CompleteMultipartUpload>$listed</CompleteMultipartUpload>" \
    "$url/bucket/parts?uploadId=$upload"
curl -s -X POST "$url/bucket/open?uploads" >/dev/null
expect 409 -X DELETE "$url/bucket"
curl -s -D "$folder/before" -o /dev/null "$url/bucket/large"
code=0
"$server" --port 1 --durability "$mode" --data-directory "$folder/data" 2>/dev/null || code=$?
[ "$code" = 4 ] || fail "a second process on the log: expected exit 4, got $code"
# Writes under way when it dies: each is there whole or not at all, and those answered are there.
for number in 1 2 3 4; do
    (i=0; while [ "$(status -X PUT -d "$number" "$url/bucket/w$number-$i")" = 200 ]; do
        echo "w$number-$i"
        i=$((i + 1))
    done >"$folder/answered$number") &
done
tries=0
until cat "$folder"/answered* | grep -q .; do
    tries=$((tries + 1))
    [ "$tries" -lt 200 ] || fail "no write was answered within 20 s"
    sleep 0.1
done
sleep 0.5
kill -9 "$pid"
wait
begin
cat "$folder"/answered* >"$folder/answered"
while read -r key; do
    expect 200 "$url/bucket/$key"
done <"$folder/answered"
for key in copy parts; do
    curl -s "$url/bucket/$key" | cmp -s - "$folder/large" || fail "$key differs"
done
curl -s -I "$url/bucket/parts" | grep -q '^ETag: "[0-9a-f]*-1"' || fail "the ETag of parts differs"
if curl -s "$url/bucket?uploads" | grep -q '<Upload>'; then
    fail "an open upload outlived its process"
fi
curl -s -D "$folder/after" "$url/bucket/large" | cmp -s - "$folder/large" || fail "large differs"
for file in before after; do
    grep -v -e '^Date' -e '^x-amz-request-id' "$folder/$file" >"$folder/$file.head"
done
cmp -s "$folder/before.head" "$folder/after.head" || fail "the kept headers differ"
curl -s -I -H 'x-amz-checksum-mode: ENABLED' "$url/bucket/checked" | grep -q "^$checksum" ||
    fail "the checksum is not kept"
expect 404 "$url/bucket/unchecked"
expect 404 "$url/bucket/key1"
expect 404 "$url/bucket/key2"
[ "$(curl -s "$url/bucket/key3")" = "body 3" ] || fail "key3 differs"
kill -TERM "$pid"
code=0
wait "$pid" || code=$?
[ "$code" = 0 ] || fail "expected exit 0 after SIGTERM, got $code"
pid=
if grep -v '^recovery: torn tail' "$folder/log"; then
    fail "it said something unexpected"
fi
echo "durable: $mode: good"
