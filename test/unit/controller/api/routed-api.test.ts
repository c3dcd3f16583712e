import test from 'ava';
import { createRoutedApi } from '../../../../controller/api/routed-api.ts';
import type { Peer } from '#model/ports.ts';
import { OPERATOR } from '../../../support/memory-replica.ts';

const NODE: Peer = { role: 'node', name: 'n1', address: '' };

/** Answers of this controller and of the others, and what they were asked. */
function setUp(own: boolean, others: boolean): { readonly api: ReturnType<typeof createRoutedApi>; readonly asked: (readonly number[])[] } {
  const asked: (readonly number[])[] = [];
  const answer = (isReached: boolean) => (...[revision, timeoutMs]: readonly unknown[]): Promise<boolean> => {
    asked.push([Number(revision), Number(timeoutMs)]);
    return Promise.resolve(isReached);
  };
  return { api: createRoutedApi({ endpoints: { awaitAcknowledged: answer(own) }, peers: { awaitAtPeers: answer(others) }, signal: new AbortController().signal }), asked };
}

test('it is reached when it is here and at the others', async t => {
  for (const [own, others] of [[true, true], [true, false], [false, true]] as const) {
    t.deepEqual(await setUp(own, others).api.awaitRouted({ etcdRevision: 7, timeoutMs: 100 }, OPERATOR), { isReached: own && others });
  }
});

test('a wait is at most 10 s', async t => {
  const { api, asked } = setUp(true, true);
  await api.awaitRouted({ etcdRevision: 7, timeoutMs: 3_600_000 }, OPERATOR);
  t.deepEqual(asked, [[7, 10_000], [7, 10_000]]);
});

test('it is for operators, and its numbers are 0 or more', async t => {
  const { api, asked } = setUp(true, true);
  t.like(await t.throwsAsync(api.awaitRouted({ etcdRevision: 7, timeoutMs: 1 }, NODE)), { code: 'PERMISSION_DENIED' });
  t.like(await t.throwsAsync(api.awaitRouted({ etcdRevision: 7, timeoutMs: -1 }, OPERATOR)), { code: 'INVALID_ARGUMENT' });
  t.deepEqual(asked, []);
});
