import test from 'ava';
import { bytesExceeded, defaultStorageBytes, filesExceeded, isCountDue, largestWriter, reserveBytes, tooManyFiles } from '../../../agent/storage.ts';

test('a disk with inodes to spare lets anybody have any number', t => { t.is(tooManyFiles({ totalFiles: 1_000, freeFiles: 150 }), undefined); });
test('above 85 % a tenth of all is too many', t => { t.is(tooManyFiles({ totalFiles: 1_000, freeFiles: 149 }), 100); });
test('a file system that makes inodes as it needs them never runs out', t => { t.is(tooManyFiles({ totalFiles: 0, freeFiles: 0 }), undefined); });
test('both are told with their numbers', t => {
  t.is(bytesExceeded(3 * 2 ** 20, { bytes: 2 ** 20, isDefault: false }), 'its root file system holds 3Mi of what it wrote, the storage limit is 1Mi');
  t.is(filesExceeded(100, { totalFiles: 1_000, freeFiles: 9 }), 'its root file system holds more than 100 files, and the node\'s disk has only 9 of 1000 inodes left');
});

const GIB = 2 ** 30;
const MIB = 2 ** 20;

test('23: a container without a limit may write a quarter of the disk', t => {
  t.is(defaultStorageBytes({ totalBytes: 100 * GIB, freeBytes: 0 }), 25 * GIB);
  t.regex(bytesExceeded(26 * GIB, { bytes: 25 * GIB, isDefault: true }), /without limits\.storage may write 25Gi/);
});

test('23: a container is counted anew once the disk lost what it had left, or after a while', t => {
  const before = { bytes: 10 * MIB, freeBytes: GIB, atMs: 0 };
  const limit = { bytes: 64 * MIB, isDefault: false };
  const due = (freeBytes: number, atMs: number, one = before, at = limit): boolean => isCountDue(one, at, { freeBytes, atMs });
  t.true(isCountDue(undefined, limit, { freeBytes: GIB, atMs: 0 }));
  t.false(due(GIB, 1_999));
  t.false(due(GIB - 54 * MIB + 1, 100), 'it cannot be above it yet');
  t.true(due(GIB - 54 * MIB, 100));
  t.false(due(2 * GIB, 100), 'another one deleted');
  t.true(due(2 * GIB, 2_000), 'and may hide what it wrote');
  t.false(due(0, 100, { ...before, bytes: 65 * MIB }), 'it is being ended');
  t.false(due(GIB, 2_000, before, { bytes: 64 * MIB, isDefault: true }));
  t.true(due(GIB, 60_000, before, { bytes: 64 * MIB, isDefault: true }));
});

test('23: with less free than the node needs, the one that wrote most is the one that goes; who wrote little is never the cause', t => {
  const space = (freeBytes: number) => ({ totalBytes: 20 * GIB, freeBytes });
  t.is(reserveBytes(space(0)), GIB);
  t.is(reserveBytes({ totalBytes: 1_000 * GIB, freeBytes: 0 }), 4 * GIB);
  const [small, large, larger] = [{ bytes: GIB / 4 - 1 }, { bytes: GIB / 4 }, { bytes: 3 * GIB }];
  t.is(largestWriter([small, larger, large], space(GIB)), undefined);
  t.is(largestWriter([small, larger, large], space(GIB - 1)), larger);
  t.is(largestWriter([small, large], space(0)), large);
  t.is(largestWriter([small], space(0)), undefined);
  const nobody: readonly { readonly bytes: number }[] = [];
  t.is(largestWriter(nobody, space(0)), undefined);
});
