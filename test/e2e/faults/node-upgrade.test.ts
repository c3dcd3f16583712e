/** Row E9: the agent is upgraded and downgraded under 20 containers (needs root). */
import { readdirSync, readFileSync } from 'node:fs';
import test from 'ava';
import type { ControlClient } from '#model/ports.ts';
import { DevCluster, eventually } from '../../support/dev-cluster.ts';
import { NEWER_FIELD, NEWER_VALUE, NEWER_VERSION, NewerVersion } from '../../support/newer-agent.ts';
import { agentCommand, HandRun, identityOf, oneService, pidOf, running } from '../../support/node-faults.ts';
import { settleNodes } from '../../support/node-leftovers.ts';

const COUNT = 20;

let cluster: DevCluster;
let client: ControlClient;

test.before(async () => {
  cluster = await DevCluster.up({ nodes: 1, controllers: 1 });
  client = cluster.client();
});

test.after.always('nothing is left', async t => {
  client.close();
  t.deepEqual(await cluster.down(), []);
});

type RecordFields = Readonly<Record<string, unknown>>;

/** The records on the node's disk, by task. */
function records(): ReadonlyMap<string, RecordFields> {
  const folder = `${cluster.layout.stateDir}/n1/state/tasks`;
  return new Map(readdirSync(folder).map(id => [id, JSON.parse(readFileSync(`${folder}/${id}/record.json`, 'utf8')) as RecordFields]));
}

async function versionBecomes(version: string): Promise<void> {
  await eventually(`the agent to be ${version}`, 60_000, async () => (await client.view({})).nodes.some(({ node }) => node.agentVersion === version && node.condition === 'ready'));
}

test.serial('E9: agent N, N+1, N with 20 containers: the same processes all the while, and what N+1 wrote survives N', async t => {
  using newer = await NewerVersion.build();
  await cluster.apply(oneService({ name: 'many', replicas: COUNT }));
  const before = await running(client, 'many', COUNT, 90_000);
  const identities = before.map(view => identityOf(pidOf(view)));
  const { args } = agentCommand(cluster, 'n1');
  const isSame = async (): Promise<void> => {
    const now = await running(client, 'many', COUNT, 60_000);
    t.deepEqual(now.map(view => [view.task.id, view.status?.attempt, identityOf(pidOf(view))]), before.map((view, index) => [view.task.id, 1, identities[index]]));
  };

  await cluster.ctl('dev', 'kill', 'n1', '--name', cluster.name);
  const upgraded = new HandRun(cluster, 'n1', { argv: [newer.agent, ...args], environment: {} });
  try {
    await versionBecomes(NEWER_VERSION);
    await isSame();
    await eventually('every record to be one of the newer agent', 60_000, () => [...records().values()].every(record => NEWER_FIELD in record));
    t.deepEqual([...records().values()].map(record => record[NEWER_FIELD]), Array.from({ length: COUNT }, () => NEWER_VALUE));
    // What only this version starts is adopted by the older one too.
    await cluster.ctl('scale', `many/main=${String(COUNT + 1)}`, '--wait');
  } finally {
    await upgraded.giveBack();
  }

  await versionBecomes('0.1.0');
  await cluster.ctl('scale', `many/main=${String(COUNT)}`, '--wait');
  await isSame();
  const kept = records();
  t.deepEqual(before.map(({ task }) => kept.get(task.id)?.[NEWER_FIELD]), identities.map(() => NEWER_VALUE));
  t.true([...kept.values()].every(record => record['version'] === 1));
  await cluster.ctl('delete', 'app/many', '-y');
  await settleNodes(cluster);
});
