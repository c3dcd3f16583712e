import test from 'ava';
import { parseNodeId } from '#model/ids.ts';
import { describeAbsence } from '../../../../controller/tunnel/node-absence.ts';
import { node, T0 } from '../../../support/builders.ts';

const N1 = parseNodeId('n1');
const said = (condition: 'ready' | 'silent' | 'lost'): string => describeAbsence('node n1 of task k3f9', N1, { ...node('n1', { condition }), conditionSinceMs: T0 });

test('a node that does not answer is told with its condition, since when, and what to do', t => {
  for (const condition of ['silent', 'lost'] as const) {
    t.is(said(condition), `node n1 of task k3f9 is ${condition} since ${new Date(T0).toISOString()}: no sign of life of its agent; `
      + 'start the agent there (systemctl start gantry-agent; of a local cluster clusterctl dev start n1), or give the node up with clusterctl node rm n1');
  }
});
test('a node whose silence was not counted yet may be back in a moment', t => {
  t.regex(said('ready'), /^node n1 of task k3f9 is not connected now: .*; try again in a few seconds, or see clusterctl describe node\/n1$/);
  t.is(describeAbsence('node n1 of task k3f9', N1, undefined), said('ready'));
});
