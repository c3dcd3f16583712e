import { existsSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { WORKER_ENTRIES, workerEntryUrl } from '../../../../agent/snapshot/worker-entry.ts';

test('each entry is a source file', t => {
  for (const file of Object.values(WORKER_ENTRIES)) t.true(existsSync(path.resolve(import.meta.dirname, '../../../..', file)), file);
});
test('seen from a source file, an entry is its source', t => { t.is(workerEntryUrl('pull-worker', 'file:///x/agent/image/pull-client.ts').href, 'file:///x/agent/image/pull-worker.ts'); });
test('seen from a bundle, an entry is beside it', t => { t.is(workerEntryUrl('extract-worker', 'file:///x/dist/agent.mjs').href, 'file:///x/dist/extract-worker.mjs'); });
