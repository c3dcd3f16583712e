/**
 * The system's tar, for the client's end of `cp`. GNU tar strips leading slashes, refuses `..`, and makes links that lead out only
 * after everything else, so nothing is written through them.
 */
import { once } from 'node:events';
import { startProcess, TOOL_PATH } from '#kit/command-process.ts';
import { ClusterError } from '#model/errors.ts';

/** Bytes of a tar of `base` in `parent`, without the holes of files; its top entry is called `name`. */
export async function* packTar(parent: string, base: string, name: string | undefined): AsyncGenerator<Uint8Array> {
  const rename = name === undefined || name === base ? [] : [`--transform=flags=r;s,^${escapePattern(base)}\\(/\\|$\\),${escapeReplacement(name)}\\1,`];
  const child = start(['-c', '-S', '-f', '-', ...rename, '-C', parent, '--', base], ['ignore', 'pipe', 'pipe']);
  const ended = endOf(child);
  ended.catch(() => { /* awaited below, after the stream */ });
  yield* child.stdout as AsyncIterable<Uint8Array>;
  await ended;
}

/** Unpacks a tar stream into `directory`, owned by us. */
export async function unpackTar(stream: AsyncIterable<Uint8Array>, directory: string): Promise<void> {
  const child = start(['-x', '-f', '-', '--no-same-owner', '-C', directory], ['pipe', 'ignore', 'pipe']);
  const ended = endOf(child);
  ended.catch(() => { /* awaited below, after the stream */ });
  const { stdin } = child;
  if (stdin === null) {
    throw new Error('tar has no stdin');
  }
  stdin.on('error', () => { /* tar ended early; its exit code tells why */ });
  try {
    for await (const chunk of stream) {
      if (!stdin.write(chunk) && !stdin.destroyed) {
        await Promise.race([once(stdin, 'drain'), ended]);
      }
    }
  } finally {
    stdin.end();
  }
  await ended;
}

type TarProcess = ReturnType<typeof startProcess>;

function start(args: readonly string[], stdio: ['ignore' | 'pipe', 'ignore' | 'pipe', 'pipe']): TarProcess {
  return startProcess('tar', args, { stdio, env: { PATH: TOOL_PATH, LC_ALL: 'C.UTF-8' } });
}

async function endOf(child: TarProcess): Promise<void> {
  let words = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => { words = (words + text).slice(-1000); });
  const [code] = await once(child, 'close') as [number | null];
  if (code !== 0) {
    throw new ClusterError('FAILED_PRECONDITION', words.trim() || 'tar was killed');
  }
}

function escapePattern(text: string): string {
  return text.replace(/[\\.*[\]^$,]/g, '\\$&');
}

function escapeReplacement(text: string): string {
  return text.replace(/[\\&,]/g, '\\$&');
}
