import test from 'ava';
import type { Task } from '#model/task.ts';
import { EMPTY_DESIRED_SET } from '../../../../agent/assignment.ts';
import { newRecord } from '../../../../agent/task/record.ts';
import type { TaskRecord } from '../../../../agent/task/record.ts';
import { VolumeRemovalLoop } from '../../../../agent/volume/removal-loop.ts';
import { service, task } from '../../../support/builders.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { silentLogger } from '../../../support/silent-logger.ts';

const db = service({ volumes: [{ name: 'data', perReplica: false }], container: { volumes: [{ kind: 'volume', source: 'data', target: '/d', readOnly: false }] } });
const user = task(db, 'n1');
const running: TaskRecord = { ...newRecord(user, 1, 'b'), step: 'running' };

class Rig {
  readonly clock = new FakeClock();
  readonly deleted: string[] = [];
  records: readonly TaskRecord[] | undefined = [];
  failures = 0;
  readonly newest = new Map<string, number>();
  told = 0;
  readonly stopping = new AbortController();
  readonly loop = new VolumeRemovalLoop({
    volumes: {
      newestUser: name => Promise.resolve(this.newest.get(name)),
      removeData: name => {
        this.failures -= 1;
        if (this.failures >= 0) return Promise.reject(new Error('busy'));
        this.deleted.push(name);
        return Promise.resolve();
      },
    },
    records: () => this.records, clock: this.clock, log: silentLogger, onAnswer: () => { this.told += 1; },
  });
  readonly run = this.loop.run(this.stopping.signal);

  /** Data of tasks up to fence 5. */
  async desire(volumes: readonly string[], ...tasks: readonly Task[]): Promise<void> {
    this.loop.desire({ ...EMPTY_DESIRED_SET, tasks: new Map(tasks.map(one => [one.id, one])), volumeRemovals: volumes.map(name => ({ name, fence: 5 })) });
    await this.clock.advance(0);
  }

  async end(): Promise<void> {
    this.stopping.abort();
    await this.run;
  }
}

test('nothing is deleted that the assignment does not name', async t => {
  const rig = new Rig();
  await rig.desire([]);
  await rig.clock.advance(60_000);
  t.deepEqual([rig.deleted, rig.loop.answers.removedVolumes], [[], []]);
  await rig.end();
});
test('what it names is deleted once, and told until it names it no more', async t => {
  const rig = new Rig();
  await rig.desire(['default/data']);
  await rig.desire(['default/data', 'default/logs']);
  await rig.clock.advance(10_000);
  t.deepEqual([rig.deleted, rig.loop.answers.removedVolumes, rig.told], [['default/data', 'default/logs'], ['default/data', 'default/logs'], 2]);
  await rig.desire(['default/logs']);
  t.deepEqual(rig.loop.answers.removedVolumes, ['default/logs']);
  await rig.desire([]);
  await rig.desire(['default/data']);
  t.deepEqual(rig.deleted, ['default/data', 'default/logs', 'default/data'], 'named again, it is deleted again');
  await rig.end();
});
test('it waits for the last task that uses it, and for the tasks to be known', async t => {
  const rig = new Rig();
  rig.records = undefined;
  await rig.desire(['default/data']);
  await rig.clock.advance(5_000);
  rig.records = [running];
  await rig.clock.advance(5_000);
  t.deepEqual(rig.deleted, []);
  rig.records = [{ ...running, step: 'finished' }];
  await rig.clock.advance(1_000);
  t.deepEqual(rig.deleted, ['default/data']);
  await rig.end();
});
test('one that a task uses again is not gone', async t => {
  const rig = new Rig();
  await rig.desire(['default/data']);
  await rig.desire(['default/data'], user);
  t.deepEqual(rig.loop.answers.removedVolumes, []);
  await rig.desire(['default/data']);
  t.deepEqual(rig.deleted, ['default/data', 'default/data']);
  await rig.end();
});
test('what fails is tried again', async t => {
  const rig = new Rig();
  rig.failures = 2;
  await rig.desire(['default/data']);
  t.deepEqual(rig.loop.answers.removedVolumes, []);
  await rig.clock.advance(20_000);
  t.deepEqual([rig.deleted, rig.loop.answers.removedVolumes], [['default/data'], ['default/data']]);
  await rig.end();
});
test('data that a newer task wrote than was given up stays, and that is said; what was given up with it goes', async t => {
  const rig = new Rig();
  rig.newest.set('default/data', 6).set('default/logs', 5);
  await rig.desire(['default/data', 'default/logs']);
  await rig.clock.advance(10_000);
  t.deepEqual([rig.deleted, rig.loop.answers, rig.told], [['default/logs'], { removedVolumes: ['default/logs'], keptVolumes: [{ name: 'default/data', fence: 6 }] }, 2]);
  await rig.desire([]);
  t.deepEqual(rig.loop.answers, { removedVolumes: [], keptVolumes: [] });
  rig.newest.set('default/data', 5);
  await rig.desire(['default/data']);
  t.deepEqual(rig.deleted, ['default/logs', 'default/data'], 'given up since, it goes');
  await rig.end();
});
