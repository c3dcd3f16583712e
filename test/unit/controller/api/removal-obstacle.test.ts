import test from 'ava';
import { removalObstacle } from '../../../../controller/api/removal-obstacle.ts';
import { node, service, status, task } from '../../../support/builders.ts';
import { snapshot } from '../../../support/builders.ts';

const web = service();
const one = task(web, 'n1');
const since = (ms: number): { lostForMs: () => number } => ({ lostForMs: () => ms });
const holds = test.macro({
  exec(t, condition: 'ready' | 'silent' | 'lost', phase: 'running' | 'complete', expected: RegExp | undefined) {
    const n1 = node('n1', { condition });
    const obstacle = removalObstacle(n1, snapshot({ nodes: [n1], services: [web], tasks: [one], statuses: [status(one, { phase })] }), since(0));
    if (expected === undefined) {
      t.is(obstacle, undefined);
    } else {
      t.regex(obstacle ?? '', expected);
    }
  },
  title: (name = '') => `removalObstacle: ${name}`,
});
test('a running task keeps a ready node', holds, 'ready', 'running', /^node n1 still has 1 task; drain it first/);
test('a running task keeps a silent node', holds, 'silent', 'running', /^node n1 is silent .* it has 1 task/);
test('a lost node is free of tasks that are not exclusive', holds, 'lost', 'running', undefined);
test('tasks that have ended keep no node', holds, 'ready', 'complete', undefined);
test('tasks that have ended keep no silent node', holds, 'silent', 'complete', undefined);
