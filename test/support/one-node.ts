import test from 'ava';
import type { ControlClient } from '#model/ports.ts';
import { DevCluster } from './dev-cluster.ts';
import { runTask } from './node-faults.ts';
import type { WithTask } from './node-faults.ts';

/** A cluster of one node, `n1`, and one controller, which the tests of a file share. Its parts are there from the first test on. */
export interface OneNode {
  readonly cluster: DevCluster;
  readonly client: ControlClient;
  readonly withTask: WithTask;
  /** Of the agent that runs now; 0 while none does. */
  readonly agentPid: number;
}

/** Makes it before the first test of the file, and after the last one looks for what is left of it. */
export function useOneNode(): OneNode {
  let parts: { readonly cluster: DevCluster; readonly client: ControlClient } | undefined;
  const required = (): { readonly cluster: DevCluster; readonly client: ControlClient } => {
    if (parts === undefined) throw new Error('the cluster of this file is not up');
    return parts;
  };
  test.before(async () => {
    const cluster = await DevCluster.up({ nodes: 1, controllers: 1 });
    parts = { cluster, client: cluster.client() };
  });
  test.after.always('nothing is left', async t => {
    parts?.client.close();
    t.deepEqual(await parts?.cluster.down() ?? [], []);
  });
  return {
    get cluster() { return required().cluster; },
    get client() { return required().client; },
    get agentPid() { return required().cluster.process('n1').pid ?? 0; },
    withTask: async (app, body) => { await runTask(required(), app, body); },
  };
}
