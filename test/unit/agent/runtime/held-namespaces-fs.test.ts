import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import test from 'ava';
import { parseProcessStat } from '#kit/process-stat-parse.ts';
import type { ProcessIdentity } from '#kit/process-stat-parse.ts';
import { holdNamespaces } from '../../../../agent/runtime/held-namespaces-fs.ts';

function identityOf(pid: number | string): ProcessIdentity {
  return parseProcessStat(readFileSync(`/proc/${String(pid)}/stat`, 'utf8')) ?? { pid: 0, startTicks: 0 };
}

const open = (): number => readdirSync('/proc/self/fd').length;

test.serial('a held namespace is the same after its process has ended, and its descriptor is given back', async t => {
  const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
  await once(child, 'spawn');
  const identity = identityOf(child.pid ?? 0);
  const before = open();
  const held = holdNamespaces({ pid: identity, ipc: identity });
  const inodes = (paths: readonly string[]): readonly string[] => paths.map(path => readlinkSync(path));
  const own = inodes(['pid', 'ipc'].map(kind => `/proc/${String(identity.pid)}/ns/${kind}`));
  child.kill('SIGKILL');
  await once(child, 'exit');
  t.deepEqual(inodes([held.paths['pid'] ?? '', held.paths['ipc'] ?? '']), own);
  held[Symbol.dispose]();
  t.is(open(), before);
});

test.serial('of a pid that another process has by now nothing is held, nor of a process that has ended', t => {
  const own = identityOf('self');
  const before = open();
  const refused = { code: 'FAILED_PRECONDITION', message: /^ipc namespace: the container that it is joined from is not running$/ };
  t.like(t.throws(() => holdNamespaces({ pid: own, ipc: { ...own, startTicks: own.startTicks + 1 } })), { code: refused.code });
  t.throws(() => holdNamespaces({ ipc: { ...own, pid: 2 ** 22 } }), { message: refused.message });
  t.is(open(), before);
});
