import test from 'ava';
import { omittedText, pendingOmitted } from '../../../cli/pending-omitted.ts';
import { clusterView, serviceView, WEB } from '../../support/cluster-view.ts';

test('slots that a status counts and does not list, of services that are shown', t => {
  const view = serviceView(WEB, { running: 0, healthy: 0, wanted: 5 });
  const services = [{ ...view, status: { ...view.status!, pending: [{ slot: 2, reason: 'x' }], pendingCount: 5 } }];
  t.is(pendingOmitted(clusterView({ services })), 4);
  t.is(pendingOmitted(clusterView({ services, pending: [] })), 0);
  t.is(pendingOmitted(clusterView()), 0);
});
test('none needs no words', t => {
  t.is(omittedText(0), undefined);
  t.regex(omittedText(1) ?? '', /^1 more pending slot is not listed/);
});
