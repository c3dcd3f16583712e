import type * as control from '#gen/gantry/v1/control.ts';
import type * as wire from '#gen/gantry/v1/types.ts';
import type { Namespace, NamespaceQuota, NamespaceView } from '#model/namespace.ts';
import type { ControlHandlers } from '#model/ports.ts';
import { profileCodec } from './container-codec.ts';
import type { Codec } from './wire.ts';
import { optional, present } from './wire.ts';

type PutNamespace = Parameters<ControlHandlers['putNamespace']>[0];

export const namespaceCodec: Codec<Namespace, wire.Namespace> = {
  toWire: namespace => ({ ...namespace, profile: profileCodec.toWire(namespace.profile) }),
  fromWire: namespace => present({ ...namespace, profile: profileCodec.fromWire(namespace.profile), quota: optional(namespace.quota, quotaFromWire) }),
};

export const namespaceViewCodec: Codec<NamespaceView, control.NamespaceView> = {
  toWire: view => ({ ...view, profile: profileCodec.toWire(view.profile) }),
  fromWire: view => present({
    ...view, profile: profileCodec.fromWire(view.profile), quota: optional(view.quota, quotaFromWire), used: optional(view.used, quotaFromWire),
  }),
};

export const putNamespaceCodec: Codec<PutNamespace, control.PutNamespaceRequest> = {
  toWire: request => ({ ...request, profile: optional(request.profile, profileCodec.toWire), bindPrefixes: optional(request.bindPrefixes, paths => ({ paths })) }),
  fromWire: request => present({ ...request, profile: optional(request.profile, profileCodec.fromWire), bindPrefixes: request.bindPrefixes?.paths, quota: optional(request.quota, quotaFromWire) }),
};

function quotaFromWire(quota: wire.Quota): NamespaceQuota {
  return present({ ...quota, devices: quota.devices.map(present) });
}
