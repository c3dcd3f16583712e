import test from 'ava';
import { serviceId } from '#model/ids.ts';
import { writeOnce } from '../../../../controller/api/write-once-flow.ts';
import type { Write, WriteDraft } from '../../../../controller/api/write-once-flow.ts';
import { buildKey } from '../../../../controller/store/keys.ts';
import { encodeRequestRecord } from '../../../../controller/store/records.ts';
import { settle } from '../../../support/fake-clock.ts';
import { MemoryReplica, requestId } from '../../../support/memory-replica.ts';

const KEY = buildKey({ kind: 'blob', namespace: 'default', sha256: 'a'.repeat(64) });
const write = (id: string, replicas = 1): Write => ({ rpc: 'scale', request: { requestId: id, service: serviceId('default', 'shop', 'web'), replicas } });
const ID = write(requestId(1));
const draft = (version: number, compares: WriteDraft['compares'] = []): WriteDraft =>
  ({ compares, operations: [{ kind: 'put', key: KEY, value: Uint8Array.of(version) }], outcome: { kind: 'secret', version } });

test('repeated, it answers what it answered and drafts nothing', async t => {
  const { parts, etcd, signal } = await MemoryReplica.start(t);
  t.deepEqual(await writeOnce(ID, parts, () => draft(1), signal), { kind: 'secret', version: 1 });
  t.deepEqual(await writeOnce(ID, parts, () => t.fail('drafted again'), signal), { kind: 'secret', version: 1 });
  t.deepEqual(etcd.read(KEY)?.value, Uint8Array.of(1));
});

test('what a write sets off leaves before its answer', async t => {
  const replica = await MemoryReplica.start(t);
  const turned = Promise.withResolvers<undefined>();
  replica.clock.turn = async () => { await turned.promise; };
  let isAnswered = false;
  const writing = writeOnce(ID, replica.parts, () => draft(1), replica.signal).then(() => { isAnswered = true; });
  await settle();
  t.true(replica.state.current.etcdRevision >= (replica.etcd.read(KEY)?.modRevision ?? Infinity));
  t.false(isAnswered);
  turned.resolve(undefined);
  await writing;
});

test('an answer that was lost is read back: landed once', async t => {
  const replica = await MemoryReplica.start(t);
  const { parts } = replica;
  await parts.requestLease.id();
  replica.store.swallowAnswers = 1;
  let drafts = 0;
  t.deepEqual(await writeOnce(ID, parts, () => draft(drafts += 1), replica.signal), { kind: 'secret', version: 1 });
  t.is(drafts, 1);
});

test('a write that was lost is written again', async t => {
  const replica = await MemoryReplica.start(t);
  replica.store.swallowWrites = 1;
  let drafts = 0;
  t.deepEqual(await writeOnce(ID, replica.parts, () => draft(drafts += 1), replica.signal), { kind: 'secret', version: 2 });
  t.deepEqual(replica.etcd.read(KEY)?.value, Uint8Array.of(2));
});

test('another write in between makes a new draft; without an end it is CONFLICT', async t => {
  const { parts, signal, etcd } = await MemoryReplica.start(t);
  let drafts = 0;
  const outcome = await writeOnce(ID, parts, () => {
    drafts += 1;
    return draft(drafts, [{ kind: 'mod-revision', key: KEY, revision: drafts === 3 ? 0 : 99 }]);
  }, signal);
  t.deepEqual(outcome, { kind: 'secret', version: 3 });
  const never = writeOnce(write(requestId(2)), parts, () => draft(1, [{ kind: 'mod-revision', key: KEY, revision: 99 }]), signal);
  t.like(await t.throwsAsync(never), { code: 'CONFLICT' });
  t.deepEqual(etcd.read(KEY)?.value, Uint8Array.of(3));
});

test('nothing to change: the answer stays the same when there is something later', async t => {
  const { parts, signal, etcd } = await MemoryReplica.start(t);
  t.deepEqual(await writeOnce(ID, parts, () => ({ compares: [], operations: [], outcome: { kind: 'secret', version: 7 } }), signal), { kind: 'secret', version: 7 });
  t.deepEqual(await writeOnce(ID, parts, () => t.fail('drafted again'), signal), { kind: 'secret', version: 7 });
  t.is(etcd.read(KEY), undefined);
});

test('the id of another request is refused, and nothing is drafted', async t => {
  const { parts, signal } = await MemoryReplica.start(t);
  await writeOnce(ID, parts, () => draft(1), signal);
  const other = writeOnce(write(requestId(1), 2), parts, () => t.fail('drafted'), signal);
  t.like(await t.throwsAsync(other, { message: `request id ${requestId(1)}: another request was made with it; send this one with a new id` }), { code: 'ALREADY_EXISTS' });
});

test('an id with a record of an older controller, which has no fingerprint, gets its answer', async t => {
  const replica = await MemoryReplica.start(t);
  await replica.put({ kind: 'request', id: requestId(1) }, encodeRequestRecord({ requestId: requestId(1), createdAtMs: 1, fingerprint: new Uint8Array(), outcome: { kind: 'done' } }));
  t.deepEqual(await writeOnce(ID, replica.parts, () => t.fail('drafted'), replica.signal), { kind: 'done' });
});

test('the first retry is immediate; the pauses after it are random and grow, for at most 20 s in all', async t => {
  const replica = await MemoryReplica.start(t);
  const parts = { ...replica.parts, random: () => 0.5 };
  await parts.requestLease.id();
  const pauses: number[] = [];
  replica.clock.sleep = async ms => { pauses.push(ms); replica.clock.stall(ms); await Promise.resolve(); };
  const never = writeOnce(ID, parts, () => draft(1, [{ kind: 'mod-revision', key: KEY, revision: 99 }]), replica.signal);
  t.like(await t.throwsAsync(never), { code: 'CONFLICT' });
  t.deepEqual(pauses.slice(0, 4), [3, 5, 10, 20]);
  const totalMs = pauses.reduce((sum, ms) => sum + ms, 0);
  t.true(totalMs > 15_000 && totalMs <= 20_100, String(totalMs));
});

test('nothing to write because another replica carried out the same request meanwhile: its answer', async t => {
  const { parts, signal } = await MemoryReplica.start(t);
  const outcome = await writeOnce(ID, parts, async () => {
    await writeOnce(ID, parts, () => draft(1), signal);
    return { compares: [], operations: [], outcome: { kind: 'done' } };
  }, signal);
  t.deepEqual(outcome, { kind: 'secret', version: 1 });
});

test('a request id is a UUID in lower case', async t => {
  const { parts, signal } = await MemoryReplica.start(t);
  for (const id of ['', 'x', requestId(1).replace('8', 'A'), `${requestId(1)}0`, '../../leader']) {
    t.like(await t.throwsAsync(writeOnce(write(id), parts, () => draft(1), signal)), { code: 'INVALID_ARGUMENT' });
  }
});

test('what the draft throws is the answer, and nothing is written', async t => {
  const { parts, signal, etcd } = await MemoryReplica.start(t);
  const before = etcd.etcdRevision;
  await t.throwsAsync(writeOnce(ID, parts, () => { throw new Error('no'); }, signal), { message: 'no' });
  t.is(etcd.etcdRevision, before);
});
