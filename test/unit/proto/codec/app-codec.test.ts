import test from 'ava';
import { appCodec, applyOutcomeCodec, appSpecCodec, revisionCodec, secretVersionCodec } from '#codec/app-codec.ts';
import * as control from '#gen/gantry/v1/control.ts';
import * as stored from '#gen/gantry/v1/stored.ts';
import * as wire from '#gen/gantry/v1/types.ts';
import type { App, AppSpec, Revision, SecretVersion } from '#model/app.ts';
import type { ApplyOutcome } from '#model/ports.ts';
import type { Carried } from '../../../support/round-trip.ts';
import { testRoundTrip } from '../../../support/round-trip.ts';
import { app, applyOutcome, appSpec, revision, secretVersion } from '../../../support/wire-arbitraries.ts';

export const carried: [
  Carried<App, wire.App, 'id'>, Carried<Revision, wire.Revision>, Carried<AppSpec, control.AppSpec>, Carried<ApplyOutcome, control.ApplyOutcome>,
  Carried<SecretVersion, stored.SecretVersion>,
] = [true, true, true, true, true];

testRoundTrip('app', appCodec, wire.App, app);
testRoundTrip('revision', revisionCodec, wire.Revision, revision);
testRoundTrip('app spec', appSpecCodec, control.AppSpec, appSpec);
testRoundTrip('apply outcome', applyOutcomeCodec, control.ApplyOutcome, applyOutcome);
testRoundTrip('secret version', secretVersionCodec, stored.SecretVersion, secretVersion);

test('an empty secret is not an external one', t => {
  const spec: AppSpec = {
    namespace: 'd', name: 'a', services: [], configs: [], volumes: [],
    secrets: [{ name: 'e', kind: 'external' }, { name: 'c', kind: 'content', content: new Uint8Array() }],
  };
  t.deepEqual(appSpecCodec.fromWire(control.AppSpec.decode(control.AppSpec.encode(appSpecCodec.toWire(spec)).finish())), spec);
});
