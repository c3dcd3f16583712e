import { once } from 'node:events';
import { closeSync, writeSync } from 'node:fs';
import test from 'ava';
import { makePipe } from '../../../../agent/kernel/spawn-syscall.ts';
import { readLine, readPipe } from '../../../../agent/runtime/pipe-socket.ts';

/** What is told of bytes that are written in these pieces, each once the one before was read, and then no more. */
async function told(...pieces: readonly Uint8Array[]): Promise<string> {
  const pipe = makePipe();
  let text = '';
  let wake = (): void => undefined;
  const socket = readPipe(pipe.readFd, piece => { text += piece; wake(); });
  const closed = once(socket, 'close');
  for (const piece of pieces) {
    const read = socket.bytesRead + piece.length;
    writeSync(pipe.writeFd, piece);
    while (socket.bytesRead < read) await new Promise<void>(resolve => { wake = resolve; });
  }
  closeSync(pipe.writeFd);
  await closed;
  return text;
}

const EURO = Buffer.from('\u20ac');

test('a character that comes in two pieces is one', async t => {
  t.is(await told(Buffer.concat([Buffer.from('a'), EURO.subarray(0, 1)]), EURO.subarray(1)), 'a\u20ac');
});

test('a character that the end cut off is told as one that is not known', async t => {
  t.is(await told(Buffer.concat([Buffer.from('a'), EURO.subarray(0, 2)])), 'a\ufffd');
  t.is(await told(EURO.subarray(0, 1)), '\ufffd');
});

test('more than the buffer holds comes whole and in order', async t => {
  const pieces = Array.from({ length: 40 }, (_, index) => Buffer.from(String(index % 10).repeat(60_000)));
  t.true(await told(...pieces) === pieces.join(''));
});

test('the first line comes before the pipe ends; without a newline what there was, also half a character; nothing is undefined', async t => {
  const open = makePipe();
  const { socket, line } = readLine(open.readFd);
  writeSync(open.writeFd, 'first\nand more');
  t.is(await line, 'first\nand more');
  socket.destroy();
  closeSync(open.writeFd);
  for (const [bytes, expected] of [[Buffer.from('no end'), 'no end'], [EURO.subarray(0, 2), '\ufffd'], [Buffer.alloc(0), undefined]] as const) {
    const pipe = makePipe();
    writeSync(pipe.writeFd, bytes);
    closeSync(pipe.writeFd);
    t.is(await readLine(pipe.readFd).line, expected);
  }
});
