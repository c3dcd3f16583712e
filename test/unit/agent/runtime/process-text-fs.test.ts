import { spawnSync } from 'node:child_process';
import test from 'ava';
import { identify, isRunning } from '../../../../agent/runtime/container-record-fs.ts';
import { childrenOf, hasChildOutside } from '../../../../agent/runtime/process-children-fs.ts';
import { processText } from '../../../../agent/runtime/process-text-fs.ts';
import { failureWith } from '../../../support/taken-descriptors.ts';

test('a process that is gone has no text, and no identity', t => {
  const { pid } = spawnSync('true');
  t.is(processText(pid, 'stat'), undefined);
  t.is(identify(pid), undefined);
  t.is(childrenOf(pid)?.length ?? 0, 0);
});

test('F11: a process is not taken for gone by an agent without a free descriptor', async t => {
  const own = identify(process.pid);
  t.truthy(own);
  if (own === undefined) return;
  for (const look of [() => isRunning(own), () => identify(own.pid), () => childrenOf(own.pid), () => hasChildOutside(own.pid, 'none')]) {
    t.like(await failureWith(0, look), { code: 'EMFILE' });
  }
  t.true(isRunning(own));
});
