import { PassThrough } from 'node:stream';
import test from 'ava';
import { readOutputs } from '../../../../agent/runtime/output-socket.ts';
import type { OutputChunk } from '../../../../agent/runtime/output-socket.ts';
import { heldOf } from '../../../support/held-objects.ts';

const CHUNKS = 50;

async function take(output: AsyncGenerator<OutputChunk>): Promise<OutputChunk> {
  const next = await output.next();
  if (next.done === true) throw new Error('the output ended');
  return next.value;
}

test('what was taken is held no more, while the process runs on', async t => {
  const source = new PassThrough();
  const exited = Promise.withResolvers<undefined>();
  const output = readOutputs({ stdout: source }, exited.promise);
  const taken: WeakRef<object>[] = [];
  for (let index = 0; index < CHUNKS; index += 1) {
    source.write(Buffer.alloc(65_536, index));
    taken.push(new WeakRef((await take(output)).bytes));
  }
  // The newest may still be in the source's own hands.
  t.true(await heldOf(taken) <= 2);
  exited.resolve(undefined);
  source.end();
  t.true((await output.next()).done);
});

test('a source is read no faster than its chunks are taken', async t => {
  const source = new PassThrough({ highWaterMark: 1 });
  const output = readOutputs({ stdout: source }, new Promise(() => undefined));
  const isTaken = (text: string): boolean => source.write(text);
  isTaken('a');
  await output.next();
  isTaken('b');
  isTaken('c');
  await new Promise(resolve => { setImmediate(resolve); });
  t.true(source.writableNeedDrain, 'the writer is told to wait');
  await output.return(undefined);
});

test('both streams come in order of arrival, and the end of both is the end', async t => {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const output = readOutputs({ stdout, stderr }, new Promise(() => undefined));
  stdout.write('one');
  const seen = [await take(output)];
  stderr.write('two');
  seen.push(await take(output));
  stdout.end();
  stderr.end();
  t.deepEqual(seen.map(({ stream, bytes }) => [stream, Buffer.from(bytes).toString()]), [['stdout', 'one'], ['stderr', 'two']]);
  t.true((await output.next()).done);
});

test('after the process ended, an output that somebody else holds open is not waited for', async t => {
  const output = readOutputs({ stdout: new PassThrough() }, Promise.resolve());
  t.true((await output.next()).done);
});
