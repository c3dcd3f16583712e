import test from 'ava';
import { scaleServices } from '../../../../cli/commands/scale-flow.ts';
import type { ScaleFlags } from '../../../../cli/commands/scale-flow.ts';
import { UsageError } from '../../../../cli/options.ts';
import { clusterView } from '../../../support/cluster-view.ts';
import { FakeCluster, fakeShell } from '../../../support/fake-shell.ts';

/** What was asked of the cluster. */
async function scaled(pairs: readonly string[], flags: ScaleFlags = {}): Promise<readonly string[]> {
  const cluster = new FakeCluster(clusterView());
  cluster.answers.set('scale', {});
  await scaleServices(fakeShell(cluster), pairs, flags);
  return cluster.calls.flatMap(([name, request]) => (name === 'scale' ? [JSON.stringify(request)] : []));
}

const refused = test.macro({
  async exec(t, pairs: readonly string[], flags: ScaleFlags, message: string) {
    await t.throwsAsync(scaled(pairs, flags), { instanceOf: UsageError, message });
  },
  title: (_, pairs: readonly string[], flags: ScaleFlags) => `refused before anything is scaled: ${pairs.join(' ')} ${JSON.stringify(flags)}`,
});
test(refused, ['shop/web'], {}, 'shop/web: write shop/web=3 or give --replicas');
test(refused, ['shop/web=1', 'shop/web=2'], {}, 'shop/web is named twice; write each service once');
test(refused, ['shop/web=1'], { replicas: '2' }, 'shop/web=1 and --replicas 2 both say how many; write one of them');

test('each pair has its own number, others that of --replicas', async t => {
  const [one] = await scaled(['shop/web=5']);
  t.regex(one ?? '', /"replicas":5/);
  t.regex((await scaled(['shop/web'], { replicas: '7' }))[0] ?? '', /"replicas":7/);
});
