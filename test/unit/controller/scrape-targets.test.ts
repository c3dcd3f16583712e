import test from 'ava';
import { scrapeTargets } from '../../../controller/scrape-targets.ts';
import { node, snapshot } from '../../support/builders.ts';

test('targets are the controllers that are alive and the nodes that serve metrics, by address', t => {
  const current = snapshot({ nodes: [node('n1', { address: '10.9.0.2', metricsAddress: '10.0.0.2:7402' }), node('n2')], controllers: [{ id: 'c1', apiAddress: 'a:1', metricsAddress: '10.0.0.1:7401', startedAtMs: 0 }] });
  t.deepEqual(scrapeTargets(current), [
    { targets: ['10.0.0.1:7401'], labels: { job: 'gantry-controller', controller: 'c1' } },
    { targets: ['10.0.0.2:7402'], labels: { job: 'gantry-agent', node: 'n1' } },
  ]);
});
