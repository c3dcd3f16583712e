import test from 'ava';
import { decodeVolume } from '#codec/record-codec.ts';
import { planTransactions } from '../../../../controller/reconcile/transactions.ts';
import type { Action } from '../../../../controller/reconcile/plan.ts';
import { buildKey, volumeKey } from '../../../../controller/store/keys.ts';
import { decodeLedger, decodeService, decodeTask } from '../../../../controller/store/records.ts';
import { requireTransactable } from '../../../../controller/store/transaction-limits.ts';
import { node, service, snapshot, status, task, taskId, T0, volume } from '../../../support/builders.ts';

const [n1, n2] = [node('n1'), node('n2')];
const web = service();
const old = task(web, n1, { id: taskId('old') });
const current = snapshot({ nodes: [n1, n2], services: [web], tasks: [old] });
const input = { snapshot: current, epoch: 9, nowMs: T0 };
const create = (id: string, on = n1): Action => ({ kind: 'create-task', task: task(web, on, { id: taskId(id) }), reason: 'scale-up' });
const stop: Action = { kind: 'stop-task', taskId: old.id, reason: 'rollout' };

test('no action is no transaction', t => {
  t.deepEqual(planTransactions([], input), []);
});

test('each transaction compares the epoch, and each record once at the revision of the snapshot', t => {
  const [transaction] = planTransactions([stop, create('a'), create('b', n2)], input);
  const compares = transaction!.compares;
  t.deepEqual(compares[0], { kind: 'create-revision', key: '/gantry/v1/leader', revision: 9 });
  t.is(new Set(compares.map(compare => compare.key)).size, compares.length);
  for (const key of [{ kind: 'service', id: web.id }, { kind: 'node', id: n1.id }, { kind: 'node', id: n2.id }, { kind: 'task', id: old.id }] as const) {
    t.true(compares.some(compare => compare.key === buildKey(key) && compare.revision > 0), key.kind);
  }
  for (const key of [{ kind: 'ledger', id: n1.id }, { kind: 'ledger', id: n2.id }, { kind: 'task', id: taskId('a') }] as const) {
    t.true(compares.some(compare => compare.key === buildKey(key) && compare.revision === 0), key.kind);
  }
});

test('actions keep their order; ledgers come last, one a node', t => {
  const [transaction] = planTransactions([stop, create('a'), create('b')], input);
  t.deepEqual(transaction!.operations.map(operation => operation.key), [
    buildKey({ kind: 'task', id: old.id }), buildKey({ kind: 'task', id: taskId('a') }), buildKey({ kind: 'task', id: taskId('b') }), buildKey({ kind: 'ledger', id: n1.id }),
  ]);
});

test('many actions are as few transactions as the limits let be; a later ledger has what earlier ones placed', t => {
  const ids = Array.from({ length: 250 }, (_, index) => `t${String.fromCharCode(97 + Math.floor(index / 26), 97 + (index % 26))}`);
  const transactions = planTransactions(ids.map((id, index) => create(id, index % 2 === 0 ? n1 : n2)), input);
  // Two ledgers and, compared, the leader, the service, its namespace and two nodes leave room for 113 tasks.
  t.deepEqual(transactions.map(({ operations }) => operations.length), [115, 115, 26]);
  for (const { compares, operations } of transactions) {
    t.notThrows(() => { requireTransactable(compares, operations); });
  }
  const promised = transactions.map(({ operations }) => operations.flatMap(one => (one.kind === 'put' && one.key.includes('/ledgers/') ? [decodeLedger(one.value).requests.milliCpu] : [])).reduce((sum, one) => sum + one, 0));
  const each = web.spec.container.requests.milliCpu;
  t.deepEqual(promised, [114 * each, 227 * each, 251 * each], 'with the task that was there');
});

test('a plan about a record that the snapshot has not is a bug', t => {
  t.throws(() => planTransactions([{ kind: 'stop-task', taskId: taskId('gone'), reason: 'x' }], input), { message: /stop-task/ });
});

test('a run of a cron is written only where there is none, while its App and its cron are as they were', t => {
  const run = { ...service({ name: 'report-1', kind: 'job' }), cronRun: { cron: web.name, scheduledAtMs: T0, isManual: false } };
  const [transaction] = planTransactions([{ kind: 'create-service', service: run, reason: 'schedule' }], input);
  t.deepEqual(transaction!.compares.slice(1), [
    { kind: 'mod-revision', key: buildKey({ kind: 'service', id: run.id }), revision: 0 },
    { kind: 'mod-revision', key: '/gantry/v1/apps/default/shop', revision: 20 },
    { kind: 'mod-revision', key: buildKey({ kind: 'service', id: web.id }), revision: 20 },
  ]);
});

test('a service that is to go is marked, as it was read', t => {
  const [transaction] = planTransactions([{ kind: 'delete-service', serviceId: web.id, reason: 'history' }], input);
  t.deepEqual(transaction!.compares.slice(1), [{ kind: 'mod-revision', key: buildKey({ kind: 'service', id: web.id }), revision: 20 }]);
  const [operation] = transaction!.operations;
  t.true(operation?.kind === 'put' && decodeService(operation.value).isDeleting);
});

