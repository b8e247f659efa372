// One operation of the AWS SDK for JavaScript a process: put, get, list, delete, head.
"use strict";
const fs = require("node:fs");
const s3 = require("@aws-sdk/client-s3");

const PART_BYTES = 5 << 20;
const Bucket = process.env.CONFORMANCE_BUCKET;
const client = new s3.S3Client({
  endpoint: process.env.CONFORMANCE_ENDPOINT,
  region: process.env.CONFORMANCE_REGION,
  credentials: {
    accessKeyId: process.env.CONFORMANCE_KEY_ID,
    secretAccessKey: process.env.CONFORMANCE_SECRET,
  },
  forcePathStyle: true,
  maxAttempts: 1,
});

async function put(Key, file, ContentType, colour) {
  const Body = fs.readFileSync(file);
  const kept = colour ? { ContentType, Metadata: { colour } } : {};
  if (Body.length < PART_BYTES) {
    await client.send(new s3.PutObjectCommand({ Bucket, Key, Body, ...kept }));
    return;
  }
  const begun = await client.send(new s3.CreateMultipartUploadCommand({ Bucket, Key, ...kept }));
  const upload = { Bucket, Key, UploadId: begun.UploadId };
  const Parts = [];
  for (let first = 0; first < Body.length; first += PART_BYTES) {
    const PartNumber = Parts.length + 1;
    const part = { ...upload, PartNumber, Body: Body.subarray(first, first + PART_BYTES) };
    const { ETag } = await client.send(new s3.UploadPartCommand(part));
    Parts.push({ PartNumber, ETag });
  }
  const all = { ...upload, MultipartUpload: { Parts } };
  await client.send(new s3.CompleteMultipartUploadCommand(all));
}

async function get(Key, Range) {
  const got = await client.send(new s3.GetObjectCommand({ Bucket, Key, Range }));
  process.stdout.write(await got.Body.transformToByteArray());
}

async function list(Prefix) {
  const keys = [];
  for await (const page of s3.paginateListObjectsV2({ client, pageSize: 2 }, { Bucket, Prefix })) {
    keys.push(...(page.Contents ?? []).map((entry) => entry.Key));
  }
  process.stdout.write(JSON.stringify(keys));
}

async function remove(keys) {
  const Objects = JSON.parse(keys).map((Key) => ({ Key }));
  const told = await client.send(new s3.DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
  if (told.Errors?.length) {
    throw new Error(JSON.stringify(told.Errors));
  }
}

async function head(Key) {
  const told = await client.send(new s3.HeadObjectCommand({ Bucket, Key }));
  const answer = { type: told.ContentType, colour: told.Metadata?.colour ?? "" };
  process.stdout.write(JSON.stringify(answer));
}

const operations = { put, get, list, delete: remove, head };
const [name, ...given] = process.argv.slice(2);
operations[name](...given).catch((error) => {
  process.stderr.write(`${error.name}: ${error.message}\n`);
  process.exitCode = 1;
});
