'use strict';

// What every script here needs: a client as the environment asks for it, and a
// bucket that goes away with its test.

const OSS = require('ali-oss');
const { randomBytes } = require('node:crypto');

const {
  OSS_ACCESS_KEY_ID: accessKeyId,
  OSS_ACCESS_KEY_SECRET: accessKeySecret,
  OSS_ACCOUNT_ID: accountId,
  OSS_REGION: region, // such as oss-cn-hangzhou
  OSS_ENDPOINT: endpoint, // empty: the region's own
  OSS_SIGNATURE: signature, // v1 or v4
} = process.env;

/** newClient makes a client that uses bucket. */
function newClient(bucket) {
  return new OSS({
    accessKeyId,
    accessKeySecret,
    region,
    bucket,
    authorizationV4: signature === 'v4',
    timeout: '20s',
    ...(endpoint ? { endpoint, secure: endpoint.startsWith('https:') } : {}),
  });
}

/**
 * withBucket makes a bucket, calls use(client, name) and removes the bucket and
 * all that is in it.
 */
async function withBucket(use) {
  const name = `ali-oss-${randomBytes(6).toString('hex')}`;
  const client = newClient(name);
  await client.putBucket(name);
  try {
    await use(client, name);
  } finally {
    await empty(client);
    await client.deleteBucket(name);
  }
}

/** empty removes every version, delete marker and upload of the client's bucket. */
async function empty(client) {
  let query = {};
  for (;;) {
    const page = await client.getBucketVersions(query);
    for (const v of [...page.objects, ...page.deleteMarker]) {
      await client.delete(v.name, { versionId: v.versionId });
    }
    if (!page.isTruncated) break;
    query = { keyMarker: page.nextKeyMarker, versionIdMarker: page.nextVersionIdMarker };
  }
  const { uploads } = await client.listUploads({ 'max-uploads': 1000 });
  for (const u of uploads || []) {
    await client.abortMultipartUpload(u.name, u.uploadId);
  }
}

/**
 * until asks again and again, for at most seconds, and returns the first answer
 * that is not undefined.
 */
async function until(seconds, ask) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > end) throw new Error(`nothing came within ${seconds} s`);
    await new Promise(resolve => setTimeout(resolve, 20));
  }
}

module.exports = { accountId, empty, newClient, until, withBucket };
