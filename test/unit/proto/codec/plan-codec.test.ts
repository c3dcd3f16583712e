import test from 'ava';
import * as wire from '#gen/gantry/v1/control.ts';
import { PlanRecord } from '#gen/gantry/v1/stored.ts';
import { clusterPlanCodec, planRecordCodec, planRequestCodec, whyAnswerCodec, whyRequestCodec } from '#codec/plan-codec.ts';
import { testRoundTrip } from '../../../support/round-trip.ts';
import { clusterPlan, planRequest, whyAnswer, whyRequest } from '../../../support/plan-arbitraries.ts';
import { planRecord } from '../../../support/wire-arbitraries.ts';

testRoundTrip('plan request', planRequestCodec, wire.PlanRequest, planRequest);
testRoundTrip('plan', clusterPlanCodec, wire.PlanResponse, clusterPlan);
testRoundTrip('why request', whyRequestCodec, wire.WhyRequest, whyRequest);
testRoundTrip('why', whyAnswerCodec, wire.WhyResponse, whyAnswer);
testRoundTrip('saved plan', planRecordCodec, PlanRecord, planRecord);

test('a why about nothing, and a fix of nothing, are refused', t => {
  t.throws(() => whyRequestCodec.fromWire({}), { message: /target is missing/ });
  t.throws(() => whyAnswerCodec.fromWire({ target: '', state: '', reasons: [], fix: { sentence: '' } }), { message: /fix.edit is missing/ });
});
