/** Rows E13, E14 and F15: somebody takes away what a node stands on, and what there is only one of (needs root). */
import { existsSync, readFileSync, readdirSync, renameSync, rmSync, rmdirSync, writeFileSync } from 'node:fs';
import test from 'ava';
import type { TaskView } from '#model/ports.ts';
import { networkNames } from '../../../../agent/network/link-names.ts';
import { cgroupMounts } from '../../../../cli/dev/cgroup-fs.ts';
import { eventually } from '../../../support/dev-cluster.ts';
import { LockServer } from '../../../support/lock-server.ts';
import { identityOf, inMountsOf, oneService, pidOf, running, taskOnce, wantedTasks } from '../../../support/node-faults.ts';
import { SideProcess } from '../../../support/side-process.ts';
import { settleNodes } from '../../../support/node-leftovers.ts';
import { useOneNode } from '../../../support/one-node.ts';

/** Row E13 allows 10 s on a machine that does nothing else; others use this one too. */
const REPAIR_MS = 60_000;
const SLEEPER = 'trap "exit 0" TERM; while :; do sleep 1; done';
const PORT = 18_441;

const site = useOneNode();

const runDir = (): string => `${site.cluster.layout.runDir}/n1`;
const scope = (): string => site.cluster.layout.nodes[0]?.scope ?? '';
const idOf = ({ task, status }: TaskView): string => `gantry-${task.id}-${String(status?.attempt ?? 0)}`;
const onNode = async (...words: readonly [string, ...string[]]): Promise<string> => {
  const { exitCode, stdout, stderr } = await site.cluster.onNode('n1', ...words);
  if (exitCode !== 0) throw new Error(`${words.join(' ')}: ${stderr}`);
  return stdout;
};

/** Waits until the task runs again, as a later attempt. */
async function startedAgain(app: string, view: TaskView): Promise<TaskView> {
  return await taskOnce(site.client, app, 'the next attempt', one => one.task.id === view.task.id && one.state === 'running' && (one.status?.attempt ?? 0) > (view.status?.attempt ?? 0), REPAIR_MS);
}

test.serial('E13: its container deleted by the runtime: the task runs again', async t => {
  await site.withTask({ name: 'container', script: SLEEPER }, async view => {
    // The agent may take its end for what it is before the program is done with it.
    await inMountsOf(site.cluster, 'n1', 'crun', '--root', `${runDir()}/runtime/crun/root`, 'delete', '-f', idOf(view)).catch((error: unknown) => {
      if (!String(error).includes('No such file or directory')) throw error;
    });
    const after = await startedAgain('container', view);
    t.is(after.status?.restarts, 1);
    t.is(identityOf(pidOf(view)), '');
  });
});

test.serial('E13: its processes moved out of their control group, and the group removed: the task is held to its limits again', async t => {
  await site.withTask({ name: 'group', script: SLEEPER }, async view => {
    const groups = (await cgroupMounts()).map(mount => ({ mount, group: `${mount}/${scope()}/${view.task.id}/${idOf(view)}` })).filter(({ group }) => existsSync(group));
    t.true(groups.length > 0);
    for (const { mount, group } of groups) {
      await eventually(`${group} empty`, 60_000, () => {
        const pids = unlessGone(() => readFileSync(`${group}/cgroup.procs`, 'utf8'))?.split('\n').filter(line => line !== '') ?? [];
        pids.forEach(pid => { unlessGone(() => { writeFileSync(`${mount}/cgroup.procs`, pid); }); });
        return pids.length === 0;
      });
      unlessGone(() => { rmdirSync(group); });
    }
    const after = await startedAgain('group', view);
    t.is(identityOf(pidOf(view)), '', 'what had no limits is gone');
    t.true(readFileSync(`/proc/${String(pidOf(after))}/cgroup`, 'utf8').includes(idOf(after)));
  });
});

