/** Section 9: what a task may not do, tried from inside a baseline and a restricted one (needs root). */
import { readFileSync, readlinkSync } from 'node:fs';
import test from 'ava';
import type { ControlClient, TaskView } from '#model/ports.ts';
import { DevCluster } from '../../support/dev-cluster.ts';
import { LockServer } from '../../support/lock-server.ts';
import { oneService, pidOf, running } from '../../support/node-faults.ts';

let cluster: DevCluster;
let client: ControlClient;
const tasks = new Map<string, TaskView>();

test.before(async () => {
  cluster = await DevCluster.up({ nodes: 1, controllers: 1 });
  client = cluster.client();
  await cluster.apply(oneService({ name: 'baseline' }));
  await cluster.apply(oneService({ name: 'restricted', more: ['security: { profile: restricted, user: "1000:1000" }'] }));
  for (const name of ['baseline', 'restricted']) {
    const [view] = await running(client, name);
    if (view !== undefined) tasks.set(name, view);
  }
});

test.after.always('nothing is left', async t => {
  client.close();
  t.deepEqual(await cluster.down(), []);
});

async function inside(profile: string, script: string): Promise<{ readonly code: number | null; readonly output: string }> {
  const { exitCode, stdout, stderr } = await cluster.tryCtl('exec', `${profile}/main`, '--', 'sh', '-c', script);
  return { code: exitCode, output: `${stdout}${stderr}`.trim() };
}

const processOf = (profile: string): string => `/proc/${String(pidOf(tasks.get(profile)))}`;

/** Each must fail. */
const REFUSED: readonly (readonly [string, string])[] = [
  ['a new user namespace', 'unshare -U true'],
  ['a new mount namespace', 'unshare -m true'],
  ['a mount', 'mount -t tmpfs none /mnt || mount -t tmpfs none /tmp'],
  ['writing a kernel setting', 'echo 1 > /proc/sys/kernel/hostname'],
  ['a sysrq', 'echo h > /proc/sysrq-trigger'],
  ['writing below /sys', 'touch /sys/x || echo 1 > /sys/kernel/uevent_seqnum'],
  ['making a control group', 'for group in /sys/fs/cgroup /sys/fs/cgroup/*; do test -e $group/cgroup.procs && mkdir $group/x && exit 0; done; exit 1'],
  ['making a disk device', 'mknod /tmp/disk b 8 0 && dd if=/tmp/disk of=/dev/null bs=1 count=1'],
  ['reading kernel memory', 'test -s /proc/kcore'],
  ['reading key rings', 'test -s /proc/keys'],
  ['loading firmware listings', 'ls /sys/firmware | grep .'],
  ['becoming another user by chroot', 'chroot /proc/1/root mount -t proc none /proc'],
];

for (const profile of ['baseline', 'restricted']) {
  for (const [what, script] of REFUSED) {
    test.serial(`${profile}: ${what} is refused`, async t => {
      const { code, output } = await inside(profile, `(${script}); echo "ended $?"`);
      t.is(code, 0, 'the shell itself runs');
      t.regex(output, /^ended [1-9]\d*$/m);
      t.notRegex(output, /not found|ended 127$/);
    });
  }

  test.serial(`${profile}: management ports are closed to it`, async t => {
    const { layout } = cluster;
    const [controller] = layout.controllers;
    const node = layout.nodes[0]?.address ?? '';
    const closed = [
      [layout.hostAddress, controller?.apiPort], [layout.hostAddress, controller?.joinPort], [layout.hostAddress, controller?.metricsPort],
      [layout.hostAddress, layout.natsPort], [layout.hostAddress, layout.registryPort], [node, 7402],
    ] as const;
    const beside = await LockServer.listen(layout.hostAddress);
    const dial = (host: string, port: number | undefined, limitS: number): string => `nc -w ${String(limitS)} ${host} ${String(port)} </dev/null >/dev/null 2>&1 && echo open ${host}:${String(port)}`;
    const fromNode = closed.map(([host, port]) => dial(host, port, 30)).join('; ');
    const fromTask = [...closed.map(([host, port]) => dial(host, port, 2)), dial(layout.hostAddress, beside.port, 30)].join('; ');
    try {
      t.is((await cluster.onNode('n1', 'busybox', 'sh', '-c', fromNode)).stdout.trim(), closed.map(([host, port]) => `open ${host}:${String(port)}`).join('\n'), 'all of them listen, and the node may');
      t.is((await inside(profile, fromTask)).output, `open ${layout.hostAddress}:${String(beside.port)}`, 'a task gets as far as there, and not to them');
    } finally {
      await beside.close();
    }
  });

  test.serial(`${profile}: no new privileges, a filter, no root of the machine, capabilities of its profile`, t => {
    const status = readFileSync(`${processOf(profile)}/status`, 'utf8');
    t.regex(status, /^NoNewPrivs:\t1$/m);
    t.regex(status, /^Seccomp:\t2$/m);
    t.regex(status, /^CapInh:\t0+$/m);
    t.regex(status, /^CapAmb:\t0+$/m);
    const bounding = BigInt(`0x${/^CapBnd:\t([0-9a-f]+)$/m.exec(status)?.[1] ?? 'f'}`);
    // Source: capability.h: CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE SYS_CHROOT SETFCAP
    const allowed = profile === 'restricted' ? 0n : [0, 1, 3, 4, 5, 6, 7, 8, 10, 18, 31].reduce((mask, bit) => mask | (1n << BigInt(bit)), 0n);
    t.is(bounding & ~allowed, 0n);
    const [first = '', host = '', count = ''] = readFileSync(`${processOf(profile)}/uid_map`, 'utf8').trim().split(/\s+/);
    t.deepEqual([first, count], ['0', '65536']);
    t.true(Number(host) >= 2 ** 20, host);
    const namespaces = ['user', 'pid', 'net', 'ipc', 'uts', 'mnt', 'cgroup'];
    const inodes = (pid: string): readonly string[] => namespaces.map(name => readlinkSync(`/proc/${pid}/ns/${name}`));
    t.deepEqual(inodes('self').filter((inode, index) => inode === inodes(String(pidOf(tasks.get(profile))))[index]), []);
  });
}

test.serial('baseline: another namespace cannot be entered', async t => {
  const { output } = await inside('baseline', 'nsenter -t 1 -n true; echo "ended $?"');
  t.regex(output, /^ended [1-9]\d*$/m);
  t.notRegex(output, /not found|ended 127$/);
});

test.serial('restricted: its root file system cannot be written, its user is not root', async t => {
  t.regex((await inside('restricted', 'touch /x')).output, /Read-only file system/);
  t.is((await inside('restricted', 'id -u')).output, '1000');
});
