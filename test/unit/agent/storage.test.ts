import test from 'ava';
import { bytesExceeded, filesExceeded, tooManyFiles } from '../../../agent/storage.ts';

test('a disk with inodes to spare lets anybody have any number', t => { t.is(tooManyFiles({ totalFiles: 1_000, freeFiles: 150 }), undefined); });
test('above 85 % a tenth of all is too many', t => { t.is(tooManyFiles({ totalFiles: 1_000, freeFiles: 149 }), 100); });
test('a file system that makes inodes as it needs them never runs out', t => { t.is(tooManyFiles({ totalFiles: 0, freeFiles: 0 }), undefined); });
test('both are told with their numbers', t => {
  t.is(bytesExceeded(3 * 2 ** 20, 2 ** 20), 'its root file system holds 3Mi of what it wrote, the storage limit is 1Mi');
  t.is(filesExceeded(100, { totalFiles: 1_000, freeFiles: 9 }), 'its root file system holds more than 100 files, and the node\'s disk has only 9 of 1000 inodes left');
});