test('a stop that was decided from what its slot reports compares that; one that comes in any case does not', t => {
  const [next, other] = [task(web, n2, { id: taskId('new') }), task(web, n2, { id: taskId('other'), slot: 1 })];
  const state = snapshot({ nodes: [n1, n2], services: [web], tasks: [old, next, other], statuses: [status(old), status(other)] });
  const compared = (reason: string): readonly string[] => planTransactions([{ kind: 'stop-task', taskId: old.id, reason }], { ...input, snapshot: state })
    .flatMap(({ compares }) => compares.filter(({ key }) => key.includes('/status/')).map(({ key, revision }) => `${key.split('/').pop() ?? ''} ${String(revision > 0)}`));
  t.deepEqual(compared('rollout').toSorted(), [`${next.id} false`, `${old.id} true`]);
  t.deepEqual(compared('scale-down'), []);
});

test('a task is made only under the policy of its namespace that its quota was read from', t => {
  const key = buildKey({ kind: 'namespace', name: web.namespace });
  const compared = (unreadableNamespaces: readonly string[]): readonly number[] =>
    planTransactions([create('a')], { ...input, snapshot: { ...current, unreadableNamespaces: new Set(unreadableNamespaces) } }).flatMap(({ compares }) => compares.filter(one => one.key === key).map(({ revision }) => revision));
  t.deepEqual(compared([]), [0]);
  t.deepEqual(compared([web.namespace]), [], 'one that cannot be read limits nothing');
});

test('a move that is taken back is the record without the wish', t => {
  const moved = { ...old, moveTo: n2.id };
  const [transaction] = planTransactions([{ kind: 'cancel-move', taskId: old.id, reason: 'no room' }], { ...input, snapshot: snapshot({ nodes: [n1, n2], services: [web], tasks: [moved] }) });
  const [operation] = transaction!.operations;
  t.deepEqual(transaction!.operations.length, 1);
  t.deepEqual(operation?.kind === 'put' ? decodeTask(operation.value) : undefined, old);
});

test('a task of a job is made only while those of its slot that were given up have told no more than was read', t => {
  const job = service({ name: 'report', kind: 'job' });
  const of = (id: string, slot = 0) => task(job, n1, { id: taskId(id), slot, desired: 'stop', reason: 'node-lost' });
  const [silent, running, ended, other] = [of('silent'), of('running'), of('ended'), of('other', 1)];
  const state = snapshot({ nodes: [n1, n2], services: [job, web], tasks: [silent, running, ended, other], statuses: [status(running), status(ended, { phase: 'failed' })] });
  const compared = (made: Action): readonly string[] => planTransactions([made], { ...input, snapshot: state })
    .flatMap(({ compares }) => compares.filter(({ key }) => key.includes('/status/')).map(({ key, revision }) => `${key.split('/').pop() ?? ''} ${String(revision > 0)}`));
  t.deepEqual(compared({ kind: 'create-task', task: task(job, n2, { id: taskId('new') }), reason: 'node-lost' }).toSorted(), [`${running.id} true`, `${silent.id} false`]);
  t.deepEqual(compared(create('a')), []);
});

test('a task comes with the records of its volumes, and only while these are as they were: data that is given up meanwhile is no place for it', t => {
  const known = volume('n1', { fence: 4 });
  const born: Action = { kind: 'create-task', task: task(web, n1, { id: taskId('a') }), volumes: [{ ...known, fence: 100 }, volume('n1', { name: 'logs' })], reason: 'scale-up' };
  const [transaction] = planTransactions([born], { ...input, snapshot: snapshot({ nodes: [n1], services: [web], volumes: [known] }) });
  const key = buildKey(volumeKey(known));
  t.deepEqual(transaction!.compares.filter(compare => compare.key.includes('/volumes/')).map(({ key: of, revision }) => [of, revision]), [[key, 20], ['/gantry/v1/volumes/default/logs/n1', 0]]);
  const written = transaction!.operations.find(operation => operation.key === key);
  t.is(written?.kind === 'put' ? decodeVolume(written.value).fence : undefined, 100);
});

test('a volume\'s record is rewritten and removed as it was read', t => {
  const known = volume('n1');
  const [transaction] = planTransactions([{ kind: 'put-volume', volume: { ...known, unusedSinceMs: T0 }, reason: 'unused' }, { kind: 'remove-volume', volume: volume('n2'), reason: 'node-removed' }], { ...input, snapshot: snapshot({ volumes: [known] }) });
  t.deepEqual(transaction!.compares.slice(1).map(({ revision }) => revision), [20, 0]);
  t.deepEqual(transaction!.operations.map(({ kind, key }) => [kind, key]), [['put', '/gantry/v1/volumes/default/data/n1'], ['delete', '/gantry/v1/volumes/default/data/n2']]);
});
