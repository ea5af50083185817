'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');
const { randomBytes } = require('node:crypto');
const { isIP } = require('node:net');
const { mkdtempSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const path = require('node:path');
const { Readable } = require('node:stream');
const { newClient, withBucket } = require('./client');

// No "." or ".." between slashes: the client's own URL parser takes them out.
const hostile = [
  'plain', 'with space', 'plus+percent%25', '猫/😀.txt', "quote'\"&<>", 'a//b', 'tilde~!*()', 'new\nline',
];

test('an object comes back as it was put', () =>
  withBucket(async client => {
    const body = randomBytes(100_000);
    const put = await client.put('a/b.bin', body, { meta: { owner: 'me', year: 2026 }, mime: 'application/x-test' });
    assert.equal(put.res.status, 200);

    const got = await client.get('a/b.bin');
    assert.deepEqual(got.content, body);
    assert.equal(got.res.headers['content-type'], 'application/x-test');
    const head = await client.head('a/b.bin');
    assert.deepEqual(head.meta, { owner: 'me', year: '2026' });
    assert.equal(head.res.headers['content-length'], '100000');
    const meta = await client.getObjectMeta('a/b.bin');
    assert.equal(meta.res.headers['content-length'], '100000');

    const part = await client.get('a/b.bin', { headers: { Range: 'bytes=10-19' } });
    assert.equal(part.res.status, 206);
    assert.deepEqual(part.content, body.subarray(10, 20));
  }));

test('an object put as a stream comes back', () =>
  withBucket(async client => {
    const chunks = Array.from({ length: 50 }, () => randomBytes(10_000));
    await client.putStream('stream', Readable.from(chunks));
    const { stream } = await client.getStream('stream');
    const got = [];
    for await (const chunk of stream) got.push(chunk);
    assert.deepEqual(Buffer.concat(got), Buffer.concat(chunks));
  }));

test('a file is put and got', () =>
  withBucket(async client => {
    const dir = mkdtempSync(path.join(tmpdir(), 'ali-oss-'));
    try {
      const file = path.join(dir, 'f.txt');
      writeFileSync(file, 'the file');
      await client.put('f.txt', file);
      assert.equal((await client.get('f.txt')).content.toString(), 'the file');
    } finally {
      rmSync(dir, { recursive: true });
    }
  }));

test('hostile keys come back from listings as they went in', () =>
  withBucket(async client => {
    for (const key of hostile) await client.put(key, Buffer.from(key));
    const sorted = [...hostile].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    const v2 = await client.listV2({ 'max-keys': 1000, 'encoding-type': 'url' });
    assert.deepEqual(v2.objects.map(o => decodeURIComponent(o.name.replace(/\+/g, ' '))), sorted);
    for (const key of hostile) assert.equal((await client.get(key)).content.toString(), key);
  }));

test('listings group, page and end', () =>
  withBucket(async client => {
    for (const key of ['a', 'b/1', 'b/2', 'c/1', 'd']) await client.put(key, Buffer.from('x'));

    const grouped = await client.listV2({ delimiter: '/', 'max-keys': 1000 });
    assert.deepEqual(grouped.objects.map(o => o.name), ['a', 'd']);
    assert.deepEqual(grouped.prefixes, ['b/', 'c/']);

    const names = [];
    let token;
    do {
      const page = await client.listV2({ 'max-keys': 2, 'continuation-token': token });
      names.push(...page.objects.map(o => o.name));
      token = page.nextContinuationToken;
    } while (token);
    assert.deepEqual(names, ['a', 'b/1', 'b/2', 'c/1', 'd']);
  }));

test('the older listing groups, pages and ends', () =>
  withBucket(async client => {
    for (const key of ['a', 'b/1', 'b/2', 'c/1', 'd']) await client.put(key, Buffer.from('x'));
    const first = await client.list({ delimiter: '/', 'max-keys': 3 });
    assert.deepEqual(first.objects.map(o => o.name), ['a']);
    assert.deepEqual(first.prefixes, ['b/', 'c/']);
    assert.equal(first.isTruncated, true);
    const second = await client.list({ delimiter: '/', marker: first.nextMarker, 'max-keys': 3 });
    assert.deepEqual(second.objects.map(o => o.name), ['d']);
    assert.equal(second.isTruncated, false);
  }));

test('objects are deleted, one and many', () =>
  withBucket(async client => {
    for (const key of ['a', 'b', 'c', 'd']) await client.put(key, Buffer.from(key));
    await client.delete('a');
    const { deleted } = await client.deleteMulti(['b', 'c', 'never-there']);
    assert.deepEqual(deleted.map(d => d.Key).sort(), ['b', 'c', 'never-there']);
    const { objects } = await client.listV2({ 'max-keys': 10 });
    assert.deepEqual(objects.map(o => o.name), ['d']);
    await assert.rejects(client.get('a'), { code: 'NoSuchKey', status: 404 });
  }));

test('versions are kept, listed and restored', () =>
  withBucket(async (client, bucket) => {
    await client.putBucketVersioning(bucket, 'Enabled');
    assert.equal((await client.getBucketVersioning(bucket)).versionStatus, 'Enabled');
    const one = await client.put('k', Buffer.from('one'));
    await client.put('k', Buffer.from('two'));
    await client.delete('k');
    await assert.rejects(client.get('k'), { status: 404 });
    const id = one.res.headers['x-oss-version-id'];
    assert.equal((await client.get('k', null, { versionId: id })).content.toString(), 'one');
    const { objects, deleteMarker } = await client.getBucketVersions({});
    assert.equal(objects.length, 2);
    assert.equal(deleteMarker.length, 1);
  }));

test('a signed URL reads and writes without a key', () =>
  withBucket(async client => {
    if (isIP(client.options.endpoint.hostname)) {
      // This client makes no URL for such an endpoint under V1, and one without the bucket under V4.
      assert.throws(() => client.signatureUrl('signed'), /endpoint is IP/);
      return;
    }
    const sign = (name, method) =>
      client.options.authorizationV4
        ? client.signatureUrlV4(method, 60, {}, name)
        : Promise.resolve(client.signatureUrl(name, { method, expires: 60 }));
    const put = await fetch(await sign('signed', 'PUT'), { method: 'PUT', body: Buffer.from('by URL') });
    assert.equal(put.status, 200, await put.text());
    const got = await fetch(await sign('signed', 'GET'));
    assert.equal(got.status, 200);
    assert.equal(await got.text(), 'by URL');
    const forged = await fetch((await sign('signed', 'GET')).replace('/signed', '/other'));
    assert.equal(forged.status, 403);
  }));

test('a wrong secret is refused', () =>
  withBucket(async (client, bucket) => {
    const thief = newClient(bucket);
    thief.options.accessKeySecret = 'wrong';
    await assert.rejects(thief.put('k', Buffer.from('x')), { code: 'SignatureDoesNotMatch', status: 403 });
    await assert.rejects(client.get('k'), { status: 404 });
  }));

test('a multipart upload is one object', () =>
  withBucket(async client => {
    const dir = mkdtempSync(path.join(tmpdir(), 'ali-oss-'));
    try {
      const file = path.join(dir, 'big');
      const body = randomBytes(1_500_000);
      writeFileSync(file, body);
      await client.multipartUpload('big', file, { partSize: 200 * 1024, parallel: 3 });
      assert.deepEqual((await client.get('big')).content, body);
    } finally {
      rmSync(dir, { recursive: true });
    }
  }));

test('parts are listed and an upload is aborted', () =>
  withBucket(async client => {
    const { uploadId } = await client.initMultipartUpload('parts');
    const data = { stream: Readable.from([Buffer.alloc(1000, 1)]), size: 1000 };
    await client._uploadPart('parts', uploadId, 1, data, {});
    const { parts } = await client.listParts('parts', uploadId);
    assert.deepEqual([].concat(parts).map(p => [p.PartNumber, p.Size]), [['1', '1000']]);
    assert.deepEqual((await client.listUploads({ 'max-uploads': 10 })).uploads.map(u => u.uploadId), [uploadId]);
    await client.abortMultipartUpload('parts', uploadId);
    assert.equal(((await client.listUploads({ 'max-uploads': 10 })).uploads || []).length, 0);
  }));

test('an object is copied', () =>
  withBucket(async client => {
    await client.put('from', Buffer.from('bytes'), { meta: { a: 'b' } });
    await client.copy('to', 'from');
    const got = await client.head('to');
    assert.deepEqual(got.meta, { a: 'b' });
    assert.equal((await client.get('to')).content.toString(), 'bytes');
  }));

test('tags are kept, and an access control list', () =>
  withBucket(async client => {
    await client.put('k', Buffer.from('x'));
    await client.putObjectTagging('k', { a: '1', b: '2' });
    assert.deepEqual((await client.getObjectTagging('k')).tag, { a: '1', b: '2' });
    await client.deleteObjectTagging('k');
    assert.deepEqual((await client.getObjectTagging('k')).tag, {});
    await client.putACL('k', 'private');
    assert.equal((await client.getACL('k')).acl, 'private');
  }));

test('a symlink leads to its target', () =>
  withBucket(async client => {
    await client.put('target', Buffer.from('at the end'));
    await client.putSymlink('link', 'target');
    assert.equal((await client.getSymlink('link')).targetName, 'target');
    assert.equal((await client.get('link')).content.toString(), 'at the end');
  }));

test('an object is appended to', () =>
  withBucket(async client => {
    const first = await client.append('log', Buffer.from('one '));
    await client.append('log', Buffer.from('two'), { position: first.nextAppendPosition });
    assert.equal((await client.get('log')).content.toString(), 'one two');
  }));