/** The agent may look when the first of its groups is gone, and end the task before the others are. */
function unlessGone<Result>(work: () => Result): Result | undefined {
  try {
    return work();
  } catch (error) {
    if (!['ENOENT', 'ESRCH', 'ENODEV'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    return undefined;
  }
}

test.serial('E13: its link deleted: it is wired again, and answers', async t => {
  await site.withTask({ name: 'link', script: 'mkdir /tmp/www; echo here > /tmp/www/index.html; exec httpd -f -p 80 -h /tmp/www' }, async view => {
    const address = view.status?.address ?? '';
    const link = `${scope()}t${address.split('.').at(-1) ?? ''}`;
    const answer = async (): Promise<string> => await onNode('busybox', 'wget', '-q', '-T', '1', '-O', '-', `http://${address}/`);
    t.is((await eventually('its first answer', REPAIR_MS, answer)).trim(), 'here');
    await onNode('ip', 'link', 'del', link);
    t.is((await eventually('its answer over the new link', REPAIR_MS, answer)).trim(), 'here');
    t.is(identityOf(pidOf((await running(site.client, 'link'))[0])), identityOf(pidOf(view)));
  });
});

test.serial('E13: its root file system unmounted on the node: it goes on, and leaves nothing when it ends', async t => {
  await site.withTask({ name: 'rootfs', script: SLEEPER }, async view => {
    const rootfs = readFileSync(`/proc/${String(site.cluster.process('n1').pid ?? 0)}/mountinfo`, 'utf8').split('\n').map(line => line.split(' ')[4] ?? '').find(target => target.includes(`/snapshots/${idOf(view)}/`));
    await inMountsOf(site.cluster, 'n1', 'umount', '-l', rootfs ?? '');
    t.is((await site.cluster.ctl('exec', 'rootfs/main', '--', 'sh', '-c', 'echo of-it > /tmp/x && cat /tmp/x')).trim(), 'of-it');
  });
  await settleNodes(site.cluster);
});

test.serial('E13: every firewall rule flushed: all of them are back, isolation among them', async t => {
  await site.withTask({ name: 'rules', script: SLEEPER }, async () => {
    // A chain made anew comes last.
    const rules = async (): Promise<string> => (await onNode('nft', '-s', 'list', 'ruleset')).split('\n').sort().join('\n');
    const before = await rules();
    const { layout } = site.cluster;
    const management = layout.controllers[0]?.apiPort ?? 0;
    const dial = (port: number): string => `nc -w 5 ${layout.hostAddress} ${String(port)} </dev/null >/dev/null 2>&1 && echo open || echo closed`;
    const fromTask = async (port: number): Promise<string> => (await site.cluster.ctl('exec', 'rules/main', '--', 'sh', '-c', dial(port))).trim();
    const beside = await LockServer.listen(layout.hostAddress);
    try {
      t.is((await onNode('busybox', 'sh', '-c', dial(management))).trim(), 'open', 'it listens, and the node may');
      t.is(await fromTask(beside.port), 'open', 'the task gets as far as there');
      t.is(await fromTask(management), 'closed');
      await onNode('nft', 'flush', 'ruleset');
      await eventually('the same rules', REPAIR_MS, async () => await rules() === before);
      t.is(await eventually('its way out again', REPAIR_MS, async () => await fromTask(beside.port) === 'open' && 'open'), 'open');
      t.is(await fromTask(management), 'closed', 'the way to the management ports is closed again');
    } finally {
      await beside.close();
    }
  });
});

test.serial('E13: the vxlan cannot be made: the node says why and gets no tasks, those that it has can be deleted, and it repairs itself', async t => {
  const name = 'n1';
  const faultOf = async (): Promise<unknown> => (await site.cluster.items('node', 'ls')).find(item => item['name'] === name)?.['networkFault'];
  const holder = 'require("dgram").createSocket("udp4").bind(4789, () => console.log("bound"))';
  await site.cluster.apply(oneService({ name: 'there' }));
  await running(site.client, 'there');
  {
    site.cluster.kill(name);
    await onNode('ip', 'link', 'del', networkNames(scope()).vxlan);
    await using other = new SideProcess('nsenter', `--net=/run/netns/${site.cluster.layout.nodes[0]?.networkNamespace ?? ''}`, process.execPath, '-e', holder);
    await other.said('bound');
    await site.cluster.ctl('dev', 'start', name);
    await eventually('the fault', REPAIR_MS, async () => String(await faultOf()).includes('Address already in use'));
    t.regex(await site.cluster.ctl('node', 'ls'), /n1 +network fault/);
    await site.cluster.apply(oneService({ name: 'waits' }));
    await eventually('the reason', REPAIR_MS, async () => (await site.cluster.ctl('why', 'waits/main')).includes('network fault'));
    await site.cluster.ctl('delete', 'app/there', '-y');
  }
  t.is((await running(site.client, 'waits', 1, REPAIR_MS)).length, 1);
  await eventually('no fault any more', REPAIR_MS, async () => await faultOf() === null);
  await site.cluster.ctl('delete', 'app/waits', '-y');
});

test.serial('E14: the directory of exit files missing, then not a directory: a start is refused in words, what runs goes on, and all goes on once it is back', async t => {
  const exits = `${runDir()}/runtime/exits`;
  await site.withTask({ name: 'before', script: SLEEPER }, async before => {
    const agent = site.cluster.process('n1').pid;
    await site.cluster.apply(oneService({ name: 'exits', replicas: 0 }));
    renameSync(exits, `${exits}.away`);
    await site.cluster.ctl('scale', 'exits/main=1');
    try {
      const refused = await taskOnce(site.client, 'exits', 'the refusal', view => (view.status?.message ?? '').includes(`${exits} is not a directory`));
      t.is(refused.status?.pid, undefined);
      writeFileSync(exits, '');
      await taskOnce(site.client, 'exits', 'the refusal of a file', view => (view.status?.message ?? '').includes('ENOTDIR'));
      t.deepEqual(readdirSync(`${runDir()}/runtime/records`), [idOf(before)], 'no container was made');
    } finally {
      rmSync(exits, { force: true });
      renameSync(`${exits}.away`, exits);
    }
    t.true(pidOf((await running(site.client, 'exits'))[0]) > 0);
    t.is(site.cluster.process('n1').pid, agent);
    t.is(identityOf(pidOf((await running(site.client, 'before'))[0])), identityOf(pidOf(before)));
  });
  await site.cluster.ctl('delete', 'app/exits', '-y');
});

test.serial('F15: the only host port taken: the second task says so, and has it soon after the first stopped', async t => {
  const more = [`ports: [{ published: ${String(PORT)}, target: 80, mode: host }]`];
  await site.cluster.apply(oneService({ name: 'first', more }));
  await running(site.client, 'first');
  await site.cluster.apply(oneService({ name: 'second', more }));
  await eventually('the reason', REPAIR_MS, async () => (await site.cluster.ctl('why', 'second/main')).includes(`host port tcp/${String(PORT)} taken`));
  t.deepEqual((await wantedTasks(site.client, 'second')).filter(({ state }) => state === 'running'), []);
  await site.cluster.ctl('delete', 'app/first', '-y');
  t.is((await running(site.client, 'second', 1, REPAIR_MS)).length, 1);
  await site.cluster.ctl('delete', 'app/second', '-y');
});
