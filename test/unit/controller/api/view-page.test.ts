import test from 'ava';
import { ClusterError } from '#model/errors.ts';
import type { ClusterView, ViewPage } from '#model/ports.ts';
import { pageOf } from '../../../../controller/api/view-page.ts';
import { service, status, T0, task, taskId } from '../../../support/builders.ts';

const CONTEXT = { key: 'cluster', nowMs: T0 };
const web = service();
const tasks = ['ta', 'tb', 'tc', 'td', 'te'].map((id, slot) => {
  const one = task(web, 'n1', { id: taskId(id), slot });
  return { task: one, status: status(one), state: 'running' as const };
});
const view: ClusterView = { etcdRevision: 7, apps: [], services: [], tasks, pending: [{ service: web.id, slot: 9, reason: 'no' }], nodes: [] };

function page(pageSize: number, pageToken?: string, of: ClusterView = view, context = CONTEXT, namespace?: string): ViewPage {
  return pageOf(of, { filter: namespace === undefined ? {} : { namespace }, pageSize, ...(pageToken === undefined ? {} : { pageToken }) }, context);
}
const idsOf = ({ view: { tasks: some } }: ViewPage): readonly string[] => some.map(one => one.task.id.slice(0, 2));

test('every task is in exactly one page; other lists are in the first alone', t => {
  const first = page(2);
  const second = page(2, first.nextPageToken);
  const third = page(2, second.nextPageToken);
  t.deepEqual([first, second, third].map(idsOf), [['ta', 'tb'], ['tc', 'td'], ['te']]);
  t.is(third.nextPageToken, undefined);
  t.deepEqual([first, second].map(one => one.view.pending.length), [1, 0]);
});

test('a task that goes or comes between pages moves no other out of the list', t => {
  const { nextPageToken } = page(2);
  t.deepEqual(idsOf(page(9, nextPageToken, { ...view, etcdRevision: 8, tasks: tasks.slice(1) })), ['tc', 'td', 'te']);
});

test('no size is one page', t => {
  t.deepEqual([idsOf(page(0)).length, page(0).nextPageToken], [5, undefined]);
});

test('a token of another list, of another cluster, changed by one byte, too old or of a later revision is refused', t => {
  const token = page(2).nextPageToken ?? '';
  const changed = Array.from(token, (letter, index) => token.slice(0, index) + (letter === 'A' ? 'B' : 'A') + token.slice(index + 1));
  const tries: readonly (() => unknown)[] = [
    ...changed.map(text => () => page(2, text)), () => page(2, ''), () => page(2, `${token}A`), () => page(2, `${token}=`),
    () => page(2, token, view, CONTEXT, 'prod'), () => page(2, token, view, { ...CONTEXT, key: 'other' }),
    () => page(2, token, view, { ...CONTEXT, nowMs: T0 + 300_001 }), () => page(2, token, { ...view, etcdRevision: 6 }),
  ];
  for (const attempt of tries) {
    const error = t.throws(attempt, { instanceOf: ClusterError, message: /page token is not valid any more; start again/ });
    t.is(error.code, 'INVALID_ARGUMENT');
    t.is(error.violations[0]?.path, 'page_token');
  }
});

test('a size that is none is refused', t => {
  for (const size of [-1, 10_001, 0.5]) {
    t.throws(() => page(size), { message: /page_size/ });
  }
});
