import test from 'ava';
import { writeOnce } from '../../../../controller/api/write-once-flow.ts';
import type { WriteDraft } from '../../../../controller/api/write-once-flow.ts';
import { buildKey } from '../../../../controller/store/keys.ts';
import { settle } from '../../../support/fake-clock.ts';
import { MemoryReplica, requestId } from '../../../support/memory-replica.ts';

const KEY = buildKey({ kind: 'blob', namespace: 'default', sha256: 'a'.repeat(64) });
const ID = requestId(1);
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
  const never = writeOnce(requestId(2), parts, () => draft(1, [{ kind: 'mod-revision', key: KEY, revision: 99 }]), signal);
  t.like(await t.throwsAsync(never), { code: 'CONFLICT' });
  t.deepEqual(etcd.read(KEY)?.value, Uint8Array.of(3));
});

test('nothing to write leaves no record', async t => {
  const { parts, signal, etcd } = await MemoryReplica.start(t);
  const before = etcd.etcdRevision;
  t.deepEqual(await writeOnce(ID, parts, () => ({ compares: [], operations: [], outcome: { kind: 'done' } }), signal), { kind: 'done' });
  t.is(etcd.etcdRevision, before);
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
  for (const id of ['', 'x', ID.replace('8', 'A'), `${ID}0`, '../../leader']) {
    t.like(await t.throwsAsync(writeOnce(id, parts, () => draft(1), signal)), { code: 'INVALID_ARGUMENT' });
  }
});

test('what the draft throws is the answer, and nothing is written', async t => {
  const { parts, signal, etcd } = await MemoryReplica.start(t);
  const before = etcd.etcdRevision;
  await t.throwsAsync(writeOnce(ID, parts, () => { throw new Error('no'); }, signal), { message: 'no' });
  t.is(etcd.etcdRevision, before);
});
