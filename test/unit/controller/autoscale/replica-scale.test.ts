import test from 'ava';
import type { Service, ServiceStatus } from '#model/app.ts';
import { autoscaleOnceRolledBack, keptScale, replicasKeptByUndo, scaleSince, withReplicas } from '../../../../controller/autoscale/replica-scale.ts';
import { T0, service, serviceStatus } from '../../../support/builders.ts';

const AUTOSCALE = { min: 2, max: 9, cpuPercent: 50, stabilizationMs: 0, upStabilizationMs: 0 };
const scaledTo = (replicas: number): Pick<ServiceStatus, 'autoscale'> => ({ autoscale: { replicas, changedAtMs: T0, reason: 'cpu', wishes: [] } });
const web = service({ replicas: 3 });
const byHand: Service = { ...service({ replicas: 1, revision: 2 }), scale: { replicas: 5, revision: 1 } };
const scaling = service({ autoscale: AUTOSCALE });

test('the next Revision keeps what scale set, not of a service that is being deleted', t => {
  t.deepEqual(keptScale(byHand, undefined), { scale: { replicas: 5, revision: 1 } });
  t.deepEqual(keptScale({ ...byHand, isDeleting: true }, undefined), {});
  t.deepEqual(keptScale(web, undefined), {});
  t.deepEqual(keptScale(undefined, undefined), {});
});

test('what autoscaling set is kept where the Revision has settled', t => {
  t.deepEqual(keptScale(scaling, serviceStatus(scaling, scaledTo(8))), { scale: { replicas: 8, revision: 1 } });
  const unsettled: Service = { ...scaling, revision: 2, scale: { replicas: 8, revision: 1 } };
  t.deepEqual(keptScale(unsettled, serviceStatus(scaling, scaledTo(3))), { scale: { replicas: 8, revision: 1 } });
});

test('a number that was set at an earlier Revision than the settled one does not count', t => {
  t.deepEqual([0, 1, 2].map(settled => scaleSince(byHand, settled)), [5, 5, undefined]);
  t.is(scaleSince(web, 1), undefined);
});

test('an undo keeps the replicas in force, and those that an unsettled apply replaced', t => {
  const settled = serviceStatus(byHand, { settledRevision: 2 });
  const unsettled = serviceStatus(byHand, { settledRevision: 1 });
  const to = (number: number) => ({ number, spec: web.spec });
  t.is(replicasKeptByUndo(byHand, settled, to(1)), 1);
  t.is(replicasKeptByUndo(byHand, unsettled, to(1)), 5);
  t.is(replicasKeptByUndo(byHand, unsettled, to(2)), 1);
  t.is(replicasKeptByUndo(byHand, undefined, to(1)), 5);
  const scaled = serviceStatus(scaling, scaledTo(6));
  t.is(replicasKeptByUndo(scaling, scaled, to(0)), 6);
  t.is(replicasKeptByUndo(scaling, scaled, { number: 0, spec: scaling.spec }), scaling.spec.replicas);
});

test('autoscaling continues from the higher number after a rollback, within its limits', t => {
  const before = (replicas: number): Service => ({ ...scaling, scale: { replicas, revision: 1 } });
  const kept = (replicas: number, status: Partial<ServiceStatus>): number | undefined => autoscaleOnceRolledBack(before(replicas), serviceStatus(scaling, status), T0).autoscale?.replicas;
  t.deepEqual([kept(8, {}), kept(8, scaledTo(3)), kept(4, scaledTo(6)), kept(50, {})], [8, 8, 6, 9]);
  t.deepEqual(autoscaleOnceRolledBack(scaling, serviceStatus(scaling), T0), {});
  t.deepEqual(autoscaleOnceRolledBack(byHand, serviceStatus(byHand, scaledTo(6)), T0), {});
});

test('only kinds that have replicas of their own get them', t => {
  t.is(withReplicas(web.spec, 7).replicas, 7);
  t.is(withReplicas(web.spec, undefined), web.spec);
  t.deepEqual((['global', 'job', 'cron'] as const).map(kind => withReplicas(service({ kind }).spec, 7).replicas), [0, 1, 1]);
});
