import test from 'ava';
import { DevCluster, eventually } from '../support/dev-cluster.ts';
import type { Item } from '../support/dev-cluster.ts';
import { signalUntil } from '../support/node-faults.ts';
import { settleNodes } from '../support/node-leftovers.ts';
import { shellApp as app } from '../support/shell-app.ts';

/** The time of an end is a file's, which is up to a timer tick behind the clock. */
const FILE_CLOCK_LAG_MS = 10;

let cluster: DevCluster;

test.before(async () => { cluster = await DevCluster.up(); });

test.after.always(async t => { t.deepEqual(await cluster.down(), []); });

test.serial('a killed process is started again in place at once, and its end is told (root)', async t => {
  await cluster.apply(app('one', { web: { run: 'exec sleep 1000' } }), '--wait');
  const [before] = await cluster.tasks('one/web');
  process.kill(Number(before?.['pid']), 'SIGKILL');
  const after = await eventually('the next attempt', 60_000, async () => (await cluster.tasks('one/web')).find(task => task['attempt'] === 2 && task['state'] === 'running'));
  t.like(after, { id: before?.['id'], address: before?.['address'], restarts: 1, exitCode: 137, lastExit: { code: 137, reason: 'signal:KILL' } });
  const gapMs = Date.parse(String(after['startedAt'])) - Date.parse(String((after['lastExit'] as Item)['finishedAt']));
  t.true(gapMs >= 0 && gapMs < 5_000, `${String(gapMs)} ms`); // a tenth of a second where nothing else runs: npm run bench -- memory
  t.regex(await cluster.ctl('describe', `task/${String(after['id'])}`), /reason: signal:KILL/);
  for (const told of [/Exited .*exit code 137, signal:KILL/, /Restarted .*attempt 2 runs/]) {
    await eventually(`describe to tell ${String(told)}`, 60_000, async () => told.test(await cluster.ctl('describe', `task/${String(after['id'])}`)));
    await eventually(`events to tell ${String(told)}`, 60_000, async () => told.test(await cluster.ctl('events')));
  }
});

test.serial('exit codes are told as they were, by ps and by describe', async t => {
  const never = ['kind: job', 'job: { retries: 0 }'];
  await cluster.apply(app('codes', {
    zero: { run: 'exit 0', more: never },
    seven: { run: 'exit 7', more: never },
    killed: { run: 'exit 137', more: never },
    signalled: { run: 'exec sleep 1000', more: ['init: true', ...never] },
  }));
  await eventually('the sleeper', 60_000, async () => (await cluster.tasks('codes/signalled')).some(task => task['state'] === 'running'));
  const [sleeper] = await cluster.tasks('codes/signalled');
  // It may still be the shell.
  await eventually('a sleep to end', 60_000, async () => (await cluster.tryCtl('exec', `task/${String(sleeper?.['id'])}`, '--', 'killall', '-TERM', 'sleep')).exitCode === 0);
  const ended = await eventually('four ends', 60_000, async () => {
    const tasks = (await cluster.items('ps', '-a')).filter(task => task['app'] === 'codes' && ['complete', 'failed'].includes(String(task['state'])));
    return tasks.length === 4 && tasks;
  });
  t.deepEqual(Object.fromEntries(ended.map(task => [String(task['service']), [task['state'], task['exitCode']]])), {
    zero: ['complete', 0], seven: ['failed', 7], killed: ['failed', 137], signalled: ['failed', 143],
  });
  for (const task of ended) {
    const described = JSON.parse(await cluster.ctl('describe', `task/${String(task['id'])}`, '-o', 'json')) as Item;
    t.is(described['exitCode'], task['exitCode']);
  }
});

