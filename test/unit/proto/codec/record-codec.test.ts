import test from 'ava';
import { fc } from '../../../support/property.ts';
import * as records from '#codec/record-codec.ts';
import { RecordError } from '#codec/record-codec.ts';
import type { UnknownFields } from '#codec/wire.ts';
import type { Ledger } from '#model/node.ts';
import * as values from '../../../support/wire-arbitraries.ts';
import { golden } from '../../../support/golden-bytes.ts';

const KINDS: readonly (readonly [string, (value: never) => Uint8Array, (bytes: Uint8Array) => unknown, fc.Arbitrary<unknown>])[] = [
  ['app', records.encodeApp, records.decodeApp, values.app],
  ['revision', records.encodeRevision, records.decodeRevision, values.revision],
  ['service', records.encodeService, records.decodeService, values.service],
  ['service-status', records.encodeServiceStatus, records.decodeServiceStatus, values.serviceStatus],
  ['task', records.encodeTask, records.decodeTask, values.task],
  ['task-status', records.encodeTaskStatus, records.decodeTaskStatus, values.taskStatus],
  ['node', records.encodeNode, records.decodeNode, values.node],
  ['session', records.encodeSessionRecord, records.decodeSessionRecord, values.sessionRecord],
  ['namespace', records.encodeNamespace, records.decodeNamespace, values.namespace],
  ['volume', records.encodeVolume, records.decodeVolume, values.volume],
  ['removed-node', records.encodeRemovedNode, records.decodeRemovedNode, values.removedNode],
  ['controller', records.encodeControllerRecord, records.decodeControllerRecord, values.controllerRecord],
  ['ledger', records.encodeLedger, records.decodeLedger, values.ledger],
  ['secret', records.encodeSecretVersion, records.decodeSecretVersion, values.secretVersion],
  ['registry-login', records.encodeRegistryLogin, records.decodeRegistryLogin, values.registryLogin],
  ['event', records.encodeClusterEvent, records.decodeClusterEvent, values.event],
  ['join-token', records.encodeJoinTokenRecord, records.decodeJoinTokenRecord, values.joinToken],
  ['request', records.encodeRequestRecord, records.decodeRequestRecord, values.requestRecord],
  ['plan', records.encodePlanRecord, records.decodePlanRecord, values.planRecord],
  ['cluster-settings', records.encodeClusterSettings, records.decodeClusterSettings, values.clusterSettings],
];
/** Only for files that are missing: golden bytes were made once and stay. */
const GOLDEN_SEED = 7;

for (const [kind, encode, decode, anyValue] of KINDS) {
  test(`${kind}: a stored value reads back equal`, t => {
    fc.assert(fc.property(anyValue, value => { t.deepEqual(decode(encode(value as never)), value); }), { numRuns: 50 });
  });

  test(`${kind}: bytes an earlier program stored are read, and written the same`, t => {
    const old = golden(`records/${kind}.hex`, () => encode(fc.sample(anyValue, { numRuns: 1, seed: GOLDEN_SEED })[0] as never));
    t.deepEqual(encode(decode(old) as never), old);
  });

  test(`${kind}: damaged bytes throw RecordError and nothing else`, t => {
    fc.assert(fc.property(anyValue, fc.nat(), fc.integer({ min: 1, max: 255 }), (value, at, flip) => {
      const bytes = encode(value as never);
      const index = at % bytes.length;
      bytes[index] = (bytes[index] ?? 0) ^ flip;
      try {
        decode(bytes);
      } catch (error) {
        t.true(error instanceof RecordError);
      }
    }), { numRuns: 100 });
    t.pass();
  });
}

test('nothing, schema 0 and a newer schema are refused', t => {
  t.throws(() => records.decodeTask(new Uint8Array()), { instanceOf: RecordError, message: 'task record has schema 0, this program reads 1 to 1' });
  t.throws(() => records.decodeTask(new Uint8Array([0])), { instanceOf: RecordError });
  t.throws(() => records.decodeTask(new Uint8Array([records.SCHEMA + 1])), { instanceOf: RecordError, message: /schema 2/ });
});

test('20,000 nested groups are a damaged record, not a crash', t => {
  t.throws(() => records.decodeApp(new Uint8Array([records.SCHEMA, ...new Array<number>(20_000).fill(0x7b)])), { instanceOf: RecordError });
});

test('a number beyond 2^53 is a damaged record, not a rounded one', t => {
  // Field 4 (revision) of an App: varint of 2^60.
  const bytes = new Uint8Array([records.SCHEMA, 0x12, 1, 0x61, 0x1a, 1, 0x62, 0x20, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10]);
  t.throws(() => records.decodeApp(bytes), { instanceOf: RecordError, message: /MAX_SAFE_INTEGER/ });
});

test('a field of a newer program is kept', t => {
  const old = records.encodeLedger({ node: 'n1' as never, requests: { milliCpu: 1, memoryBytes: 2 }, hostPorts: [] });
  const newer = new Uint8Array([...old, 0xfa, 0x06, 1, 0x78]);
  const { _unknownFields: _, ...known } = records.decodeLedger(newer) as Ledger & UnknownFields;
  t.deepEqual(known, records.decodeLedger(old));
  t.deepEqual(records.encodeLedger(records.decodeLedger(newer)), newer);
});
