/** What comes out of a pipe, as text. */
import { Socket } from 'node:net';
import { StringDecoder } from 'node:string_decoder';

/** As much as a pipe holds. Source: pipe(7), "Pipe capacity" */
const BUFFER_BYTES = 64 * 1024;
/** One for all: what is in it is taken out before anybody else reads. A buffer for each reader would be 64 KiB of garbage for a few words. */
const shared = Buffer.alloc(BUFFER_BYTES);

/**
 * The reading end `fd` of a pipe, which the socket owns from now on; `onText` gets what comes, in whole characters of UTF-8. Bytes of a character that the
 * pipe's end cut off come as U+FFFD, before the socket's `close` is told to anybody else.
 */
export function readPipe(fd: number, onText: (text: string) => void): Socket {
  const decoder = new StringDecoder('utf8');
  const options = {
    fd, readable: true, writable: false,
    onread: {
      buffer: shared,
      callback: (length: number): boolean => {
        onText(decoder.write(shared.subarray(0, length)));
        return true;
      },
    },
  };
  return new Socket(options).once('close', () => {
    const cut = decoder.end();
    if (cut !== '') onText(cut);
  });
}

/** `line` is the first line, with what came with it; all there was when the pipe ended or the socket was destroyed before; undefined when that is nothing. */
export function readLine(fd: number): { readonly socket: Socket; readonly line: Promise<string | undefined> } {
  const { promise: line, resolve } = Promise.withResolvers<string | undefined>();
  let text = '';
  const socket = readPipe(fd, piece => {
    text += piece;
    if (text.includes('\n')) resolve(text);
  });
  socket.on('error', () => { /* it closes */ }).once('close', () => { resolve(text === '' ? undefined : text); });
  return { socket, line };
}
