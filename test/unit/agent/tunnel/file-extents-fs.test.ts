import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { fileExtents } from '../../../../agent/tunnel/file-extents-fs.ts';

const MIB = 2 ** 20;

function extentsOf(sizeBytes: number, writes: readonly (readonly [number, string])[]): ReturnType<typeof fileExtents> {
  const directory = mkdtempSync(path.join(tmpdir(), 'gantry-extents-'));
  const fd = openSync(path.join(directory, 'file'), 'w+');
  try {
    ftruncateSync(fd, sizeBytes);
    for (const [at, text] of writes) writeSync(fd, text, at);
    return fileExtents(fd, sizeBytes);
  } finally {
    closeSync(fd);
    rmSync(directory, { recursive: true });
  }
}

test('an empty file has one part, which is empty', t => {
  t.deepEqual(extentsOf(0, []), [{ offset: 0, lengthBytes: 0 }]);
});
test('a hole alone', t => {
  t.deepEqual(extentsOf(1024 * MIB, []), [{ offset: 1024 * MIB, lengthBytes: 0 }]);
});
test('contents between two holes', t => {
  const [part, end, ...rest] = extentsOf(1024 * MIB, [[512 * MIB, 'here']]);
  t.true(part !== undefined && part.offset <= 512 * MIB && part.offset + part.lengthBytes >= 512 * MIB + 4 && part.lengthBytes < 4 * MIB);
  t.deepEqual([end, ...rest], [{ offset: 1024 * MIB, lengthBytes: 0 }]);
});
test('contents up to the end', t => {
  const parts = extentsOf(64 * MIB, [[64 * MIB - 4, 'here']]);
  t.is(parts.length, 1);
  t.is((parts[0]?.offset ?? 0) + (parts[0]?.lengthBytes ?? 0), 64 * MIB);
});
test('more holes than a map may have: the last part has the rest', t => {
  const writes = Array.from({ length: 3_100 }, (_, index) => [index * MIB, 'x'] as const);
  const parts = extentsOf(3_100 * MIB, writes);
  t.is(parts.length, 3_000);
  t.is((parts.at(-1)?.offset ?? 0) + (parts.at(-1)?.lengthBytes ?? 0), 3_100 * MIB);
});
