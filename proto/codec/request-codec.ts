import type * as stored from '#gen/gantry/v1/stored.ts';
import type { ClusterSettings, JoinTokenRecord, RegistryLoginRecord, RequestRecord } from '#model/records.ts';
import { parseDigest } from '#model/digest.ts';
import { applyOutcomeCodec } from './app-codec.ts';
import type { Codec } from './wire.ts';
import { ownBytes, present, WireError } from './wire.ts';

export const joinTokenCodec: Codec<JoinTokenRecord, stored.JoinTokenRecord> = { toWire: token => token, fromWire: present };

export const registryLoginCodec: Codec<RegistryLoginRecord, stored.RegistryLoginRecord> = {
  toWire: login => login,
  fromWire: login => ({ ...login, nonce: ownBytes(login.nonce), sealed: ownBytes(login.sealed) }),
};

export const clusterSettingsCodec: Codec<ClusterSettings, stored.ClusterSettings> = {
  toWire: settings => settings,
  fromWire: settings => settings,
};

export const requestRecordCodec: Codec<RequestRecord, stored.RequestRecord> = {
  toWire: record => ({ ...record, outcome: outcomeToWire(record.outcome) }),
  fromWire: record => ({ ...record, fingerprint: ownBytes(record.fingerprint), outcome: outcomeFromWire(record.outcome) }),
};

function outcomeToWire(outcome: RequestRecord['outcome']): NonNullable<stored.RequestRecord['outcome']> {
  switch (outcome.kind) {
    case 'done': return { $case: 'done', value: {} };
    case 'applied': return { $case: 'applied', value: applyOutcomeCodec.toWire(outcome.outcome) };
    case 'secret': return { $case: 'secret', value: { version: outcome.version } };
    case 'token': return { $case: 'token', value: outcome };
    case 'tagged': return { $case: 'tagged', value: outcome };
  }
}

function outcomeFromWire(outcome: stored.RequestRecord['outcome']): RequestRecord['outcome'] {
  switch (outcome?.$case) {
    case undefined: throw new WireError('request record.outcome is missing');
    case 'done': return { kind: 'done' };
    case 'applied': return { kind: 'applied', outcome: applyOutcomeCodec.fromWire(outcome.value) };
    case 'secret': return { kind: 'secret', version: outcome.value.version };
    case 'token': return { kind: 'token', ...outcome.value, nonce: ownBytes(outcome.value.nonce), sealed: ownBytes(outcome.value.sealed) };
    case 'tagged': return { kind: 'tagged', image: outcome.value.image, digest: parseDigest(outcome.value.digest) };
  }
}
