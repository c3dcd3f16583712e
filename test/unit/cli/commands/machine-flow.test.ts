import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { formatJoinToken } from '#identity/join-token-parse.ts';
import { formatStateOwner, stateOwnerFile } from '#identity/state-owner-rules.ts';
import { joinMachine } from '../../../../cli/commands/machine-flow.ts';
import { clusterView } from '../../../support/cluster-view.ts';
import { FakeCluster, fakeShell } from '../../../support/fake-shell.ts';

const [ours, others] = ['ab'.repeat(32), 'cd'.repeat(32)];

test('a machine with the state of another cluster does not join: its token is not spent, nothing is written', async t => {
  const directory = mkdtempSync(path.join(tmpdir(), 'gnjoin-'));
  t.teardown(() => { rmSync(directory, { recursive: true, force: true }); });
  const [stateDir, configDir] = [path.join(directory, 'state'), path.join(directory, 'config')];
  const token = formatJoinToken(new Uint8Array(32), ours);
  const join = async (): Promise<void> => { await joinMachine(fakeShell(new FakeCluster(clusterView())), '127.0.0.1:1', { token, node: 'n1', configDir, stateDir }); };
  mkdirSync(stateDir);
  writeFileSync(stateOwnerFile(stateDir), formatStateOwner({ node: 'n1', caSha256: others }));
  const error = await t.throwsAsync(join());
  t.like(error, { code: 'FAILED_PRECONDITION' });
  t.regex(error.message, /is that of node n1 of another cluster/);
  t.false(existsSync(configDir));
  writeFileSync(stateOwnerFile(stateDir), formatStateOwner({ node: 'n1', caSha256: ours }));
  t.notRegex((await t.throwsAsync(join())).message, /state directory/, 'its own state is no obstacle: the controller is asked, and is not there');
});
