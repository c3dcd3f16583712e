import test from 'ava';
import type { ReplaceNodeAnswer } from '#model/ports.ts';
import { ClusterError } from '#model/errors.ts';
import { replaceNode } from '../../../../cli/commands/replace-flow.ts';
import { clusterView } from '../../../support/cluster-view.ts';
import { FakeCluster, fakeShell } from '../../../support/fake-shell.ts';

const pending = (text: string): ReplaceNodeAnswer => ({ token: '', expiresAtMs: 0, pending: text });
const ready: ReplaceNodeAnswer = { token: 'TOKEN', expiresAtMs: 1_767_225_600_000, pending: '' };

/** A cluster that gives these answers one after the other; the clock of the shell does not wait. */
function rig(answers: readonly ReplaceNodeAnswer[], flags: Parameters<typeof fakeShell>[1] = {}) {
  const fake = new FakeCluster(clusterView());
  fake.answers.set('confirmLost', new ClusterError('FAILED_PRECONDITION', 'node n1 is ready'));
  let count = 0;
  const replace = (request: unknown): Promise<ReplaceNodeAnswer> => {
    fake.calls.push(['replaceNode', request]);
    count += 1;
    return Promise.resolve(answers[count - 1] ?? ready);
  };
  const { client } = fake;
  const proxied = new Proxy(client, { get: (target, name) => (name === 'replaceNode' ? replace : Reflect.get(target, name) as unknown) });
  const shell = fakeShell(fake, flags);
  return { fake, shell: { ...shell, connect: () => Promise.resolve(proxied), clock: { ...shell.clock, sleep: () => Promise.resolve() } } };
}

test('replace waits until the old machine is lost, names each reason once, and prints the token alone on standard output', async t => {
  const { fake, shell } = rig([pending('node n1 is silent; 9 s'), pending('node n1 is silent; 8 s'), pending('node n1 is lost, but a task may run')]);
  await replaceNode(shell, 'node/n1', {});
  t.is(shell.terminal.text, 'TOKEN\n');
  t.deepEqual(shell.terminal.errorText.split('\n').slice(0, 2), ['waiting: node n1 is silent; 9 s', 'waiting: node n1 is lost, but a task may run']);
  t.regex(shell.terminal.errorText, /clusterctl join CONTROLLER:7403 --node n1 --token TOKEN/);
  t.deepEqual(fake.calls[0], ['replaceNode', { node: 'n1', ttlMs: 3_600_000, isForced: false }]);
  t.is(fake.calls.filter(([name]) => name === 'confirmLost').length, 0);
});
test('with --confirm-lost it confirms the loss until that is taken; -o json has node, token and end', async t => {
  const { fake, shell } = rig([pending('node n1 is cut off and is not lost yet'), pending('x')], { output: 'json' });
  await replaceNode(shell, 'n1', { confirmLost: true, force: true, ttl: '10m' });
  t.deepEqual(JSON.parse(shell.terminal.text), { node: 'n1', token: 'TOKEN', expiresAt: '2026-01-01T00:00:00.000Z' });
  t.is(fake.calls.filter(([name]) => name === 'confirmLost').length, 2);
  t.deepEqual(fake.calls[0], ['replaceNode', { node: 'n1', ttlMs: 600_000, isForced: true }]);
});
test('a life of more than an hour and a name that is no label are refused before any call', async t => {
  const { fake, shell } = rig([]);
  await t.throwsAsync(replaceNode(shell, 'n1', { ttl: '2h' }), { message: '--ttl must be 1s..1h' });
  await t.throwsAsync(replaceNode(shell, '../n1', {}));
  t.deepEqual(fake.calls, []);
});
