/** The example App of a fresh local cluster: built, pushed, applied, answering. */
import { request } from 'node:http';
import { requireCommand } from '#kit/command-process.ts';
import { ClusterError } from '#model/errors.ts';
import type { Terminal } from '../ports.ts';
import type { ClusterFile } from './cluster-file.ts';
import { otherClusterFiles } from './cluster-fs.ts';
import { hasPublished } from './hub-network-process.ts';
import { findPortHolder } from './machine-process.ts';
import type { DevParts } from './ports.ts';
import { registryAddress } from './process-table.ts';

const EXAMPLE_PORT = 8080;
/** Where the example of a local cluster answers. */
export const EXAMPLE_URL = `http://127.0.0.1:${String(EXAMPLE_PORT)}/`;
const ANSWER_LIMIT_MS = 60_000;
const LOOK_MS = 100;
const REQUEST_LIMIT_MS = 2_000;

/** @throws ClusterError FAILED_PRECONDITION naming who listens on the example's port, or which cluster beside `name` has it published */
export async function requireFreePort(name: string): Promise<void> {
  const holder = await findPortHolder(EXAMPLE_PORT);
  if (holder !== undefined) {
    throw new ClusterError('FAILED_PRECONDITION', `port ${String(EXAMPLE_PORT)} of this machine is in use by ${holder}; end it, or start without the example: clusterctl dev up ${name} --no-example`);
  }
  for (const { layout } of await otherClusterFiles(name)) {
    if (await hasPublished(layout, EXAMPLE_PORT)) {
      throw new ClusterError('FAILED_PRECONDITION', `port ${String(EXAMPLE_PORT)} of this machine is published by the local cluster ${layout.name}; remove that with clusterctl dev down ${layout.name}, or start without the example: clusterctl dev up ${name} --no-example`);
    }
  }
}

/** An App of the example's name that is there already stays as it is. */
export async function deployExample(file: ClusterFile, parts: DevParts, terminal: Terminal): Promise<void> {
  if (!await hasExampleApp(file, parts)) {
    await buildAndApply(file, parts);
  }
  await waitForAnswer(EXAMPLE_URL, parts);
  await terminal.write(nextSteps(file));
}

async function hasExampleApp({ layout }: ClusterFile, parts: DevParts): Promise<boolean> {
  const client = await parts.connect(layout);
  try {
    return (await client.view({ namespace: 'default', app: 'hello' })).apps.length > 0;
  } finally {
    client.close();
  }
}

async function buildAndApply({ layout }: ClusterFile, parts: DevParts): Promise<void> {
  const root = `${parts.binDir}/../..`;
  await parts.say('building the images of the examples');
  await requireCommand(`${parts.binDir}/node`, [`${root}/deploy/examples/build-images.ts`, registryAddress(layout), `${layout.stateDir}/pki/ca.pem`], { timeoutMs: 300_000 });
  await parts.say('deploying hello');
  await requireCommand(`${parts.binDir}/clusterctl`, ['--context', layout.name, 'apply', '-f', `${root}/deploy/examples/hello.yaml`, '--wait'],
    { timeoutMs: ANSWER_LIMIT_MS, environment: { HOME: process.env['HOME'] ?? '/root' } });
}

async function waitForAnswer(url: string, parts: DevParts): Promise<void> {
  const deadlineMs = parts.clock.monotonicMs() + ANSWER_LIMIT_MS;
  while (!(await answers(url))) {
    if (parts.clock.monotonicMs() > deadlineMs) {
      throw new ClusterError('DEADLINE_EXCEEDED', `${url} did not answer within ${String(ANSWER_LIMIT_MS / 1000)} s; see: clusterctl describe hello/web`);
    }
    await parts.clock.sleep(LOOK_MS, parts.signal);
  }
}

async function answers(url: string): Promise<boolean> {
  return await new Promise<boolean>(resolve => {
    const call = request(url, { timeout: REQUEST_LIMIT_MS }, response => { response.resume(); resolve(response.statusCode === 200); });
    call.on('timeout', () => { call.destroy(); });
    call.on('error', () => { resolve(false); });
    call.end();
  });
}

/** Nodes, where the example answers, and what to try. */
export function nextSteps(file: ClusterFile): string {
  const nodes = file.layout.nodes.map(node => `  ${node.name}  ${node.address}`);
  const example = file.url === undefined ? [] : [
    `hello answers at ${file.url}`, '', 'try next', '  clusterctl ps', '  clusterctl scale hello/web=6 --wait',
    '  clusterctl apply -f deploy/examples/shop.yaml --wait   (then http://127.0.0.1:8081/)', '  clusterctl logs -f hello/web',
    '  clusterctl exec -it hello/web sh', '  clusterctl dev kill n1 && clusterctl dev start n1', '  npm run stop', '',
  ];
  return ['', 'nodes', ...nodes, '', ...example].join('\n');
}
