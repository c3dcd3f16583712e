import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { serviceId } from '#model/ids.ts';
import { replayFile } from '../../../sim/replay.ts';
import { DevCluster, eventually } from '../../../support/dev-cluster.ts';

const SERVICES = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'] as const;
const WANTED_DECISIONS = 1_000;

/** Lines of a record that are decisions. */
function decisionsIn(files: readonly string[]): number {
  return files.flatMap(file => (existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [])).filter(line => /^\{"kind":"(?:service|app|nodes)"/.test(line)).length;
}

let cluster: DevCluster;

test.before(async () => { cluster = await DevCluster.up(); });

test.after.always(async t => { t.deepEqual(await cluster.down(), []); });

test('a recorded run of a live cluster, with a controller, an agent and another controller killed in it, replays to the same decisions (root)', async t => {
  t.timeout(180_000);
  const files = cluster.layout.controllers.map(({ name }) => path.join(cluster.home, `${name}.record`));
  for (const [index, { name }] of cluster.layout.controllers.entries()) {
    writeFileSync(`${cluster.layout.runDir}/env/${name}`, `GANTRY_RECORD=${files[index] ?? ''}\n`);
    cluster.kill(name);
  }
  await eventually('both controllers to record', 60_000, () => files.every(file => existsSync(file)));
  const services = SERVICES.map(name => `  ${name}: { image: "hello:1", resources: { requests: { cpus: 0.01, memory: 8Mi } } }`).join('\n');
  await eventually('the app to be applied', 60_000, async () => (await cluster.tryApply(`apiVersion: gantry/v1\nkind: App\nmetadata: { name: many }\nservices:\n${services}\n`)).exitCode === 0);
  const client = cluster.client();
  t.teardown(() => { client.close(); });
  const faults = [cluster.layout.controllers[0]?.name ?? '', 'n1', cluster.layout.controllers[1]?.name ?? ''];
  for (let round = 0; decisionsIn(files) < WANTED_DECISIONS || faults.length > 0; round += 1) {
    const fault = faults.shift();
    if (fault !== undefined) cluster.kill(fault);
    for (const name of SERVICES) {
      await eventually('a scale', 60_000, async () => { await client.scale({ requestId: randomUUID(), service: serviceId('default', 'many', name), replicas: 1 + (round % 3) }); return true; });
    }
    await eventually('the services to be as wanted', 60_000, async () => (await client.view({})).services.every(({ healthy, wanted }) => healthy === wanted));
  }
  const reports = await Promise.all(files.map(async file => await replayFile(file)));
  t.deepEqual(reports.flatMap(({ differences }) => differences), []);
  t.true(reports.reduce((sum, { starts }) => sum + starts, 0) >= 4);
  t.log(reports.map(({ decisions, actions, starts }) => `${JSON.stringify([...decisions])} ${String(actions)} did something, ${String(starts)} starts`));
});
