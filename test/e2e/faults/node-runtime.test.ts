/** Row E11: the runtime fails or dies. A shim stands in its place, in the node's own mount namespace (needs root). */
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import test from 'ava';
import type { ControlClient } from '#model/ports.ts';
import { DevCluster, eventually } from '../../support/dev-cluster.ts';
import { inMountsOf, oneService, running } from '../../support/node-faults.ts';
import { settleNodes } from '../../support/node-leftovers.ts';

/** Of each verb; `ROUNDS=100` in `test:faults`. */
const ROUNDS = Number(process.env['ROUNDS'] ?? 20);
/** Few failures a task: the wait between its attempts doubles. */
const REPLICAS = ROUNDS / 5;

let cluster: DevCluster;
let client: ControlClient;
let shim: string;

test.before(async () => {
  cluster = await DevCluster.up({ nodes: 1, controllers: 1 });
  client = cluster.client();
  shim = mkdtempSync(`${cluster.layout.stateDir}/shim-`);
  chmodSync(shim, 0o755);
  copyFileSync('/usr/bin/crun', `${shim}/real`);
  writeFileSync(`${shim}/plan`, '');
  // Fails or dies at the verb in `plan`, before or after the real thing. Each line of `plan` goes to one call, and then to `met`: calls run at once.
  writeFileSync(`${shim}/crun`, `#!/bin/bash
verb=; for word in "$@"; do case "$word" in create|start|kill|delete) verb=$word; break;; esac; done
if [ -n "$verb" ]; then
  exec 9> ${shim}/lock
  flock 9 || exit 1
  read -r wanted how < ${shim}/plan
  if [ "$verb" = "$wanted" ]; then
    sed -i 1d ${shim}/plan
    echo "$wanted $how" >> ${shim}/met
  else
    how=
  fi
  exec 9>&-
  case "$how" in
    fail) echo "shim: $verb fails" >&2; exit 1;;
    die) kill -9 $$;;
    after) ${shim}/real "$@"; kill -9 $$;;
  esac
fi
# What a create leaves whose runtime died is taken away by delete.
if [ "$verb" = create ] && [ "$wanted" = delete ]; then ${shim}/real "$@"; kill -9 $$; fi
exec ${shim}/real "$@"
`, { mode: 0o755 });
  await inMountsOf(cluster, 'n1', 'mount', '--bind', `${shim}/crun`, '/usr/bin/crun');
  // An agent runs the programs that it found at its start.
  cluster.kill('n1');
});

test.after.always('nothing is left', async t => {
  client.close();
  const failure = await inMountsOf(cluster, 'n1', 'umount', '/usr/bin/crun').then(() => [], (error: unknown) => [String(error)]);
  rmSync(shim, { recursive: true });
  t.deepEqual([...failure, ...await cluster.down()], []);
});

/** A container is started by a byte and signalled by the kernel: crun's `start` and `kill` are not called. */
for (const verb of ['create', 'delete']) {
  test.serial(`E11: the runtime fails, dies before or dies after its work at ${verb}: ${String(ROUNDS)} times, and nothing is left`, async t => {
    const plan = Array.from({ length: ROUNDS }, (_, index) => `${verb} ${['fail', 'die', 'after'][index % 3] ?? ''}`);
    writeFileSync(`${shim}/met`, '');
    writeFileSync(`${shim}/plan`, `${plan.join('\n')}\n`);
    await cluster.apply(oneService({ name: verb, replicas: REPLICAS }));
    await running(client, verb, REPLICAS, 60_000);
    t.is(readFileSync(`${shim}/met`, 'utf8'), `${plan.join('\n')}\n`, 'each failure was met once');
    await cluster.ctl('delete', `app/${verb}`, '-y', '--timeout', '90s');
    await eventually('no task', 60_000, async () => (await client.view({ app: verb })).tasks.length === 0);
    await settleNodes(cluster);
  });
}
