import { eventually } from '../support/dev-cluster.ts';
import type { DevCluster, Item } from '../support/dev-cluster.ts';
import { shellApp } from '../support/shell-app.ts';
import type { Show, Stage } from './show.ts';

const LIMIT_MS = 30_000;
const RESTART_LIMIT_MS = 1_000;
const NEVER = ['kind: job', 'job: { retries: 0 }'];

export const exits: Show = {
  about: 'a killed process runs again in under a second, and each end is told as it was, also when the agent was down',
  async play(stage) {
    const { cluster } = stage;
    try {
      await killed(stage);
      await codes(stage);
      await whileAgentIsDown(stage);
    } finally {
      for (const app of (await cluster.items('get', 'apps')).filter(one => String(one['name']).startsWith('show-'))) {
        await cluster.ctl('delete', `app/${String(app['name'])}`);
      }
    }
  },
};

async function killed({ cluster, must }: Stage): Promise<void> {
  await cluster.apply(shellApp('show-kill', { web: { run: 'exec sleep 1000' } }), '--wait');
  const [before] = await cluster.tasks('show-kill/web');
  process.kill(Number(before?.['pid']), 'SIGKILL');
  const after = await eventually('the next attempt', LIMIT_MS, async () => (await cluster.tasks('show-kill/web')).find(task => task['attempt'] === 2 && task['state'] === 'running'));
  const last = after['lastExit'] as Item;
  const gapMs = Date.parse(String(after['startedAt'])) - Date.parse(String(last['finishedAt']));
  must(`kill -9: the same task runs again ${String(gapMs)} ms later`, after['id'] === before?.['id'] && gapMs < RESTART_LIMIT_MS, after);
  must('its end is told: 137, signal:KILL', last['code'] === 137 && last['reason'] === 'signal:KILL', last);
}

async function codes({ cluster, must }: Stage): Promise<void> {
  await cluster.apply(shellApp('show-codes', {
    zero: { run: 'exit 0', more: NEVER }, seven: { run: 'exit 7', more: NEVER }, high: { run: 'exit 137', more: NEVER },
  }));
  for (const [service, code] of [['zero', 0], ['seven', 7], ['high', 137]] as const) {
    const task = await ended(cluster, 'show-codes', service);
    const described = JSON.parse(await cluster.ctl('describe', `task/${String(task['id'])}`, '-o', 'json')) as Item;
    must(`exit ${String(code)} is told as ${String(code)} by ps and describe`, task['exitCode'] === code && described['exitCode'] === code, task['lastExit']);
  }
}

/** One ends by itself and one by a signal, both while nobody looks. */
async function whileAgentIsDown({ cluster, must }: Stage): Promise<void> {
  const onN1 = ['placement: { require: ["node == n1"] }', 'restart: { policy: never }'];
  await cluster.apply(shellApp('show-away', {
    seven: { run: 'trap "exit 7" USR1; while true; do sleep 0.1; done', more: onN1 }, signal: { run: 'exec sleep 1000', more: onN1 },
  }), '--wait');
  const [[seven], [signal]] = await Promise.all([cluster.tasks('show-away/seven'), cluster.tasks('show-away/signal')]);
  await cluster.ctl('dev', 'kill', '--name', cluster.name, 'n1');
  try {
    process.kill(Number(seven?.['pid']), 'SIGUSR1');
    process.kill(Number(signal?.['pid']), 'SIGKILL');
    await eventually('both processes to end', LIMIT_MS, () => ![seven, signal].some(task => isAlive(Number(task?.['pid']))));
  } finally {
    await cluster.ctl('dev', 'start', '--name', cluster.name, 'n1');
  }
  for (const [service, code, reason] of [['seven', 7, 'exited'], ['signal', 137, 'signal:KILL']] as const) {
    const { lastExit } = await ended(cluster, 'show-away', service) as { readonly lastExit: Item };
    must(`with the agent down: ${reason} ${String(code)} is told as it was`, lastExit['code'] === code && lastExit['reason'] === reason, lastExit);
  }
}

async function ended(cluster: DevCluster, app: string, service: string): Promise<Item> {
  return await eventually(`${app}/${service} to end`, LIMIT_MS, async () => (
    (await cluster.items('ps', '-a')).find(task => task['app'] === app && task['service'] === service && ['complete', 'failed'].includes(String(task['state'])))
  ));
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    // ESRCH: it ended.
    return false;
  }
}
