import test from 'ava';
import { spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import path from 'node:path';

const MAIN = path.join(import.meta.dirname, '../../../cli/main.ts');

function run(...words: readonly string[]): { readonly status: number | null; readonly stdout: string; readonly stderr: string } {
  return spawnSync(process.execPath, [MAIN, ...words], { encoding: 'utf8' });
}

test('without a word all commands are shown, as docker and kubectl do', t => {
  const { status, stdout, stderr } = run();
  t.is(status, 0);
  t.is(stderr, '');
  t.regex(stdout, /^Usage: clusterctl [^]*\n {2}apply /);
});
test('a group without a command is refused with those it has', t => {
  t.like(run('rollout'), { status: 2, stdout: '', stderr: 'error: no command given; clusterctl rollout has abort, history, pause, promote, restart, resume, status, undo\n' });
});
test('words behind an unknown command are not taken for its group', t => {
  t.like(run('set', 'image', 'shop/web', 'web=nginx:2'), { status: 2, stderr: 'error: unknown command \'set\'; here it is: clusterctl apply -f FILE\n' });
  t.like(run('-n', 'prod', 'compose', 'up', '-d'), { status: 2, stderr: 'error: unknown command \'compose\'; here it is: clusterctl apply -f FILE -n prod\n' });
  t.like(run('node', 'ps', 'n1'), { status: 2, stderr: 'error: unknown command \'ps\'; here it is: clusterctl ps --node NODE\n' });
  t.like(run('node', 'reboot', 'image'), { status: 2, stderr: 'error: unknown command \'reboot\'; clusterctl node has confirm-lost, cordon, drain, inspect, label, ls, replace, rm, taint, uncordon\n' });
});

test('--version is the same line alone and with other flags', t => {
  const { status, stdout, stderr } = run('--version');
  t.deepEqual([status, stderr], [0, '']);
  t.regex(stdout, /^clusterctl \(Gantry\) \d+\.\d+\.\d+\n$/);
  t.like(run('-q', '-V'), { status, stdout, stderr });
});

test('a full disk behind standard output is an error of one line', t => {
  const full = openSync('/dev/full', 'w');
  t.teardown(() => { closeSync(full); });
  const { status, stderr } = spawnSync(process.execPath, [MAIN, 'help', 'flags'], { encoding: 'utf8', stdio: ['ignore', full, 'pipe'] });
  t.is(stderr, 'error: cannot write to standard output: no space left on the device\n');
  t.is(status, 1);
});
test('dev verbs ask for the local cluster of the context', t => {
  const { status, stderr } = run('--context', 'nowhere', 'dev', 'kill', 'n1');
  t.regex(stderr, /^error: context 'nowhere' is no local cluster of this machine; /);
  t.is(status, 1);
});