test.serial('an exit while the agent is dead is told as it was', async t => {
  const onN1 = ['placement: { require: ["node == n1"] }', 'restart: { policy: never }'];
  await cluster.apply(app('away', { web: { run: 'trap "exit 7" USR1; while true; do sleep 0.1; done', more: onN1 } }), '--wait');
  const [task] = await cluster.tasks('away/web');
  await cluster.ctl('dev', 'kill', '--name', cluster.name, 'n1');
  await signalUntil(Number(task?.['pid']), 'SIGUSR1', 'the process to end', () => !isAlive(Number(task?.['pid'])));
  await cluster.ctl('dev', 'start', '--name', cluster.name, 'n1');
  const ended = await eventually('the end to be told', 60_000, async () => (await cluster.items('ps', '-a')).find(one => one['id'] === task?.['id'] && one['state'] === 'failed'));
  t.like(ended, { exitCode: 7, lastExit: { code: 7, reason: 'exited' } });
});

test.serial('restart policies: what ends well, what fails, what is begun again', async t => {
  await cluster.apply(app('policies', {
    done: { run: 'exit 0', more: ['restart: { policy: on-failure }'] },
    tried: { run: 'exit 3', more: ['restart: { policy: on-failure, max_attempts: 1, delay: 100ms }'] },
    once: { run: 'exit 4', more: ['restart: { policy: never }'] },
    again: { run: 'sleep 0.2; exit 0', more: ['restart: { policy: always, max_attempts: 50, delay: 10ms }'] },
  }));
  const first = async (service: string): Promise<Item | undefined> => (await cluster.items('ps', '-a')).filter(task => task['app'] === 'policies' && task['service'] === service)
    .toSorted((left, right) => (String(left['createdAt']) < String(right['createdAt']) ? -1 : 1))[0];
  t.like(await eventually('done', 60_000, async () => { const task = await first('done'); return task?.['state'] === 'complete' && task; }), { exitCode: 0, restarts: 0 });
  t.like(await eventually('once', 60_000, async () => { const task = await first('once'); return task?.['state'] === 'failed' && task; }), { exitCode: 4, restarts: 0 });
  t.like(await eventually('tried', 60_000, async () => { const task = await first('tried'); return task?.['state'] === 'failed' && task; }), { exitCode: 3, restarts: 1, reason: 'crash-loop' });
  t.like(await eventually('again', 60_000, async () => { const task = await first('again'); return Number(task?.['restarts']) >= 3 && task; }), { exitCode: 0 });
  const oldest = (await first('tried'))?.['id'];
  await eventually('a new task after the crash loop', 60_000, async () => (
    (await cluster.items('ps', '-a')).some(task => task['app'] === 'policies' && task['service'] === 'tried' && task['id'] !== oldest)
  ));
  t.true((await cluster.items('ps', '-a')).filter(task => task['service'] === 'done').length === 1, 'what completed is not begun again');
  await cluster.ctl('delete', 'app/policies');
});

test.serial('apply --wait ends with a job: complete, failed, out of time', async t => {
  const good = await cluster.tryApply(app('good', { job: { run: 'sleep 0.5; exit 0', more: ['kind: job'] } }), '--wait');
  t.is(good.exitCode, 0, good.stderr);
  const bad = await cluster.tryApply(app('bad', { job: { run: 'exit 9', more: ['kind: job', 'job: { retries: 1 }'] } }), '--wait');
  t.is(bad.exitCode, 1);
  t.regex(bad.stderr, /exit code 9/);
  t.is((await cluster.items('ps', '-a')).filter(task => task['app'] === 'bad').length, 2, 'a retry is a new task');
  const late = await cluster.tryApply(app('late', { job: { run: 'exec sleep 1000', more: ['kind: job', 'init: true', 'job: { retries: 0, timeout: 1s }'] } }), '--wait');
  t.is(late.exitCode, 1);
  const [task] = (await cluster.items('ps', '-a')).filter(one => one['app'] === 'late');
  t.like(task, { state: 'failed', lastExit: { reason: 'timeout' } });
  const ranMs = Date.parse(String(task?.['finishedAt'])) - Date.parse(String(task?.['startedAt']));
  t.true(ranMs >= 1_000 - FILE_CLOCK_LAG_MS, `${String(ranMs)} ms`);
});

