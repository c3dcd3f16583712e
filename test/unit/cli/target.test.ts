import test from 'ava';
import { describeFound, findTargets, parseTarget, parseType, requireRunningTask, requireTarget } from '../../../cli/target.ts';
import { node, resources, T0 } from '../../support/builders.ts';
import { clusterView, taskView, WEB } from '../../support/cluster-view.ts';

const VIEW = clusterView();

const means = test.macro({
  exec(t, text: string, expected: readonly string[]) { t.deepEqual(findTargets(parseTarget(text), VIEW).map(describeFound), expected); },
  title: (_, text) => `${JSON.stringify(text)} as a target`,
});
test(means, 'svc/shop/web', ['service/shop/web']);
test(means, 'shop/web', ['service/shop/web']);
test(means, 'web', ['service/shop/web']);
test(means, 'default/shop/web', ['service/shop/web']);
test(means, 'job/shop/web', ['service/shop/web']);
test(means, 'node/n1', ['node/n1']);
test(means, 'n1', ['node/n1']);
test(means, 'app/shop', ['app/shop']);
test(means, 'task/webaaaaaaaaa', ['task/webaaaaaaaaa']);
test(means, 'webb', ['task/webbaaaaaaaa']);
test(means, 'web-1-webba', ['task/webbaaaaaaaa']);
test(means, 'web-1', ['task/webbaaaaaaaa']);
test(means, 'shop/web-1', ['task/webbaaaaaaaa']);
test(means, 'default/shop/web-1', ['task/webbaaaaaaaa']);
test(means, 'task/shop/web-1', ['task/webbaaaaaaaa']);
test(means, 'web.1', ['task/webbaaaaaaaa']);
test(means, 'shop/web.0', ['task/webaaaaaaaaa']);
test(means, 'svc/web-1', []);
test(means, 'blog/web-1', []);
test(means, 'web-7', []);
test(means, 'shop/nope', []);
test(means, 'node/web', []);

test('a replica that is not there: the error names those that are', t => {
  t.throws(() => requireTarget('shop/web-7', VIEW, ['service', 'task']), {
    code: 'NOT_FOUND', message: "service/shop/web has no replica 'shop/web-7'; it has web-0, web-1; see clusterctl ps -n default shop/web",
  });
});

test('an ambiguous name is refused with what it may mean', t => {
  const view = clusterView({ services: [...VIEW.services, ...VIEW.services.map(one => ({ ...one, service: { ...one.service, app: 'blog' } }))] });
  t.throws(() => requireTarget('web', view, ['service']), { message: "'web' may mean service/shop/web or service/blog/web; write one of them" });
});

test('a name that is nowhere', t => {
  t.throws(() => requireTarget('nope', VIEW, ['service', 'task']), { message: "no service or task is named 'nope'; see clusterctl get svc -A" });
  t.throws(() => requireTarget('nope', { ...VIEW, namespace: 'prod' }, ['service', 'task']), { message: "no service or task is named 'nope' in namespace 'prod'; see clusterctl get svc -A" });
  t.throws(() => requireTarget('nope', { ...VIEW, namespace: 'prod' }, ['node']), { message: "no node is named 'nope'; see clusterctl get nodes -A" });
});

test('of a name with its type, or of a type without a name, that is said', t => {
  t.throws(() => requireTarget('svc/nope', VIEW, ['service', 'task', 'app']), { message: "no service is named 'nope'; see clusterctl get svc -A" });
  t.throws(() => requireTarget('node/nope', { ...VIEW, namespace: 'prod' }, ['service', 'node']), { message: "no node is named 'nope'; see clusterctl get nodes -A" });
  t.throws(() => requireTarget('apps', VIEW, ['app', 'service']), { message: "'apps' is a type; write apps/NAME" });
});

test('what get lists elsewhere is said', t => {
  t.throws(() => parseType('pods'), { message: "unknown type 'pods'; see: clusterctl ps" });
  t.throws(() => parseType('pvc'), { message: "unknown type 'pvc'; see: clusterctl get volumes" });
});

test('types have short forms and the nearest is named', t => {
  t.deepEqual(['svc', 'no', 'tasks', 'apps'].map(parseType), ['service', 'node', 'task', 'app']);
  t.throws(() => parseType('nodse'), { message: "unknown type 'nodse'; did you mean 'node'?" });
  t.throws(() => parseType('constructor'), { message: /unknown type/ });
});

test('a service stands for its first running task', t => {
  t.is(requireRunningTask('shop/web', VIEW).task.slot, 0);
  const view = clusterView({ tasks: [taskView(WEB, 0, 'n1', { phase: 'failed' }), taskView(WEB, 1, 'n1')] });
  t.is(requireRunningTask('shop/web', view).task.slot, 1);
});

test('a task that does not run says its state', t => {
  const view = clusterView({ tasks: [taskView(WEB, 0, 'n1', { phase: 'complete' })] });
  t.throws(() => requireRunningTask('shop/web', view), { message: 'service/shop/web is not running (web-0-webaa is complete)' });
});

test('of a service that does not run, tasks that ended are told only where there is no other', t => {
  const ended = taskView(WEB, 0, 'n1', { phase: 'complete' });
  const later = { ...taskView(WEB, 2, 'n1', { phase: 'failed' }), task: { ...taskView(WEB, 2, 'n1').task, createdAtMs: T0 + 1 } };
  t.throws(() => requireRunningTask('shop/web', clusterView({ tasks: [ended, taskView(WEB, 1, 'n1', { phase: 'pulling' })] })), { message: 'service/shop/web is not running (web-1-webba is pulling)' });
  t.throws(() => requireRunningTask('shop/web', clusterView({ tasks: [ended, later] })), { message: `service/shop/web is not running (${later.task.name} is failed)` });
});

test('a lost task names its node, what it is and since when', t => {
  const view = clusterView({ tasks: [{ ...taskView(WEB, 0, 'n9'), state: 'lost' }] });
  const n9 = { ...node('n9', { condition: 'lost' }), conditionSinceMs: T0 };
  t.throws(() => requireRunningTask('shop/web', { ...view, nodes: [{ node: n9, ledger: { node: n9.id, requests: resources(0, 0), hostPorts: [] } }] }), {
    message: `service/shop/web is not running (web-0-webaa is lost: node n9 is lost since ${new Date(T0).toISOString()}, see clusterctl describe node/n9)`,
  });
});
