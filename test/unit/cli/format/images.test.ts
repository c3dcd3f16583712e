import test from 'ava';
import { parseDigest } from '#model/digest.ts';
import { parseNodeId } from '#model/ids.ts';
import { formatSize, imageItem, imageTable, pullLines } from '../../../../cli/format/images.ts';
import type { ImageRow } from '../../../../cli/node-images.ts';

const MIB = 2 ** 20;
const DIGEST = parseDigest(`sha256:${'0123456789abcdef'.repeat(4)}`);
const N1 = parseNodeId('n1');
const ROW: ImageRow = {
  digest: DIGEST, names: ['r/web:1', 'r/web:2'], sizeBytes: 12.5 * MIB, layers: [{ digest: DIGEST, sizeBytes: 5, mediaType: 'm' }],
  config: { user: '', environment: [], entrypoint: [], command: [], workingDir: '/', stopSignal: '' },
  nodes: [{ node: N1, pulledAtMs: 0, usedAtMs: 60_000, tasks: ['abcdefghijkl' as never] }, { node: parseNodeId('n2'), pulledAtMs: 0, usedAtMs: 0, tasks: [] }],
};

test('a row a name', t => {
  t.deepEqual(imageTable([ROW], 120_000, false), {
    head: ['IMAGE', 'DIGEST', 'SIZE', 'LAYERS', 'TASKS', 'USED', 'NODES'],
    rows: ['r/web:1', 'r/web:2'].map(name => [name, '0123456789ab', '12.5 MiB', '1', '1', '1m ago', '2']),
  });
});
test('wide shows the digest whole and the nodes by name; an image without a name has a row too', t => {
  t.deepEqual(imageTable([{ ...ROW, names: [] }], 120_000, true).rows, [['', DIGEST, '12.5 MiB', '1', '1', '1m ago', 'n1,n2']]);
});
test('the JSON has times as text', t => {
  t.like(imageItem(ROW), { digest: DIGEST, names: ['r/web:1', 'r/web:2'], nodes: [{ node: 'n1', pulledAt: '1970-01-01T00:00:00.000Z', usedAt: '1970-01-01T00:01:00.000Z', tasks: ['abcdefghijkl'] }, { node: 'n2' }] });
});
test('sizes', t => {
  t.deepEqual([0, 1, MIB, 99.96 * MIB, 100 * MIB, 2048 * MIB].map(formatSize), ['0 MiB', '0.1 MiB', '1.0 MiB', '100.0 MiB', '100 MiB', '2048 MiB']);
});

const layer = (doneBytes: number, isComplete = false) => ({ digest: DIGEST, sizeBytes: 4 * MIB, doneBytes, isComplete });

test('a bar a layer, and one for the node', t => {
  t.deepEqual(pullLines([{ node: N1, layers: [layer(MIB), layer(4 * MIB), layer(4 * MIB, true)] }], 24), [
    'node/n1: [==================>     ]  75 % 9.0 MiB of 12.0 MiB',
    '  0123456789ab  [======>                 ]  25 % 1.0 MiB of 4.0 MiB',
    '  0123456789ab  [========================] 100 % unpacking',
    '  0123456789ab  [========================] 100 % complete',
  ]);
});
test('where layers do not fit there is a line a node, and never more than fit', t => {
  const pull = { node: N1, layers: [layer(MIB), layer(MIB)] };
  t.deepEqual(pullLines([pull, pull], 5).map(line => line.slice(0, 8)), ['node/n1:', 'node/n1:']);
  t.is(pullLines([pull, pull, pull], 2).length, 2);
});
test('before the manifest is known, and after the end', t => {
  t.deepEqual(pullLines([{ node: N1, layers: [] }, { node: N1, layers: [layer(1)], outcome: 'r/web:1 is there' }], 9), ['node/n1: asking the registry', 'node/n1: r/web:1 is there']);
});
