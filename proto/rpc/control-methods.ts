/** The rpcs of ControlApi with their codecs. */
import * as wire from '#gen/gantry/v1/control.ts';
import { applyOutcomeCodec, revisionCodec } from '#codec/app-codec.ts';
import {
  aboutNode, aboutService, applyRequestCodec, changeRolloutRequestCodec, clusterStatusCodec, clusterUsageCodec, createTokenRequestCodec, doneCodec, eventFilterCodec,
  listRegistryLoginsRequestCodec, listSecretsRequestCodec, plainCodec, putSecretRequestCodec, restartRequestCodec, setAvailabilityRequestCodec, setLabelsRequestCodec, withDigest,
  moveTasksRequestCodec, planMovesRequestCodec, setPausedRequestCodec, stopTaskRequestCodec, tagImageRequestCodec, undoRequestCodec, updateResourcesRequestCodec,
} from '#codec/control-codec.ts';
import { eventCodec } from '#codec/event-codec.ts';
import { namespaceViewCodec, putNamespaceCodec } from '#codec/namespace-codec.ts';
import { clusterPlanCodec, planRequestCodec, whyAnswerCodec, whyRequestCodec } from '#codec/plan-codec.ts';
import { openTunnelCodec, tunnelAnswerCodec } from '#codec/tunnel-codec.ts';
import { clusterViewCodec, listFilterCodec, viewPageCodec, viewRequestCodec } from '#codec/view-codec.ts';
import { listVolumesRequestCodec, removeVolumeRequestCodec, volumeViewCodec } from '#codec/volume-codec.ts';
import { field, listField } from '#codec/wire.ts';
import { method } from './method.ts';

const api = wire.ControlApiDefinition;
const { methods } = api;

export const CONTROL = {
  apply: method(api, methods.apply, applyRequestCodec, field('outcome', applyOutcomeCodec)),
  deleteApp: method(api, methods.deleteApp, plainCodec<wire.DeleteAppRequest>(), doneCodec),
  deleteService: method(api, methods.deleteService, aboutService<{ requestId: string }>(), doneCodec),
  scale: method(api, methods.scale, aboutService<{ requestId: string; replicas: number }>(), doneCodec),
  restart: method(api, methods.restart, restartRequestCodec, doneCodec),
  changeRollout: method(api, methods.changeRollout, changeRolloutRequestCodec, doneCodec),
  undo: method(api, methods.undo, undoRequestCodec, field('outcome', applyOutcomeCodec)),
  planMoves: method(api, methods.planMoves, planMovesRequestCodec, field('plan', clusterPlanCodec)),
  moveTasks: method(api, methods.moveTasks, moveTasksRequestCodec, doneCodec),
  runCron: method(api, methods.runCron, aboutService<{ requestId: string }>(), aboutService<object>()),
  stopTask: method(api, methods.stopTask, stopTaskRequestCodec, doneCodec),
  updateResources: method(api, methods.updateResources, updateResourcesRequestCodec, doneCodec),
  setPaused: method(api, methods.setPaused, setPausedRequestCodec, doneCodec),
  viewPage: method(api, methods.view, viewRequestCodec, viewPageCodec),
  watch: method(api, methods.watch, field('filter', listFilterCodec), field('view', clusterViewCodec)),
  revisions: method(api, methods.revisions, plainCodec<wire.RevisionsRequest>(), listField('revisions', revisionCodec)),
  events: method(api, methods.events, field('filter', eventFilterCodec), listField('events', eventCodec)),
  watchEvents: method(api, methods.watchEvents, field('filter', eventFilterCodec), field('event', eventCodec)),
  putSecret: method(api, methods.putSecret, putSecretRequestCodec, plainCodec<wire.PutSecretResponse>()),
  listSecrets: method(api, methods.listSecrets, listSecretsRequestCodec, listField('secrets', plainCodec<wire.ListSecretsResponse_Secret>())),
  deleteSecret: method(api, methods.deleteSecret, plainCodec<wire.DeleteSecretRequest>(), doneCodec),
  listVolumes: method(api, methods.listVolumes, listVolumesRequestCodec, listField('volumes', volumeViewCodec)),
  removeVolume: method(api, methods.removeVolume, removeVolumeRequestCodec, doneCodec),
  putNamespace: method(api, methods.putNamespace, putNamespaceCodec, doneCodec),
  listNamespaces: method(api, methods.listNamespaces, doneCodec, listField('namespaces', namespaceViewCodec)),
  deleteNamespace: method(api, methods.deleteNamespace, plainCodec<wire.DeleteNamespaceRequest>(), doneCodec),
  createToken: method(api, methods.createToken, createTokenRequestCodec, plainCodec<wire.CreateTokenResponse>()),
  renewCertificate: method(api, methods.renewCertificate, plainCodec<wire.RenewCertificateRequest>(), plainCodec<wire.RenewCertificateResponse>()),
  setAvailability: method(api, methods.setAvailability, setAvailabilityRequestCodec, doneCodec),
  setLabels: method(api, methods.setLabels, setLabelsRequestCodec, doneCodec),
  setTaints: method(api, methods.setTaints, aboutNode<{ requestId: string; taints: readonly string[] }>(), doneCodec),
  confirmLost: method(api, methods.confirmLost, aboutNode<{ requestId: string }>(), doneCodec),
  removeNode: method(api, methods.removeNode, aboutNode<{ requestId: string }>(), doneCodec),
  replaceNode: method(api, methods.replaceNode, aboutNode<{ ttlMs: number; isForced: boolean }>(), plainCodec<wire.ReplaceNodeResponse>()),
  awaitRouted: method(api, methods.awaitRouted, plainCodec<wire.AwaitRoutedRequest>(), plainCodec<wire.AwaitRoutedResponse>()),
  clusterStatus: method(api, methods.clusterStatus, doneCodec, clusterStatusCodec),
  usage: method(api, methods.usage, doneCodec, clusterUsageCodec),
  plan: method(api, methods.plan, planRequestCodec, clusterPlanCodec),
  why: method(api, methods.why, whyRequestCodec, whyAnswerCodec),
  resolveImage: method(api, methods.resolveImage, plainCodec<wire.ResolveImageRequest>(), withDigest<{ image: string }>()),
  listTags: method(api, methods.listTags, plainCodec<wire.ListTagsRequest>(), plainCodec<wire.ListTagsResponse>()),
  tagImage: method(api, methods.tagImage, tagImageRequestCodec, withDigest<{ image: string }>()),
  putRegistryLogin: method(api, methods.putRegistryLogin, plainCodec<wire.PutRegistryLoginRequest>(), plainCodec<wire.PutRegistryLoginResponse>()),
  listRegistryLogins: method(api, methods.listRegistryLogins, listRegistryLoginsRequestCodec, listField('logins', plainCodec<wire.ListRegistryLoginsResponse_Login>())),
  deleteRegistryLogin: method(api, methods.deleteRegistryLogin, plainCodec<wire.DeleteRegistryLoginRequest>(), plainCodec<wire.DeleteRegistryLoginResponse>()),
  openTunnel: method(api, methods.openTunnel, openTunnelCodec, tunnelAnswerCodec),
};
