import type { AgentHandlers, JoinHandlers } from '#model/ports.ts';
import { AGENT } from './agent-methods.ts';
import { ServiceBuilder } from './service-builder.ts';
import type { RpcService, ServiceOptions } from './service-builder.ts';
import { sessionEnd } from './session-end.ts';
import { acceptTunnel } from './tunnel-end.ts';

/** AgentApi over its handlers, for nodes. */
export function agentService(handlers: AgentHandlers, options: Omit<ServiceOptions, 'role'>): RpcService {
  return new ServiceBuilder({ ...options, role: 'node' })
    .duplex(AGENT.session, (stream, peer, signal) => handlers.session(sessionEnd(stream, true), peer, signal), 'watch')
    .duplex(AGENT.serveTunnel, async (stream, peer, signal) => {
      const { opening, tunnel } = await acceptTunnel(stream);
      await handlers.tunnel(opening, tunnel, peer, signal);
    })
    .unary(AGENT.pullLogin, (request, peer) => handlers.pullLogin(request, peer))
    .unary(AGENT.renew, ({ csrPem }, peer) => handlers.renew(csrPem, peer));
}

/** For callers that have no certificate yet, or none that is valid any more: the only service of a `join` listener. */
export function joinService(handlers: JoinHandlers, options: Omit<ServiceOptions, 'role'>): RpcService {
  return new ServiceBuilder({ ...options, role: 'anyone' })
    .unary(AGENT.join, (request, peer) => handlers.join(request, peer.address))
    .unary(AGENT.renewExpired, (request, peer) => handlers.renewExpired(request, peer.address));
}
