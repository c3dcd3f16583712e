import { readFileSync } from 'node:fs';
import { cgroupMounts } from '../../cli/dev/cgroup-fs.ts';
import type { DevCluster, Item } from './dev-cluster.ts';

/** Takes memory until the kernel says no; as pid 1's child its death would be an exit of the shell, so it is exec'd. */
export const HUNGRY = `
apiVersion: gantry/v1
kind: App
metadata: { name: hungry }
services:
  eater:
    image: hello:1
    command: [/bin/sh, -c, 'sleep 1; exec dd if=/dev/zero of=/dev/null bs=100M count=1']
    replicas: 1
    restart: { policy: always, max_attempts: 1, delay: 1s }
    resources: { limits: { memory: 24Mi } }
`;

/** What a task of the example answers. */
export function helloOf(task: Item): string {
  return `hello from ${String(task['name'])} on ${String(task['node'])}`;
}

/** What the tasks answer at their own addresses, asked from a node, sorted. */
export async function answersFrom(cluster: DevCluster, node: string, tasks: readonly Item[]): Promise<readonly string[]> {
  const { stdout } = await cluster.onNode(node, 'curl', '-s', '-m', '5', ...tasks.map(task => `http://${String(task['address'])}/`));
  return stdout.trim().split('\n').sort();
}

/** Of the task's attempt, as the kernel holds them. */
export async function limitsOf(cluster: DevCluster, task: Item | undefined): Promise<{ readonly memory: number; readonly pids: number }> {
  const node = cluster.layout.nodes.find(one => one.name === task?.['node']);
  const group = `${node?.scope ?? ''}/${String(task?.['id'])}/gantry-${String(task?.['id'])}-${String(task?.['attempt'])}`;
  const [memory, pids] = await Promise.all([readLimit(group, ['memory.limit_in_bytes', 'memory.max']), readLimit(group, ['pids.max'])]);
  return { memory, pids };
}

/** The first of `names` that a control group of this path has, in whatever hierarchy. */
async function readLimit(group: string, names: readonly string[]): Promise<number> {
  for (const mount of await cgroupMounts()) {
    for (const name of names) {
      const text = readIfThere(`${mount}/${group}/${name}`);
      if (text !== undefined) {
        return Number(text);
      }
    }
  }
  throw new Error(`control group ${group} has none of ${names.join(', ')}`);
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // Another hierarchy has it.
    return undefined;
  }
}
