import { eventually } from '../support/dev-cluster.ts';
import type { DevCluster, Item } from '../support/dev-cluster.ts';
import { answersFrom, helloOf, HUNGRY, limitsOf } from '../support/hello-tasks.ts';
import { settleNodes } from '../support/node-leftovers.ts';
import { withReplicas } from './replicas.ts';
import type { Show, Stage } from './show.ts';

const REPLICAS = 60;
/** As the example asks for. */
const MEMORY_LIMIT_BYTES = 32 * 1024 * 1024;
/** What a show must wait for at most while the machine is busy with something else. */
const LIMIT_MS = 60_000;

export const scale: Show = {
  about: 'sixty tasks, twenty a node, each in a world of its own; then three again and nothing left of the others',
  async play(stage) {
    const { cluster, saw, must } = stage;
    await withReplicas(cluster, 'hello/web', REPLICAS, async () => {
      const startedAtMs = performance.now();
      const tasks = await cluster.tasks('hello/web');
      const nodes = cluster.layout.nodes.map(node => node.name);
      const counts = nodes.map(node => tasks.filter(task => task['node'] === node).length);
      saw(nodes.map((node, index) => `${node}: ${String(counts[index])}`).join(', '));
      must('as many on each node', counts.every(count => count === REPLICAS / nodes.length), counts);
      must('sixty addresses', new Set(tasks.map(task => task['address'])).size === REPLICAS);
      for (const [index, to] of nodes.entries()) {
        const from = nodes[(index + 1) % nodes.length] ?? '';
        const there = tasks.filter(task => task['node'] === to);
        const answers = await answersFrom(cluster, from, there);
        must(`each address of ${to} answers ${from} with its own name`, answers.join() === there.map(helloOf).sort().join(), answers);
      }
      await ownWorlds(stage, nodes.map(node => tasks.find(task => task['node'] === node)).filter(task => task !== undefined));
      saw(`looked at for ${((performance.now() - startedAtMs) / 1_000).toFixed(0)} s`);
    });
    await outOfMemory(stage);
    const left = await eventually('three tasks', LIMIT_MS, async () => {
      const running = await cluster.tasks('hello/web');
      return running.every(task => task['state'] === 'running') && running;
    });
    saw(`${String(left.length)} tasks again`);
    await settleNodes(cluster, LIMIT_MS);
    must('nothing of the others is left on the nodes: process, mount, namespace, control group, rule, file', true);
  },
};

/** One task of each node. */
async function ownWorlds({ cluster, must }: Stage, tasks: readonly Item[]): Promise<void> {
  for (const task of tasks) {
    const inside = async (...command: readonly string[]): Promise<string> => (await cluster.ctl('exec', `task/${String(task['id'])}`, '--', ...command)).trim();
    const name = String(task['name']);
    must(`${name}: its host name is its own`, await inside('hostname') === name);
    const first = (await inside('cat', '/proc/1/cmdline')).replaceAll('\0', ' ');
    const processes = (await inside('sh', '-c', 'echo /proc/[0-9]*')).split(' ').length;
    must(`${name}: pid 1 is its own (${first.slice(0, 40).trim()}), and it sees ${String(processes)} processes`, processes < 10);
    const { memory } = await limitsOf(cluster, task);
    must(`${name}: the kernel holds it to 32 MiB`, memory === MEMORY_LIMIT_BYTES, memory);
  }
}

async function outOfMemory({ cluster, must }: { readonly cluster: DevCluster; readonly must: Stage['must'] }): Promise<void> {
  try {
    await cluster.apply(HUNGRY);
    const end = await eventually('an end by OOM', LIMIT_MS, async () => (await cluster.items('ps', '-a')).find(task => task['service'] === 'eater' && task['lastExit'] !== null));
    const { code, reason } = end['lastExit'] as Item;
    must('who takes more than its limit is killed, and that is told', code === 137 && reason === 'OOMKilled', end['lastExit']);
  } finally {
    await cluster.ctl('delete', 'app/hungry');
  }
}
