/** Calls of every kind of caller, and what came of them. */
import { mkdtempSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import path from 'node:path';
import { connect as connectTls } from 'node:tls';
import { createSigningRequest } from '#identity/certificate-authority.ts';
import { parseJoinToken } from '#identity/join-token-parse.ts';
import { runCommand } from '#kit/command-process.ts';
import { CLOSED_NODE_POLICY } from '#model/node.ts';
import { ClusterError } from '#model/errors.ts';
import { parseNodeId } from '#model/ids.ts';
import type { TaskId } from '#model/ids.ts';
import type { ControlClient } from '#model/ports.ts';
import type { Registration } from '#model/session.ts';
import { connectAgent, joinCluster } from '#rpc/agent-client.ts';
import { createControlClient } from '#rpc/control-client.ts';
import type { TlsIdentity } from '#rpc/tls-fs.ts';
import { saveContexts } from '../../cli/context-fs.ts';
import type { PemSource } from '../../cli/context.ts';
import type { DevCluster } from './dev-cluster.ts';

const CLUSTERCTL = path.resolve(import.meta.dirname, '../../deploy/bin/clusterctl');

export interface OddContext {
  readonly controllers?: readonly string[];
  readonly ca?: PemSource;
  readonly certificate: PemSource;
  readonly key: PemSource;
}

/** clusterctl with a context of its own. */
export async function ctlWith(cluster: DevCluster, context: OddContext, ...args: readonly string[]): ReturnType<typeof runCommand> {
  const home = mkdtempSync(path.join(cluster.home, 'home-'));
  await saveContexts(path.join(home, '.config/gantry/config.yaml'), {
    current: 'odd',
    contexts: [{ name: 'odd', controllers: context.controllers ?? [`${cluster.layout.hostAddress}:${String(cluster.layout.controllers[0]?.apiPort ?? 0)}`], ca: context.ca ?? { kind: 'inline', pem: cluster.operatorIdentity().caPem }, certificate: context.certificate, key: context.key }],
  });
  return await runCommand(CLUSTERCTL, args, { environment: { HOME: home, NO_COLOR: '1' }, timeoutMs: 30_000 });
}

export async function ctlAs(cluster: DevCluster, identity: TlsIdentity, ...args: readonly string[]): ReturnType<typeof runCommand> {
  return await ctlWith(cluster, { certificate: { kind: 'inline', pem: identity.pair?.certificatePem ?? '' }, key: { kind: 'inline', pem: identity.pair?.keyPem ?? '' } }, ...args);
}

/** The code of the refusal; `done` when there was none. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'done';
  } catch (error) {
    return error instanceof ClusterError ? error.code : String(error);
  }
}

/** What a node without anything would say first. */
export function registration(node: string, change: Partial<Registration> = {}): Registration {
  return {
    kind: 'register', node: parseNodeId(node), agentVersion: '0', bootId: 'b', address: '10.161.0.250', capacity: { milliCpu: 1, memoryBytes: 1 }, pids: 1,
    labels: new Map(), policy: CLOSED_NODE_POLICY, runtimes: [], architecture: 'amd64', metricsAddress: '', snapshotter: 'overlay', hasDeadman: true, networkFault: '', listeningPorts: [], capabilities: [], cpus: '0-3', takesEndpointChanges: true, statuses: [], previousNonce: '', nextNonce: 'a', knownRevision: 0, clusterId: '', ...change,
  };
}

/** What a session with this first message ends with. */
export async function sessionEnd(address: string, identity: TlsIdentity, first: Registration): Promise<string> {
  const connection = connectAgent(address, identity);
  const session = connection.session();
  session.send(first);
  try {
    for await (const message of session.receive()) {
      if (message.kind === 'refused') {
        return message.code;
      }
    }
    return 'ended';
  } catch (error) {
    return error instanceof ClusterError ? `${error.code}: ${error.message}` : String(error);
  } finally {
    connection.close();
  }
}

/** A node's identity by a token. @throws ClusterError as the controller says */
export async function join(address: string, token: string, nodeName: string): Promise<TlsIdentity> {
  const { csrPem, keyPem } = await createSigningRequest();
  const { caSha256 } = parseJoinToken(token);
  const issued = await joinCluster({ address, token, caSha256, nodeName, csrPem });
  return { caPem: issued.caPem, pair: { certificatePem: issued.certificatePem, keyPem } };
}

/** Why a TCP or TLS dial did not lead anywhere; `open` when it did. */
export async function dial(host: string, port: number, ca?: string): Promise<string> {
  return await new Promise(resolve => {
    const socket = ca === undefined ? connectTcp({ host, port }) : connectTls({ host, port, ca, rejectUnauthorized: false });
    const end = (what: string): void => { socket.destroy(); resolve(what); };
    socket.on('error', (error: Error) => { end(error.message); });
    socket.on('data', () => { end('open'); });
    socket.on('close', () => { end('closed'); });
    socket.setTimeout(5_000, () => { end('open'); });
  });
}

/** `CODE: message` of the tunnel's end. */
export async function endOf(client: ControlClient, task: TaskId): Promise<string> {
  const tunnel = client.openTunnel({ task, spec: { kind: 'exec', command: ['ls'], tty: false, stdin: false, environment: [] } }, new AbortController().signal);
  try {
    for await (const frame of tunnel.frames) {
      if (frame.kind === 'error') {
        return `${frame.code}: ${frame.message}`;
      }
    }
    return 'ended';
  } catch (error) {
    return error instanceof ClusterError ? `${error.code}: ${error.message}` : String(error);
  }
}

/** Resolves when each controller answered. */
export async function probeControllers(cluster: DevCluster): Promise<void> {
  for (const controller of cluster.layout.controllers) {
    const one = createControlClient({ controllers: [`${cluster.layout.hostAddress}:${String(controller.apiPort)}`], identity: cluster.operatorIdentity(), timeoutMs: 10_000 });
    try {
      await one.clusterStatus();
    } finally {
      one.close();
    }
  }
}
