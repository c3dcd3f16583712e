import test from 'ava';
import { runCommand } from '#kit/command-process.ts';
import { DevCluster, eventually } from '../support/dev-cluster.ts';

const HELLO = (replicas: number, port: number): string => `
apiVersion: gantry/v1
kind: App
metadata: { name: hello }
services:
  web:
    image: hello:1
    init: true
    replicas: ${String(replicas)}
    ports: ["${String(port)}:80"]
    healthcheck: { http: { port: 80, path: / }, interval: 1s, timeout: 1s, retries: 3, start_period: 2s }
    resources: { requests: { cpus: 0.01, memory: 16Mi }, limits: { memory: 32Mi } }
`;

test.serial('hello answers on 127.0.0.1 and through a node without a task; the cluster goes without a trace (root)', async t => {
  const cluster = await DevCluster.up();
  try {
    await cluster.apply(HELLO(2, 18080), '--wait');
    const tasks = await cluster.tasks('hello/web');
    t.is(tasks.length, 2);
    const names = new Set<string>();
    await eventually('answers of both tasks', 10_000, async () => {
      const { stdout } = await runCommand('curl', ['-s', '-m', '2', 'http://127.0.0.1:18080/']);
      names.add(stdout.trim());
      return [...names].filter(name => name !== '').length === 2;
    });
    const without = cluster.layout.nodes.find(node => !tasks.some(task => task['node'] === node.name));
    const { stdout } = await runCommand('curl', ['-s', '-m', '2', `http://${without?.address ?? ''}:18080/`]);
    t.regex(stdout, /^hello from web-/);
  } finally {
    t.deepEqual(await cluster.down(), []);
  }
});
