import test from 'ava';
import type { ExecutionContext } from 'ava';
import { ListeningLoop, portsOfTasks } from '../../../agent/listening-loop.ts';
import type { TaskRecord } from '../../../agent/task/record.ts';
import { containerTask } from '../../support/container-task.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { silentLogger } from '../../support/silent-logger.ts';

interface Rig {
  readonly clock: FakeClock;
  readonly loop: ListeningLoop;
  readonly reports: (readonly string[])[];
  now: readonly string[] | Error;
}

async function started(t: ExecutionContext, first: readonly string[]): Promise<Rig> {
  const clock = new FakeClock();
  const reports: (readonly string[])[] = [];
  const rig: Rig = {
    clock, reports, now: first,
    loop: new ListeningLoop({
      read: () => (rig.now instanceof Error ? Promise.reject(rig.now) : Promise.resolve(rig.now)), records: () => [], clock, log: silentLogger, report: ports => { reports.push(ports); },
    }),
  };
  await rig.loop.start();
  const stopping = new AbortController();
  const running = rig.loop.run(stopping.signal).catch(() => { /* it ends with the signal */ });
  t.teardown(async () => { stopping.abort(new Error('over')); await running; });
  return rig;
}

test('the first registration has the ports of the start', async t => {
  const rig = await started(t, ['tcp/22']);
  t.deepEqual(rig.loop.ports, ['tcp/22']);
  await rig.clock.advance(60_000);
  t.deepEqual(rig.reports, []);
});

test('a change is reported once two polls agree, and only once', async t => {
  const rig = await started(t, ['tcp/22']);
  rig.now = ['tcp/22', 'tcp/8080'];
  await rig.clock.advance(5_000);
  t.deepEqual(rig.reports, []);
  await rig.clock.advance(20_000);
  t.deepEqual(rig.reports, [['tcp/22', 'tcp/8080']]);
  rig.now = ['tcp/22'];
  await rig.clock.advance(20_000);
  t.deepEqual(rig.reports.slice(1), [['tcp/22']]);
  t.deepEqual(rig.loop.ports, ['tcp/22']);
});

test('tables that cannot be read are no change', async t => {
  const rig = await started(t, ['tcp/22']);
  rig.now = Object.assign(new Error('EMFILE'), { code: 'EMFILE' });
  await rig.clock.advance(30_000);
  t.deepEqual(rig.reports, []);
  t.deepEqual(rig.loop.ports, ['tcp/22']);
});

test('declared ports of tasks on the network of the machine are theirs; other tasks have none there', t => {
  const ports = [{ published: 9_100, target: 9_101, protocol: 'tcp' as const, mode: 'host' as const, allowFrom: [] }];
  const record = (hostNamespaces: readonly 'network'[]): TaskRecord => {
    const task = containerTask({ ports });
    return { task: { ...task, container: { ...task.container, security: { ...task.container.security, hostNamespaces } } } } as unknown as TaskRecord;
  };
  t.deepEqual([...portsOfTasks([record(['network'])])].sort(), ['tcp/9100', 'tcp/9101']);
  t.deepEqual([...portsOfTasks([record([])])], []);
});
