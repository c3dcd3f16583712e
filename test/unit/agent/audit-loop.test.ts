import test from 'ava';
import { AuditLoop } from '../../../agent/audit-loop.ts';
import { newRecord } from '../../../agent/task/record.ts';
import type { TaskRecord } from '../../../agent/task/record.ts';
import { service, task, taskId } from '../../support/builders.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { silentLogger } from '../../support/silent-logger.ts';

const LOOK_MS = 5_000;
const IDENTITY = { pid: 10, startTicks: 1 };
const RUNNING: TaskRecord = { ...newRecord(task(service(), 'n1', { id: taskId('web') }), 2, 'boot'), step: 'running', container: { container: IDENTITY, monitor: { pid: 11, startTicks: 1 } } };
const NAME = `gantry-${taskId('web')}-2`;
const STRAY = `gantry-${taskId('old')}-1`;

class Rig {
  readonly clock = new FakeClock();
  readonly done: string[] = [];
  readonly told: string[] = [];
  repairs: readonly string[] = [];
  isNetworkBroken = false;
  isInGroup = true;
  /** What the looks at the network found, by part. */
  readonly audited: (string | undefined)[] = [];
  found: readonly string[] = [NAME];

  async looks(count: number): Promise<void> {
    const ending = new AbortController();
    const act = (what: string): Promise<void> => { this.done.push(what); return Promise.resolve(); };
    const run = new AuditLoop({
      network: { audit: () => (this.isNetworkBroken ? Promise.reject(new Error('nft hangs')) : Promise.resolve(this.repairs)), clearAway: () => Promise.resolve() },
      proxy: { audit: () => Promise.resolve([]) },
      dns: { audit: () => Promise.resolve([]) },
      snapshots: { list: () => Promise.resolve(this.found), remove: id => act(`remove rootfs ${id}`) },
      cgroups: { holds: () => Promise.resolve(this.isInGroup), list: () => Promise.resolve(this.found), killAll: id => act(`kill group ${id}`), remove: id => act(`remove group ${id}`) },
      runtime: { isAlive: () => Promise.resolve(true), kill: id => act(`kill ${id}`) },
      heap: { trim: () => act('trim') },
      records: () => [RUNNING], node: { ensureNetwork: () => act('ensure'), audited: failure => { this.audited.push(failure?.part); } }, wakeTasks: () => { this.done.push('wake'); }, onRepaired: () => { this.done.push('again'); },
      tell: what => { this.told.push(what); }, clock: this.clock, log: silentLogger,
    }).run(ending.signal);
    for (let look = 0; look < count; look += 1) await this.clock.advance(LOOK_MS);
    ending.abort();
    await run;
  }
}

test('where all is as it should be a look wakes the tasks and gives memory back, and says nothing', async t => {
  const rig = new Rig();
  await rig.looks(2);
  t.deepEqual(rig.done, ['wake', 'ensure', 'trim', 'wake', 'ensure', 'trim']);
  t.deepEqual([rig.told, rig.audited], [[], [undefined, undefined]]);
});

test('a look that does not work leaves out none of the others', async t => {
  const rig = new Rig();
  rig.isNetworkBroken = true;
  rig.isInGroup = false;
  await rig.looks(1);
  t.deepEqual(rig.done, ['wake', 'ensure', `kill ${NAME}`, 'trim']);
  t.deepEqual(rig.audited, ['network']);
});

test('what was put back is told, and the endpoints are applied again', async t => {
  const rig = new Rig();
  rig.repairs = ['link v2'];
  await rig.looks(1);
  t.deepEqual(rig.done, ['wake', 'ensure', 'again', 'trim']);
  t.deepEqual(rig.told, ['link v2 was put back']);
});

test('what nobody claims goes at the second look in a row, not at the first', async t => {
  const first = new Rig();
  first.found = [NAME, STRAY];
  await first.looks(1);
  t.deepEqual(first.done, ['wake', 'ensure', 'trim']);
  const second = new Rig();
  second.found = [NAME, STRAY];
  await second.looks(2);
  t.deepEqual(second.done, ['wake', 'ensure', 'trim', 'wake', 'ensure', `kill group ${STRAY}`, `remove group ${STRAY}`, `remove rootfs ${STRAY}`, 'trim']);
});
