import test from 'ava';
import { RecentItems } from '#news/recent-items.ts';
import { ALL_EVENTS, eventSubject, usageSubject } from '#news/subject-rules.ts';
import { parseNodeId } from '#model/ids.ts';

test('a slow reader loses the oldest', async t => {
  const items = new RecentItems<number>(2);
  t.true(items.push(1));
  t.true(items.push(2));
  t.false(items.push(3));
  const stop = new AbortController();
  const seen: number[] = [];
  for await (const item of items.read(stop.signal)) {
    seen.push(item);
    if (item === 3) {
      stop.abort();
    }
  }
  t.deepEqual(seen, [2, 3]);
});

test('a waiting reader gets what comes, and ends with its signal', async t => {
  const items = new RecentItems<number>(2);
  const stop = new AbortController();
  const reader = items.read(stop.signal);
  const next = reader.next();
  items.push(5);
  t.deepEqual(await next, { done: false, value: 5 });
  const last = reader.next();
  stop.abort();
  t.deepEqual(await last, { done: true, value: undefined });
});

test('subjects have three tokens, whatever the object is named', t => {
  t.is(eventSubject('task/abcdefghijkl'), 'gantry.events.task');
  t.is(eventSubject('service/a/b.>/c'), 'gantry.events.service');
  t.is(eventSubject('>/x'), 'gantry.events.other');
  t.is(usageSubject(parseNodeId('n1')), 'gantry.usage.n1');
  t.is(ALL_EVENTS, 'gantry.events.*');
});
