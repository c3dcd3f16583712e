import test from 'ava';
import { HeldImages } from '../../../../agent/image/held-images.ts';
import { withDebugContainer } from '../../../../agent/task/debug-flow.ts';
import type { DebugParts, DebugSession } from '../../../../agent/task/debug-flow.ts';
import { newRecord } from '../../../../agent/task/record.ts';
import { service, task, taskId } from '../../../support/builders.ts';

test('23: a task has two debug containers at a time and a node eight, and one that ended makes room', async t => {
  const endings: (() => void)[] = [];
  const parts = { debugImages: new HeldImages(), images: { ensure: () => new Promise((_, reject) => { endings.push(() => { reject(new Error('ended')); }); }) } } as unknown as DebugParts;
  const debug = (name: string): Promise<string> => {
    const record = { ...newRecord(task(service(), 'n1', { id: taskId(name) }), 1, 'boot'), slot: {} };
    const session = { record, spec: { image: 'tools', digest: 'sha256:x', command: [], environment: [] } } as unknown as DebugSession;
    return withDebugContainer(session, parts, new AbortController().signal).then(() => 'ran', (error: unknown) => (error as Error).message);
  };
  const running = [debug('ta'), debug('ta')];
  t.regex(await debug('ta'), /^debug: task .* has 2 debug containers, as many as it may have; end one first$/);
  for (const name of ['tb', 'tb', 'tc', 'tc', 'td', 'td']) running.push(debug(name));
  t.regex(await debug('te'), /^debug: node n1 has 8 debug containers/);
  endings[0]?.();
  t.is(await running[0], 'ended');
  running.push(debug('te'));
  t.is(parts.debugImages.all().length, 8);
  endings.forEach(end => { end(); });
  await Promise.all(running);
  t.deepEqual(parts.debugImages.all(), []);
});
