import type * as control from '#gen/gantry/v1/control.ts';
import { ServiceChange } from '#gen/gantry/v1/control.ts';
import type * as stored from '#gen/gantry/v1/stored.ts';
import type * as wire from '#gen/gantry/v1/types.ts';
import type { App, AppSpec, Revision, SecretSpec, SecretVersion } from '#model/app.ts';
import { appId, parseAppId } from '#model/ids.ts';
import type { ApplyOutcome } from '#model/ports.ts';
import { serviceSpecCodec, volumeSpecCodec } from './service-codec.ts';
import type { Codec } from './wire.ts';
import { enumCodec, ownBytes, present, required } from './wire.ts';

type Change = ApplyOutcome['services'][number]['change'];

const changeCodec = enumCodec<Change, ServiceChange>('service change', {
  created: ServiceChange.SERVICE_CHANGE_CREATED,
  updated: ServiceChange.SERVICE_CHANGE_UPDATED,
  unchanged: ServiceChange.SERVICE_CHANGE_UNCHANGED,
  removed: ServiceChange.SERVICE_CHANGE_REMOVED,
});

export const appCodec: Codec<App, wire.App> = {
  toWire: app => app,
  fromWire: app => present({ ...app, id: parseAppId(appId(app.namespace, app.name)) }),
};

export const revisionCodec: Codec<Revision, wire.Revision> = {
  toWire: revision => ({ ...revision, services: revision.services.map(serviceSpecCodec.toWire) }),
  fromWire: revision => present({
    ...revision,
    app: parseAppId(revision.app),
    services: revision.services.map(serviceSpecCodec.fromWire),
    volumes: revision.volumes.map(volumeSpecCodec.fromWire),
    pins: required(revision.pins, 'revision.pins'),
  }),
};

export const appSpecCodec: Codec<AppSpec, control.AppSpec> = {
  toWire: app => ({
    ...app,
    services: app.services.map(serviceSpecCodec.toWire),
    secrets: app.secrets.map(secret => ({ name: secret.name, content: secret.kind === 'content' ? secret.content : undefined })),
  }),
  fromWire: app => ({
    ...app,
    services: app.services.map(serviceSpecCodec.fromWire),
    configs: app.configs.map(({ name, content }) => ({ name, content: ownBytes(content) })),
    secrets: app.secrets.map(secretSpecFromWire),
    volumes: app.volumes.map(volumeSpecCodec.fromWire),
  }),
};

export const applyOutcomeCodec: Codec<ApplyOutcome, control.ApplyOutcome> = {
  toWire: outcome => ({
    ...outcome,
    services: outcome.services.map(({ change, ...rest }) => ({ ...rest, change: changeCodec.toWire(change) })),
  }),
  fromWire: outcome => ({
    ...outcome,
    services: outcome.services.map(({ change, ...rest }) => present({ ...rest, change: changeCodec.fromWire(change) })),
  }),
};

export const secretVersionCodec: Codec<SecretVersion, stored.SecretVersion> = {
  toWire: secret => secret,
  fromWire: secret => ({ ...secret, nonce: ownBytes(secret.nonce), sealed: ownBytes(secret.sealed) }),
};

function secretSpecFromWire({ name, content }: control.AppSpec_Secret): SecretSpec {
  return content === undefined ? { name, kind: 'external' } : { name, kind: 'content', content: ownBytes(content) };
}