test.serial('depends_on: started, healthy, completed; each before its dependent', async t => {
  const health = 'healthcheck: { tcp: { port: 80 }, interval: 1s, timeout: 1s, retries: 3, start_period: 10s }';
  await cluster.apply(app('chain', {
    migrate: { run: 'sleep 1; exit 0', more: ['kind: job'] },
    db: { run: 'sleep 3; exec httpd -f -p 80', more: ['depends_on: { migrate: { condition: service_completed_successfully } }', health] },
    web: { run: 'exec sleep 1000', more: ['depends_on: { db: { condition: service_healthy } }'] },
    side: { run: 'exec sleep 1000', more: ['depends_on: { web: { condition: service_started } }'] },
  }), '--wait');
  const tasks = new Map((await cluster.items('ps', '-a')).filter(task => task['app'] === 'chain').map(task => [String(task['service']), task]));
  const at = (service: string, field: string): number => Date.parse(String(tasks.get(service)?.[field]));
  t.true(at('db', 'createdAt') >= at('migrate', 'finishedAt'));
  t.true(at('web', 'startedAt') >= at('db', 'startedAt') + 1_000, 'db needs three seconds to be healthy');
  t.true(at('side', 'createdAt') >= at('web', 'startedAt'));
});

test.serial('what run made and stop ended is complete, with its real code; what ended by itself is as it ended', async t => {
  const deaf = 'trap "" TERM; while true; do sleep 0.1; done';
  for (const [name, script] of [['polite', 'trap "exit 9" TERM; while true; do sleep 0.1; done'], ['deaf', deaf], ['failing', 'exit 5']] as const) {
    await cluster.ctl('run', '-d', '--name', name, 'hello:1', 'sh', '-c', script);
  }
  await cluster.ctl('stop', '-t', '1', 'polite', 'deaf');
  const ended = await eventually('all to end', 60_000, async () => {
    const tasks = new Map((await cluster.items('ps', '-a')).map(task => [String(task['app']), task]));
    return ['polite', 'deaf', 'failing'].every(name => ['complete', 'failed'].includes(String(tasks.get(name)?.['state']))) && tasks;
  });
  t.like(ended.get('polite'), { state: 'complete', exitCode: 9, lastExit: { reason: 'stopped' } });
  t.like(ended.get('deaf'), { state: 'complete', exitCode: 137, lastExit: { reason: 'stopped' } });
  t.like(ended.get('failing'), { state: 'failed', exitCode: 5, lastExit: { reason: 'exited' } });
  for (const name of ['polite', 'deaf', 'failing']) await cluster.ctl('delete', `app/${name}`, '-y');
});

test.serial('a stopped task gets its signal and its grace period', async t => {
  await cluster.apply(app('stops', {
    asked: { run: 'trap "echo got QUIT; exit 0" QUIT; while true; do sleep 0.1; done', more: ['stop_signal: SIGQUIT', 'stop_grace_period: 30s'] },
    deaf: { run: 'trap "" TERM; while true; do sleep 0.1; done', more: ['stop_grace_period: 1s'] },
  }), '--wait');
  await cluster.ctl('scale', 'stops/asked=0', 'stops/deaf=0', '--wait');
  const tasks = new Map((await cluster.items('ps', '-a')).filter(task => task['app'] === 'stops').map(task => [String(task['service']), task]));
  t.like(tasks.get('asked'), { state: 'complete', exitCode: 0, lastExit: { reason: 'stopped' } });
  t.like(tasks.get('deaf'), { state: 'complete', exitCode: 137, lastExit: { reason: 'stopped' } });
  t.regex(await cluster.ctl('logs', `task/${String(tasks.get('asked')?.['id'])}`), /got QUIT/);
});

test.serial('nothing of all this stays on the nodes', async t => {
  for (const one of await cluster.items('get', 'apps')) {
    await cluster.ctl('delete', `app/${String(one['name'])}`);
  }
  t.deepEqual(await cluster.items('ps', '-a'), []);
  await t.notThrowsAsync(settleNodes(cluster));
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    // ESRCH: it ended.
    return false;
  }
}
