'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');
const { gunzipSync } = require('node:zlib');
const { accountId, until, withBucket } = require('./client');

const allFields = [
  'Size', 'LastModifiedDate', 'ETag', 'StorageClass', 'IsMultipartUploaded', 'EncryptionStatus',
];

function inventory(bucket, id, change = {}) {
  return {
    id,
    isEnabled: false,
    prefix: 'photos/',
    OSSBucketDestination: {
      format: 'CSV',
      accountId,
      rolename: 'AliyunOSSRole',
      bucket,
      prefix: 'reports',
    },
    frequency: 'Daily',
    includedObjectVersions: 'All',
    optionalFields: { field: allFields },
    ...change,
  };
}

test('an inventory is put, read, listed and deleted', () =>
  withBucket(async (client, bucket) => {
    const put = await client.putBucketInventory(bucket, inventory(bucket, 'first'));
    assert.equal(put.status, 200);

    const { status, inventory: got } = await client.getBucketInventory(bucket, 'first');
    assert.equal(status, 200);
    assert.equal(got.id, 'first');
    assert.equal(got.isEnabled, false);
    assert.equal(got.prefix, 'photos/');
    assert.equal(got.frequency, 'Daily');
    assert.equal(got.includedObjectVersions, 'All');
    assert.deepEqual([...got.optionalFields.field].sort(), [...allFields].sort());
    assert.equal(got.OSSBucketDestination.format, 'CSV');
    assert.equal(got.OSSBucketDestination.accountId, accountId);
    assert.equal(got.OSSBucketDestination.rolename, 'AliyunOSSRole');
    assert.equal(got.OSSBucketDestination.bucket, bucket);
    assert.equal(got.OSSBucketDestination.prefix, 'reports');

    const list = await client.listBucketInventory(bucket);
    assert.equal(list.status, 200);
    assert.equal(list.isTruncated, false);
    assert.deepEqual(list.inventoryList.map(i => i.id), ['first']);

    const gone = await client.deleteBucketInventory(bucket, 'first');
    assert.equal(gone.status, 204);
    await assert.rejects(client.getBucketInventory(bucket, 'first'), { code: 'NoSuchInventory', status: 404 });
    await assert.rejects(client.listBucketInventory(bucket), { code: 'NoSuchInventory', status: 404 });
  }));

test('an inventory without a prefix of its own can be read by this client', () =>
  withBucket(async (client, bucket) => {
    await client.putBucketInventory(bucket, inventory(bucket, 'whole', { prefix: undefined, frequency: 'Weekly' }));
    const { inventory: got } = await client.getBucketInventory(bucket, 'whole');
    assert.equal(got.prefix || '', '');
    assert.equal(got.frequency, 'Weekly');
    await client.deleteBucketInventory(bucket, 'whole');
  }));

test('an id that is taken is refused', () =>
  withBucket(async (client, bucket) => {
    await client.putBucketInventory(bucket, inventory(bucket, 'twice'));
    await assert.rejects(client.putBucketInventory(bucket, inventory(bucket, 'twice')), {
      code: 'InventoryConfigurationAlreadyExists',
      status: 409,
    });
    await client.deleteBucketInventory(bucket, 'twice');
  }));

test('pages of a hundred are followed to the end', () =>
  withBucket(async (client, bucket) => {
    const ids = Array.from({ length: 101 }, (_, i) => `id-${String(i).padStart(3, '0')}`);
    for (const id of ids) await client.putBucketInventory(bucket, inventory(bucket, id));

    const first = await client.listBucketInventory(bucket);
    assert.equal(first.isTruncated, true);
    assert.equal(first.inventoryList.length, 100);
    const second = await client.listBucketInventory(bucket, { continuationToken: first.nextContinuationToken });
    assert.equal(second.isTruncated, false);
    assert.deepEqual([...first.inventoryList, ...second.inventoryList].map(i => i.id), ids);

    for (const id of ids) await client.deleteBucketInventory(bucket, id);
  }));

test('an enabled inventory delivers its report', () =>
  withBucket(async (client, bucket) => {
    const keys = ['photos/a.jpg', 'photos/猫 + %.jpg', 'videos/c.mp4'];
    for (const key of keys) await client.put(key, Buffer.from(`bytes of ${key}`));
    await client.putBucketInventory(
      bucket,
      inventory(bucket, 'now', { isEnabled: true, includedObjectVersions: 'Current' })
    );

    const manifestKey = await until(20, async () => {
      const { objects } = await client.listV2({ prefix: `reports/${bucket}/now/`, 'max-keys': 1000 });
      return (objects || []).map(o => o.name).find(name => name.endsWith('/manifest.json'));
    });
    const manifest = JSON.parse((await client.get(manifestKey)).content.toString());
    assert.equal(manifest.sourceBucket, bucket);
    const listed = [];
    for (const { key, size } of manifest.files) {
      const shard = (await client.get(key)).content;
      assert.equal(shard.length, size);
      const rows = gunzipSync(shard).toString().trimEnd().split('\n');
      listed.push(...rows.map(row => decodeURIComponent(/^[^,]*,"([^"]*)"/.exec(row)[1])));
    }
    assert.deepEqual(listed, ['photos/a.jpg', 'photos/猫 + %.jpg']);

    await client.deleteBucketInventory(bucket, 'now');
  }));
