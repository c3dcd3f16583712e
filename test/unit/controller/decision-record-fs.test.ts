import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { parseRecordLine } from '../../../controller/decision-record.ts';
import type { RecordLine } from '../../../controller/decision-record.ts';
import { DecisionRecordFile } from '../../../controller/decision-record-fs.ts';
import type { RecordLimits } from '../../../controller/decision-record-fs.ts';
import { silentLogger } from '../../support/silent-logger.ts';

const START = { kind: 'start', controller: 'c1', version: '0', startedAtMs: 0 } as const;
const batch = (etcdRevision: number): Extract<RecordLine, { readonly kind: 'batch' }> => ({ kind: 'batch', batch: { etcdRevision, changes: [] } });
const WIDE: RecordLimits = { maxBytes: 1e6, maxWaitingBytes: 1e6 };

async function recordPath(t: ExecutionContext): Promise<string> {
  const dir = await mkdtemp(path.join(tmpdir(), 'gantry-record-'));
  t.teardown(async () => { await rm(dir, { recursive: true }); });
  return path.join(dir, 'record');
}

/** The lines once `isThere` says that they are all there. */
async function linesWhen(file: string, isThere: (lines: readonly RecordLine[]) => boolean): Promise<readonly RecordLine[]> {
  for (;;) {
    // What follows the last newline is still being written.
    const lines = (await readFile(file, 'utf8').catch(() => '')).split('\n').slice(0, -1).filter(line => line !== '').map(parseRecordLine);
    if (isThere(lines)) {
      return lines;
    }
    await setImmediate();
  }
}

test('its size counts over all lives of the controller', async t => {
  const file = await recordPath(t);
  new DecisionRecordFile(file, START, silentLogger, WIDE).input(batch(1));
  await linesWhen(file, lines => lines.length === 2);
  const { length } = await readFile(file);
  const second = new DecisionRecordFile(file, { ...START, startedAtMs: 1 }, silentLogger, { ...WIDE, maxBytes: length + 100 });
  second.input(batch(2));
  second.input(batch(3));
  t.deepEqual((await linesWhen(file, lines => lines.length >= 3)).map(line => line.kind), ['start', 'batch', 'start']);
  t.true((await readFile(file)).length <= length + 101);
});

test('what comes while too much waits for the disk is left out, and counted', async t => {
  const file = await recordPath(t);
  const record = new DecisionRecordFile(file, START, silentLogger, { ...WIDE, maxWaitingBytes: 100_000 });
  const count = 10_000;
  for (let revision = 1; revision <= count; revision += 1) {
    record.input(batch(revision));
  }
  const lines = await linesWhen(file, all => all.some(line => line.kind === 'gap'));
  const gap = lines.find(line => line.kind === 'gap');
  t.is(lines.filter(line => line.kind === 'batch').length + (gap?.lines ?? 0), count);
  t.true((gap?.lines ?? 0) > 1_000);
  record.input(batch(count + 1));
  t.deepEqual((await linesWhen(file, all => all.length > lines.length)).at(-1), batch(count + 1), 'and it goes on');
});
