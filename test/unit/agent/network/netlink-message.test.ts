import test from 'ava';
import { attribute, addressAttribute, byteAttribute, decodeAnswers, encodeRequests, nested, numberAttribute, textAttribute } from '../../../../agent/network/netlink-message.ts';

test('a request has its length, type, flags and number; the next begins at a multiple of four', t => {
  const bytes = encodeRequests([{ what: 'a', type: 16, flags: 0x600, payload: Uint8Array.of(7) }, { what: 'b', type: 17, flags: 0, payload: Uint8Array.of() }]);
  t.deepEqual([...bytes], [
    17, 0, 0, 0, 16, 0, 5, 6, 1, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0,
    16, 0, 0, 0, 17, 0, 5, 0, 2, 0, 0, 0, 0, 0, 0, 0,
  ]);
});

test('attributes are padded, and their lengths do not count it', t => {
  t.deepEqual([...byteAttribute(33, 1)], [5, 0, 33, 0, 1, 0, 0, 0]);
  t.deepEqual([...textAttribute(3, 'lo')], [7, 0, 3, 0, 0x6c, 0x6f, 0, 0]);
  t.deepEqual([...numberAttribute(4, 1450)], [8, 0, 4, 0, 0xaa, 5, 0, 0]);
  t.deepEqual([...addressAttribute(2, '10.128.1.5')], [8, 0, 2, 0, 10, 128, 1, 5]);
  t.deepEqual([...nested(18, byteAttribute(33, 1), attribute(1, Uint8Array.of()))], [16, 0, 18, 0, 5, 0, 33, 0, 1, 0, 0, 0, 4, 0, 1, 0]);
});

test('answers: several in one datagram, errno as a positive number, other messages passed over, a cut one is the end', t => {
  const answer = (type: number, sequence: number, errno: number): Buffer => {
    const bytes = Buffer.alloc(36);
    bytes.writeUInt32LE(36, 0);
    bytes.writeUInt16LE(type, 4);
    bytes.writeUInt32LE(sequence, 8);
    bytes.writeInt32LE(-errno, 16);
    return bytes;
  };
  const datagram = Buffer.concat([answer(2, 1, 0), answer(16, 9, 1), answer(2, 2, 17), answer(2, 3, 1).subarray(0, 10)]);
  t.deepEqual(decodeAnswers(datagram), [{ sequence: 1, errno: 0 }, { sequence: 2, errno: 17 }]);
  t.deepEqual(decodeAnswers(Buffer.alloc(40)), []);
});
