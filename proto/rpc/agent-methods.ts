/** The rpcs of AgentApi and PeerApi with their codecs. */
import { AgentApiDefinition } from '#gen/gantry/v1/agent.ts';
import type * as agentWire from '#gen/gantry/v1/agent.ts';
import { PeerApiDefinition } from '#gen/gantry/v1/peer.ts';
import type * as peerWire from '#gen/gantry/v1/peer.ts';
import { plainCodec } from '#codec/control-codec.ts';
import { agentMessageCodec, controllerMessageCodec, pullLoginAnswerCodec } from '#codec/session-codec.ts';
import { openTunnelCodec, serveTunnelCodec, tunnelAnswerCodec } from '#codec/tunnel-codec.ts';
import type { ControllerMessage } from '#model/session.ts';
import { encodeOnce } from './encode-once.ts';
import { method } from './method.ts';

const agent = AgentApiDefinition;
const peer = PeerApiDefinition;
const session = method(agent, agent.methods.session, agentMessageCodec, controllerMessageCodec);

export const AGENT = {
  join: method(agent, agent.methods.join, plainCodec<agentWire.JoinRequest>(), plainCodec<agentWire.JoinResponse>()),
  session: { ...session, encodeAnswer: encodeOnce(session.encodeAnswer, isForAll) },
  serveTunnel: method(agent, agent.methods.serveTunnel, serveTunnelCodec, tunnelAnswerCodec),
  pullLogin: method(agent, agent.methods.pullLogin, plainCodec<agentWire.PullLoginRequest>(), pullLoginAnswerCodec),
  renewExpired: method(agent, agent.methods.renewExpired, plainCodec<agentWire.RenewExpiredRequest>(), plainCodec<agentWire.RenewExpiredResponse>()),
  renew: method(agent, agent.methods.renew, plainCodec<agentWire.RenewRequest>(), plainCodec<agentWire.RenewResponse>()),
};

export const PEER = {
  relay: method(peer, peer.methods.relay, openTunnelCodec, tunnelAnswerCodec),
  awaitEndpoints: method(peer, peer.methods.awaitEndpoints, plainCodec<peerWire.AwaitEndpointsRequest>(), plainCodec<peerWire.AwaitEndpointsResponse>()),
  hearsNode: method(peer, peer.methods.hearsNode, plainCodec<peerWire.HearsNodeRequest>(), plainCodec<peerWire.HearsNodeResponse>()),
};

/** Of these each session gets the same object. */
function isForAll({ kind }: ControllerMessage): boolean {
  return kind === 'endpoints' || kind === 'endpoint-change';
}
