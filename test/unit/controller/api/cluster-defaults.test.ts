import test from 'ava';
import { withClusterDefaults } from '../../../../controller/api/cluster-defaults.ts';
import { appOf } from '../../../support/manifest.ts';

const app = appOf({
  apiVersion: 'gantry/v1', kind: 'App', metadata: { name: 'shop' },
  services: { any: { image: 'x' }, packed: { image: 'x', placement: { policy: 'binpack' } }, spread: { image: 'x', placement: { policy: 'spread', priority: 3 } } },
});
const policies = (of: typeof app) => of.services.map(service => `${service.name} ${service.placement.policy ?? '-'}`);

test('a cluster that packs gives its policy to services that name none', t => {
  const filled = withClusterDefaults(app, { defaultPolicy: 'binpack' });
  t.deepEqual(policies(filled), ['any binpack', 'packed binpack', 'spread spread']);
  t.is(filled.services[2]?.placement.priority, 3);
});

test('one that spreads writes nothing', t => {
  t.is(withClusterDefaults(app, { defaultPolicy: 'spread' }), app);
});
