#!/bin/sh
# Drives one server under sanitizers: store, read, range, list, delete, bad input, stop.
# Arguments: binary allocator threads stack
set -eu
server=$1 allocator=$2 threads=$3 stack=$4
port=$((10000 + $$ % 20000)) # below the kernel's own
url=http://127.0.0.1:$port
"$server" --port "$port" --threads "$threads" --stack "$stack" --allocator "$allocator" \
    --store-bytes-max 40MiB &
pid=$!
body=$(mktemp)
trap 'kill "$pid" 2>/dev/null || true; rm -f "$body" "$body.got"' EXIT
protocol=
[ "$stack" != nghttp2 ] || protocol=--http2-prior-knowledge
curl() { command curl $protocol "$@"; }
fail() { echo "error: smoke: $1" >&2; exit 1; }
status() { curl -s -o /dev/null -w '%{http_code}' "$@"; }
tries=0
until [ "$(status "$url/")" = 200 ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 50 ] || fail "the server is not ready after 5 s"
    sleep 0.1
done
expect() {
    want=$1
    shift
    got=$(status "$@")
    [ "$got" = "$want" ] || fail "$*: expected $want, got $got"
}

expect 404 "$url/bucket/key"
expect 200 -X PUT "$url/bucket"
head -c 300000 /dev/urandom >"$body"
expect 200 -T "$body" "$url/bucket/large"
expect 200 -T "$body" -H 'Transfer-Encoding: chunked' "$url/bucket/chunked"
for key in large chunked; do
    curl -s "$url/bucket/$key" >"$body.got"
    cmp -s "$body" "$body.got" || fail "$key came back different"
done
expect 206 -H 'Range: bytes=65530-65540' "$url/bucket/large"
expect 416 -H 'Range: bytes=300000-' "$url/bucket/large"
expect 412 -X PUT -d x -H 'If-None-Match: *' "$url/bucket/large"
expect 400 -X PUT -d x -H 'Content-MD5: AAAAAAAAAAAAAAAAAAAAAA==' "$url/bucket/bad"
expect 501 "$url/bucket?acl"
curl -s "$url/bucket?list-type=2" | grep -q '<KeyCount>2</KeyCount>' || fail "the list is wrong"
expect 400 -d '<Delete><Object>' "$url/bucket?delete"
expect 200 -d '<Delete><Object><Key>large</Key></Object></Delete>' "$url/bucket?delete"
expect 200 -X PUT -H 'x-amz-copy-source: /bucket/chunked' "$url/bucket/copy"
curl -s "$url/bucket/copy" >"$body.got"
cmp -s "$body" "$body.got" || fail "the copy came back different"
expect 204 -X DELETE "$url/bucket/copy"
begin_upload() { curl -s -X POST "$1?uploads" | sed 's/.*<UploadId>\(.*\)<.UploadId>.*/\1/'; }
tag_of_part() { curl -s -D - -o /dev/null "$@" | tr -d '\r' | sed -n 's/^[Ee][Tt]ag: //p'; }
upload=$(begin_upload "$url/bucket/parts")
tag=$(tag_of_part -T "$body" "$url/bucket/parts?partNumber=1&uploadId=$upload")
listed="<Part><PartNumber>1</PartNumber><ETag>$tag</ETag></Part>"
expect 400 -d "<CompleteMultipartUpload>" "$url/bucket/parts?uploadId=$upload"
expect 200 -d "<CompleteMultipartUpload>$listed</CompleteMultipartUpload>" \
    "$url/bucket/parts?uploadId=$upload"
curl -s "$url/bucket/parts" >"$body.got"
cmp -s "$body" "$body.got" || fail "the parts came back different"
expect 404 -X DELETE "$url/bucket/parts?uploadId=$upload"
expect 204 -X DELETE "$url/bucket/parts"
expect 409 -X DELETE "$url/bucket"
head -c 60000000 /dev/zero >"$body"
expect 503 -T "$body" -H 'Expect:' "$url/bucket/toolarge"
expect 204 -X DELETE "$url/bucket/chunked"
expect 204 -X DELETE "$url/bucket"
kill -TERM "$pid"
code=0
wait "$pid" || code=$?
[ "$code" = 0 ] || fail "expected exit 0 after SIGTERM, got $code"
echo "smoke: $stack, $allocator with $threads thread(s): good"
