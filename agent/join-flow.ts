import { createSigningRequest } from '#identity/certificate-authority.ts';
import { parseJoinToken } from '#identity/join-token-parse.ts';
import type { Logger } from '#kit/logger.ts';
import { ClusterError } from '#model/errors.ts';
import { joinCluster } from '#rpc/agent-client.ts';
import type { AgentConfig } from './config.ts';
import { readIdentity, writeIdentity } from './identity-fs.ts';
import { forgetInstance } from './instance-fs.ts';
import { writeJoined } from './joined-fs.ts';
import { requireOwnState } from './state-owner-fs.ts';
import type { NodeIdentity } from './identity-fs.ts';

/** The node's identity from disk, else by its join token at the first controller that answers. @throws ClusterError when neither works */
export async function haveIdentity(config: AgentConfig, log: Logger, signal: AbortSignal): Promise<NodeIdentity> {
  const held = await readIdentity(config.configDir);
  if (held !== undefined) {
    return held;
  }
  if (config.joinToken === undefined || config.controllers.length === 0) {
    throw new ClusterError('FAILED_PRECONDITION', `no certificate in ${config.configDir}: join the cluster with --join TOKEN --controllers HOST:PORT`);
  }
  return await join(config, config.joinToken, log, signal);
}

async function join(config: AgentConfig, token: string, log: Logger, signal: AbortSignal): Promise<NodeIdentity> {
  const { caSha256 } = parseJoinToken(token);
  // Before the token is spent.
  if (await requireOwnState(config.stateDir, { node: config.node, caSha256 }) !== undefined) {
    log.info({ stateDir: config.stateDir }, 'the state of an earlier life of this node is there: its images and volumes are used again; tasks that the cluster does not know any more are stopped');
  }
  const { csrPem, keyPem } = await createSigningRequest();
  let last: unknown;
  for (const address of config.controllers) {
    try {
      const issued = await joinCluster({ address, token, caSha256, nodeName: config.node, csrPem }, signal);
      const identity = { caPem: issued.caPem, certificatePem: issued.certificatePem, keyPem };
      await forgetInstance(config.configDir);
      // Before the identity: with one, the agent does not join again.
      await writeJoined(config.configDir, { controllers: issued.controllers, joinAddress: address });
      await writeIdentity(config.configDir, identity);
      log.info({ controller: address }, 'joined the cluster');
      return identity;
    } catch (error) {
      last = error;
      log.warn({ controller: address, err: error }, 'join did not work here');
    }
  }
  throw last;
}
