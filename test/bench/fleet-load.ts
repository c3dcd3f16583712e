/** What the bench `fleet` has its cluster run. */
import { randomUUID } from 'node:crypto';
import type { ControlClient, ServiceView } from '#model/ports.ts';
import { parseManifests, readManifests } from '../../cli/manifest.ts';

/** By digest: no registry is asked. */
const IMAGE = `localhost:5000/bench@sha256:${'a'.repeat(64)}`;

export interface FleetApp {
  readonly app: string;
  readonly replicas: number;
  /** Another one is another revision. */
  readonly mark?: string;
  readonly memory?: string;
  readonly maxSurge?: number;
}

export async function applyApp(client: ControlClient, wanted: FleetApp): Promise<void> {
  const documents = parseManifests([{ name: 'fleet.yaml', bytes: Buffer.from(manifestOf(wanted)) }], new Map());
  const { apps: [first], problems } = readManifests(documents, 'default', () => new Map());
  if (first === undefined) throw new Error(`the bench's own manifest is refused: ${JSON.stringify(problems)}`);
  await client.apply({ requestId: randomUUID(), app: first.app, isDryRun: false });
}

export async function serviceOf(client: ControlClient, app: string): Promise<ServiceView | undefined> {
  return (await client.view({ app, withoutTasks: true })).services[0];
}

function manifestOf({ app, replicas, mark = '1', memory = '16Mi', maxSurge = 1 }: FleetApp): string {
  return [
    'apiVersion: gantry/v1', 'kind: App', `metadata: { name: ${app} }`, 'services:', '  web:', `    image: ${IMAGE}`,
    `    replicas: ${String(replicas)}`, `    environment: { MARK: "${mark}" }`,
    `    resources: { requests: { cpus: 0.01, memory: ${memory} }, limits: { pids: 32 } }`,
    `    update: { max_surge: ${String(maxSurge)}, monitor: 1s }`, '',
  ].join('\n');
}
