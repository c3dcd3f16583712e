import { chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { DiskPressureError } from '../../agent/disk-pressure.ts';
import { DirectoryVolumes } from '../../agent/volume/volume-fs.ts';
import type { OciMount } from '../../agent/volume/ports.ts';
import { container, service, task } from '../support/builders.ts';
import { mountsWith, run, unmountBelow } from '../support/node-namespaces.ts';
import { holdUserNamespace } from '../support/user-namespace-process.ts';

const isRoot = process.getuid?.() === 0;
const asRoot = isRoot ? test.serial : test.serial.skip;
const NEEDS = isRoot ? 'root, idmapped mounts' : 'needs root';
const HOST_BASE = 3_276_800;
const SHA = 'cd'.repeat(32);
const CONTENTS = new Map([
  [`config/${SHA}`, { key: `config/${SHA}`, content: new TextEncoder().encode('conf') }],
  ['secret/prod/key/3', { key: 'secret/prod/key/3', content: new TextEncoder().encode('hush') }],
]);

function sourceOf(mounts: readonly OciMount[], destination: string): string {
  return mounts.find(mount => mount.destination === destination)?.source ?? '';
}

asRoot(`volumes keep plain ids on disk, secrets are on a tmpfs for the container's user alone, and remove leaves only the volume (${NEEDS})`, async t => {
  const directory = mkdtempSync(path.join(tmpdir(), 'gntv-'));
  chmodSync(directory, 0o711);
  try {
    await using user = await holdUserNamespace(HOST_BASE);
    const volumes = new DirectoryVolumes({ stateDir: path.join(directory, 'state'), runDir: path.join(directory, 'run'), allowedHostPrefixes: [path.join(directory, 'srv')], ownDirectories: [] });
    mkdirSync(path.join(directory, 'srv/in'), { recursive: true });
    mkdirSync(path.join(directory, 'outside'));
    symlinkSync(path.join(directory, 'outside'), path.join(directory, 'srv/link'));
    const spec = container({
      volumes: [
        { kind: 'volume', source: 'data', target: '/data', readOnly: false }, { kind: 'tmpfs', target: '/tmp', sizeBytes: 65_536 },
        { kind: 'bind', hostPath: path.join(directory, 'srv/in'), target: '/in', readOnly: true },
      ],
      configs: [{ source: 'conf', target: '/etc/c', mode: 0o444 }], secrets: [{ source: 'key', target: '/run/secrets/key', mode: 0o400 }],
    });
    const one = task(service({ name: 'db' }), 'n1', {
      slot: 1, namespace: 'prod', container: spec, volumes: [{ name: 'data', perReplica: true }],
      pins: { configs: [{ name: 'conf', sha256: SHA }], secrets: [{ name: 'key', version: 3 }] },
    });
    const owner = { ...user.mapping, user: { uid: 1000, gid: 1001 } };
    const mounts = await volumes.prepare(one, 'db-1', owner, CONTENTS);
    t.deepEqual(mounts.map(mount => mount.destination).sort(), ['/data', '/etc/c', '/in', '/run/secrets/key', '/tmp']);
    t.true(mounts.every(mount => mount.options.includes('nosuid') && mount.options.includes('nodev')));

    const secret = sourceOf(mounts, '/run/secrets/key');
    const top = statSync(path.join(directory, 'run/volumes/db-1'));
    t.deepEqual([top.mode & 0o7777, top.uid, top.gid], [0o710, 0, HOST_BASE]);
    t.regex(readFileSync('/proc/self/mountinfo', 'utf8'), new RegExp(`db-1/secrets rw,nosuid,nodev,noexec`));
    const { uid, gid, mode } = statSync(secret);
    t.deepEqual([uid, gid, mode & 0o7777], [HOST_BASE + 1000, HOST_BASE + 1001, 0o400]);
    t.is(run('stat', '-fc', '%T', secret).trim(), 'tmpfs');
    t.is(readFileSync(secret, 'utf8'), 'hush');
    t.is(readFileSync(sourceOf(mounts, '/etc/c'), 'utf8'), 'conf');

    run('nsenter', `--user=${user.mapping.userNamespacePath}`, '--setuid', '0', '--setgid', '0', 'sh', '-c', `echo kept > ${sourceOf(mounts, '/data')}/file && chown 33:34 ${sourceOf(mounts, '/data')}/file`);
    const onDisk = path.join(directory, 'state/volumes/prod/data-1/file');
    t.deepEqual([statSync(onDisk).uid, statSync(onDisk).gid], [33, 34]);

    await volumes.prepare(one, 'db-1', owner, CONTENTS);
    t.deepEqual(await volumes.list(), ['db-1']);
    await volumes.remove('db-1');
    await volumes.remove('db-1');
    t.deepEqual(await volumes.list(), []);
    t.is(readFileSync(onDisk, 'utf8'), 'kept\n');
    t.deepEqual(mountsWith(directory), []);

    const linked = { ...one, container: { ...spec, volumes: [{ kind: 'bind', hostPath: path.join(directory, 'srv/link'), target: '/in', readOnly: true }] } } as const;
    await t.throwsAsync(volumes.prepare(linked, 'db-2', owner, CONTENTS), { message: /is not one that this node lets tasks bind/ });
    await t.throwsAsync(volumes.prepare(one, 'db-2', owner, new Map()), { message: /was not sent to this node yet/ });
    await t.throwsAsync(volumes.prepare(one, '../db', owner, CONTENTS), { instanceOf: RangeError });
    t.deepEqual(await volumes.list(), [], 'a failed prepare leaves nothing');
    t.deepEqual(mountsWith(directory), []);

    await volumes.prepare(one, 'db-3', owner, CONTENTS);
    writeFileSync(path.join(directory, 'state/volumes/prod/data-1/other'), '');
    await new DirectoryVolumes({ stateDir: path.join(directory, 'state'), runDir: path.join(directory, 'run'), allowedHostPrefixes: [], ownDirectories: [] }).remove('db-3');
    t.deepEqual(readdirSync(path.join(directory, 'state/volumes/prod/data-1')).sort(), ['file', 'other'], 'a new agent removes what an earlier one mounted, and no volume\'s files');

    const inside = path.join(path.dirname(onDisk), 'in');
    mkdirSync(inside);
    run('mount', '-t', 'tmpfs', 'none', inside);
    await t.throwsAsync(volumes.removeData('prod/data-1'), { message: /prod\/data-1 is not deleted while a file system is mounted at .*\/in; unmount it/ });
    run('umount', inside);
    t.is(readFileSync(onDisk, 'utf8'), 'kept\n');
    t.true((await volumes.dataBytes('prod/data-1') ?? 0) > 0);
    t.is(await volumes.newestUser('prod/data-1'), one.fence);
    await volumes.removeData('prod/data-1');
    t.is(await volumes.newestUser('prod/data-1'), undefined);
    t.is(await volumes.dataBytes('prod/data-1'), 0);
    await volumes.removeData('prod/data-1');
    t.deepEqual(readdirSync(path.join(directory, 'state/volumes/prod')), []);
    t.deepEqual(readdirSync(path.join(directory, 'state/volumes/.removed')), []);
    await t.throwsAsync(volumes.newestUser('../prod'), { message: /is not NAMESPACE\/NAME/ });
    await t.throwsAsync(volumes.removeData('../prod'), { message: /is not NAMESPACE\/NAME/ });
  } catch (error) {
    // The first failure counts, not that of cleaning up a mount it left.
    t.log(error);
    throw error;
  } finally {
    unmountBelow(directory);
    rmSync(directory, { recursive: true, force: true });
  }
  t.deepEqual(mountsWith(directory), []);
});

asRoot(`23: configs leave a quarter of the run directory to the agent; a task whose configs do not fit waits for room and leaves nothing (${NEEDS})`, async t => {
  const directory = mkdtempSync(path.join(tmpdir(), 'gntv-'));
  chmodSync(directory, 0o711);
  mkdirSync(path.join(directory, 'run'));
  run('mount', '-t', 'tmpfs', '-o', 'size=1m,mode=711', 'gntv', path.join(directory, 'run'));
  try {
    await using user = await holdUserNamespace(HOST_BASE);
    const volumes = new DirectoryVolumes({ stateDir: path.join(directory, 'state'), runDir: path.join(directory, 'run'), allowedHostPrefixes: [], ownDirectories: [] });
    const one = task(service({ name: 'db' }), 'n1', { container: container({ configs: [{ source: 'conf', target: '/etc/c', mode: 0o444 }] }), pins: { configs: [{ name: 'conf', sha256: SHA }], secrets: [] } });
    const contents = new Map([[`config/${SHA}`, { key: `config/${SHA}`, content: new Uint8Array(500_000) }]]);
    const prepare = async (key: string): Promise<unknown> => await volumes.prepare(one, key, { ...user.mapping, user: { uid: 0, gid: 0 } }, contents).catch((error: unknown) => error);
    t.true(Array.isArray(await prepare('a-1')));
    const refused = await prepare('b-1');
    t.true(refused instanceof DiskPressureError);
    t.regex(String(refused), /no room for 500000 bytes of configs beside the 262144 kept for the agent: .* bytes and .* inodes free/);
    t.deepEqual(await volumes.list(), ['a-1']);
    await volumes.remove('a-1');
    t.true(Array.isArray(await prepare('b-1')));
    await volumes.remove('b-1');
  } finally {
    run('umount', path.join(directory, 'run'));
    rmSync(directory, { recursive: true });
  }
});
