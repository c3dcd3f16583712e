import type { ControlHandlers } from '#model/ports.ts';
import type { ClusterEvent } from '#model/event.ts';
import { boundedQueue } from './bounded-queue.ts';
import type { QueueBounds } from './bounded-queue.ts';
import { CONTROL } from './control-methods.ts';
import { ServiceBuilder } from './service-builder.ts';
import type { RpcService, ServiceOptions } from './service-builder.ts';
import { acceptTunnel } from './tunnel-end.ts';

/** Events that wait for one reader (reliability 10); an object of V8 and its four texts. */
const EVENT_QUEUE: QueueBounds<ClusterEvent> = { items: 1_000, bytes: 4 * 2 ** 20, sizeOf: ({ object, reason, message }) => 200 + 2 * (object.length + reason.length + message.length) };

/** ControlApi over its handlers, for operators. */
export function controlService(handlers: ControlHandlers, options: Omit<ServiceOptions, 'role'>): RpcService {
  return new ServiceBuilder({ ...options, role: 'operator' })
    .unary(CONTROL.apply, (request, peer) => handlers.apply(request, peer))
    .unary(CONTROL.deleteApp, (request, peer) => handlers.deleteApp(request, peer))
    .unary(CONTROL.deleteService, (request, peer) => handlers.deleteService(request, peer))
    .unary(CONTROL.scale, (request, peer) => handlers.scale(request, peer))
    .unary(CONTROL.restart, (request, peer) => handlers.restart(request, peer))
    .unary(CONTROL.changeRollout, (request, peer) => handlers.changeRollout(request, peer))
    .unary(CONTROL.undo, (request, peer) => handlers.undo(request, peer))
    .unary(CONTROL.planMoves, (request, peer) => handlers.planMoves(request, peer))
    .unary(CONTROL.moveTasks, (request, peer) => handlers.moveTasks(request, peer))
    .unary(CONTROL.runCron, (request, peer) => handlers.runCron(request, peer))
    .unary(CONTROL.stopTask, (request, peer) => handlers.stopTask(request, peer))
    .unary(CONTROL.updateResources, (request, peer) => handlers.updateResources(request, peer))
    .unary(CONTROL.setPaused, (request, peer) => handlers.setPaused(request, peer))
    .unary(CONTROL.viewPage, (request, peer) => handlers.viewPage(request, peer))
    .stream(CONTROL.watch, (filter, peer, signal) => handlers.watch(filter, peer, signal))
    .unary(CONTROL.revisions, (request, peer) => handlers.revisions(request, peer))
    .unary(CONTROL.events, (filter, peer) => handlers.events(filter, peer))
    .stream(CONTROL.watchEvents, (filter, peer, signal) => boundedQueue(handlers.watchEvents(filter, peer, signal), EVENT_QUEUE))
    .unary(CONTROL.putSecret, (request, peer) => handlers.putSecret(request, peer))
    .unary(CONTROL.listSecrets, (request, peer) => handlers.listSecrets(request, peer))
    .unary(CONTROL.deleteSecret, (request, peer) => handlers.deleteSecret(request, peer))
    .unary(CONTROL.listVolumes, (request, peer) => handlers.listVolumes(request, peer))
    .unary(CONTROL.removeVolume, (request, peer) => handlers.removeVolume(request, peer))
    .unary(CONTROL.putNamespace, (request, peer) => handlers.putNamespace(request, peer))
    .unary(CONTROL.listNamespaces, (_, peer) => handlers.listNamespaces(peer))
    .unary(CONTROL.deleteNamespace, (request, peer) => handlers.deleteNamespace(request, peer))
    .unary(CONTROL.createToken, (request, peer) => handlers.createToken(request, peer))
    .unary(CONTROL.renewCertificate, (request, peer) => handlers.renewCertificate(request, peer))
    .unary(CONTROL.setAvailability, (request, peer) => handlers.setAvailability(request, peer))
    .unary(CONTROL.setLabels, (request, peer) => handlers.setLabels(request, peer))
    .unary(CONTROL.setTaints, (request, peer) => handlers.setTaints(request, peer))
    .unary(CONTROL.confirmLost, (request, peer) => handlers.confirmLost(request, peer))
    .unary(CONTROL.removeNode, (request, peer) => handlers.removeNode(request, peer))
    .unary(CONTROL.replaceNode, (request, peer) => handlers.replaceNode(request, peer))
    .unary(CONTROL.awaitRouted, (request, peer) => handlers.awaitRouted(request, peer))
    .unary(CONTROL.clusterStatus, (_request, peer) => handlers.clusterStatus(peer))
    .unary(CONTROL.usage, (_request, peer) => handlers.usage(peer))
    .unary(CONTROL.plan, (request, peer) => handlers.plan(request, peer))
    .unary(CONTROL.why, (request, peer) => handlers.why(request, peer))
    .unary(CONTROL.resolveImage, (request, peer) => handlers.resolveImage(request, peer))
    .unary(CONTROL.listTags, (request, peer) => handlers.listTags(request, peer))
    .unary(CONTROL.tagImage, (request, peer) => handlers.tagImage(request, peer))
    .unary(CONTROL.putRegistryLogin, (request, peer) => handlers.putRegistryLogin(request, peer))
    .unary(CONTROL.listRegistryLogins, (request, peer) => handlers.listRegistryLogins(request, peer))
    .unary(CONTROL.deleteRegistryLogin, (request, peer) => handlers.deleteRegistryLogin(request, peer))
    .duplex(CONTROL.openTunnel, async (stream, peer, signal, note) => {
      const { opening, tunnel } = await acceptTunnel(stream);
      note(opening);
      await handlers.tunnel(opening, tunnel, peer, signal);
    });
}
