import test from 'ava';
import { MIRRORED_KINDS } from '../../../../controller/store/keys.ts';
import { encodeNode, encodeTask, MIRROR_DECODERS, RecordError } from '../../../../controller/store/records.ts';
import { node, service, task } from '../../../support/builders.ts';

test('every mirrored kind has its decoder, and no other kind has one', t => {
  t.deepEqual(Object.keys(MIRROR_DECODERS).sort(), [...MIRRORED_KINDS].sort());
});

test('a record comes back as it went in', t => {
  const one = task(service(), 'n1');
  t.deepEqual(MIRROR_DECODERS.task(encodeTask(one)), one);
  t.deepEqual(MIRROR_DECODERS.node(encodeNode(node('n1'))), node('n1'));
});

test('bytes that are no record are refused by every decoder', t => {
  for (const decode of Object.values(MIRROR_DECODERS)) {
    t.throws(() => decode(new Uint8Array([200, 1, 2, 3])), { instanceOf: RecordError });
    t.throws(() => decode(new Uint8Array()), { instanceOf: RecordError });
  }
});
