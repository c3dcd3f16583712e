import test from 'ava';
import { fc } from '../../../support/property.ts';
import { parsePaxNumber, parsePaxRecords, parsePaxTime, parseTarHeader } from '../../../../agent/snapshot/tar-header.ts';
import { paxRecord, tarHeader } from '../../../support/tar-builder.ts';

const header = (fields: Partial<Parameters<typeof tarHeader>[0]> = {}): Buffer => tarHeader({ name: Buffer.from('a'), flag: '0', size: 0, ...fields });

/** Writes `text` at `at` and mends the checksum. */
function patched(at: number, text: string | Uint8Array): Buffer {
  const block = header();
  Buffer.from(text as string, 'latin1').copy(block, at);
  block.write('        ', 148, 'latin1');
  block.write(`${block.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

test('a plain header is read field by field', t => {
  t.deepEqual(parseTarHeader(header({ mode: 0o4755, uid: 7, gid: 8, size: 9, mtime: 10 }), 0), {
    type: 'file', name: 'a', linkName: '', mode: 0o4755, uid: 7, gid: 8, sizeBytes: 9, time: { seconds: 10, nanoseconds: 0 },
  });
});
test('a block of zeros ends the archive', t => { t.is(parseTarHeader(Buffer.alloc(512), 0), undefined); });
test('a wrong checksum is refused with its offset', t => {
  t.throws(() => parseTarHeader(header({ checksum: '000000\0 ' }), 1024), { code: 'FAILED_PRECONDITION', message: 'bad tar header at offset 1024 (checksum)' });
});
test('a prefix is put before the name in ustar', t => { t.is(parseTarHeader(patched(345, 'some/dir'), 0)?.name, 'some/dir/a'); });
test('GNU headers have no prefix', t => {
  const block = patched(345, 'some/dir');
  const gnu = Buffer.from(block);
  gnu.write('ustar  \0', 257, 'latin1');
  gnu.write('        ', 148, 'latin1');
  gnu.write(`${gnu.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  t.is(parseTarHeader(gnu, 0)?.name, 'a');
});
test('base-256 sizes are numbers', t => {
  t.is(parseTarHeader(patched(124, Buffer.from('800000000000000200000000', 'hex').toString('latin1')), 0)?.sizeBytes, 2 ** 33);
});
test('a negative base-256 mtime is a time before 1970', t => {
  t.is(parseTarHeader(patched(136, Buffer.from('ffffffffffffffffffffffff', 'hex').toString('latin1')), 0)?.time.seconds, -1);
});
test('a negative size is refused', t => {
  t.throws(() => parseTarHeader(patched(124, Buffer.from('ffffffffffffffffffffffff', 'hex').toString('latin1')), 0), { message: /\(size\)/ });
});
test('a size beyond 2^53 is refused', t => {
  t.throws(() => parseTarHeader(patched(124, Buffer.from('80ffffffffffffffffffffff', 'hex').toString('latin1')), 0), { message: /\(size\)/ });
});
test('letters in a number are refused', t => { t.throws(() => parseTarHeader(patched(108, '00000z7\0'), 0), { message: /\(uid\)/ }); });
test('an unknown type is refused', t => { t.throws(() => parseTarHeader(header({ flag: 'V' }), 0), { message: /entry type "V" is not supported/ }); });
for (const [flag, type] of [['0', 'file'], ['7', 'file'], ['1', 'hardlink'], ['2', 'symlink'], ['3', 'device'], ['4', 'device'], ['5', 'directory'], ['6', 'fifo'], ['x', 'pax'], ['g', 'pax-global'], ['L', 'long-name'], ['K', 'long-link'], ['S', 'old-sparse']] as const) {
  test(`type ${flag} is ${type}`, t => { t.is(parseTarHeader(header({ flag }), 0)?.type, type); });
}
for (const flag of ['\0', '0']) {
  test(`a file's name that ends in a slash is a directory: type ${JSON.stringify(flag)}`, t => { t.is(parseTarHeader(header({ flag, name: Buffer.from('d/') }), 0)?.type, 'directory'); });
}
test('star has times in the last bytes of the prefix', t => {
  const star = patched(345, `dir${'\0'.repeat(128)}00000000001 00000000001 `);
  star.write('tar\0', 508, 'latin1');
  star.write('        ', 148, 'latin1');
  star.write(`${star.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  t.is(parseTarHeader(star, 0)?.name, 'dir/a');
});
test('pairs of a sparse map become one record, and must take turns', t => {
  const record = (key: string, value: string): Buffer => paxRecord(key, Buffer.from(value));
  const [offset, length] = ['GNU.sparse.offset', 'GNU.sparse.numbytes'];
  t.is(parsePaxRecords(Buffer.concat([record(offset, '0'), record(length, '3'), record(offset, '9'), record(length, '1')])).get('GNU.sparse.map')?.toString(), '0,3,9,1');
  t.throws(() => parsePaxRecords(Buffer.concat([record(offset, '0'), record(offset, '3')])), { message: 'malformed PAX record' });
});
test('a PAX time before 1970 counts its fraction on from the second before', t => {
  t.deepEqual(parsePaxTime('-1.25'), { seconds: -2, nanoseconds: 750_000_000 });
  t.deepEqual(parsePaxTime('-0.5'), { seconds: -1, nanoseconds: 500_000_000 });
  t.deepEqual(parsePaxTime('-1.0'), { seconds: -1, nanoseconds: 0 });
});
test('any 512 bytes are a header, an end or a refusal', t => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 512, maxLength: 512 }), block => {
    try {
      const found = parseTarHeader(block, 0);
      return found === undefined || found.sizeBytes >= 0;
    } catch (error) {
      return error instanceof Error && error.name === 'ClusterError';
    }
  }));
  t.pass();
});
test('a mutated good header never yields a NUL in its name, a negative size or a set type bit in its mode', t => {
  fc.assert(fc.property(fc.nat(511), fc.nat(255), (at, byte) => {
    const block = Buffer.from(header({ name: Buffer.from('some/name'), size: 4 }));
    block.writeUInt8(byte, at);
    try {
      const found = parseTarHeader(block, 0);
      return found !== undefined && !found.name.includes('\0') && found.sizeBytes >= 0 && found.mode <= 0o7777;
    } catch (error) {
      return error instanceof Error && error.name === 'ClusterError';
    }
  }), { numRuns: 2000 });
  t.pass();
});

test('PAX records written are the records read', t => {
  const key = fc.string({ unit: fc.constantFrom('a', 'b', '.', 'Z'), minLength: 1, maxLength: 20 });
  fc.assert(fc.property(fc.uniqueArray(fc.tuple(key, fc.uint8Array({ maxLength: 2000 })), { selector: ([name]) => name }), records => {
    const parsed = parsePaxRecords(Buffer.concat(records.map(([name, value]) => paxRecord(name, value))));
    return parsed.size === records.length && records.every(([name, value]) => parsed.get(name)?.equals(value) === true);
  }));
  t.pass();
});
for (const [what, body] of [
  ['a length beyond the body', '99 a=b\n'], ['no length', 'a=b\n'], ['a zero length', '0 a=b\n'], ['no equals sign', '7 abcd\n'], ['no newline', '6 a=b.'],
  ['an equals sign beyond the record', '5 ab\n9 c=dddd\n'], ['a signed length', '+6 a=b\n'], ['a hexadecimal length', '0x6 a=b\n'],
] as const) {
  test(`PAX with ${what} is refused`, t => { t.throws(() => parsePaxRecords(Buffer.from(body)), { message: 'malformed PAX record' }); });
}
test('an empty PAX value is empty', t => { t.is(parsePaxRecords(Buffer.from('5 a=\n')).get('a')?.length, 0); });
test('PAX times have nanoseconds', t => { t.deepEqual(parsePaxTime('1700000000.5'), { seconds: 1_700_000_000, nanoseconds: 500_000_000 }); });
test('a PAX time that is none is refused', t => { t.throws(() => parsePaxTime('soon'), { message: 'PAX mtime "soon" is not a time' }); });
test('PAX numbers are decimal and safe', t => {
  t.is(parsePaxNumber('size', '12'), 12);
  for (const bad of ['', '-1', '1e3', '0x10', '99999999999999999']) t.throws(() => parsePaxNumber('size', bad), { message: /is not a number/ }, bad);
});
