/** What hands do in every scenario with a shell at a terminal. */
import type { TerminalShape } from '../../support/pty-process.ts';
import type { Screen, Stage } from './stage.ts';

/** Of busybox's shell: its prompt, and its question where the cursor is. */
const PROMPT = '# \x1b[6n';
/** What the shell does when its terminal's size changed. */
const REDRAWN = '\r/ # \x1b[J';
const LARGE: TerminalShape = { columns: 132, rows: 43 };
const REDRAW_LIMIT_MS = 5_000;
const RESIZE_TRIES = 10;
export const CTRL_C = '\x03';
export const CTRL_D = '\x04';
export const DETACH = '\x10\x11';
/** Runs until it is told to stop. */
export const LOOP = 'while :; do sleep 0.1; done';

/** A shell that waits for its first line. */
export async function openShell(stage: Stage, words: readonly string[], shape: TerminalShape = { columns: 91, rows: 27 }): Promise<Screen> {
  const shell = stage.open(words, shape);
  await shell.expect(PROMPT);
  return shell;
}

/** The shell of a container that runs; its terminal takes the new size. */
export async function attachShell(stage: Stage, name: string, shape: TerminalShape): Promise<Screen> {
  const shell = stage.open(['attach', name], shape);
  await shell.expect(REDRAWN);
  return shell;
}

/** Each line once the one before was answered by a prompt. */
export async function typeLines(shell: Screen, ...lines: readonly string[]): Promise<void> {
  for (const line of lines) {
    shell.type(`${line}\r`);
    await shell.expect(PROMPT);
  }
}

/**
 * Another size, and what the shell thinks it is.
 *
 * busybox's shell takes SIGWINCH only some instructions after it has shown its prompt: a size of that
 * moment is lost, and is sent again. Source: busybox 1.37, libbb/lineedit.c, read_line_input
 */
export async function resizeShell(shell: Screen): Promise<void> {
  shell.resize(LARGE);
  for (let tries = 1; !await shell.shows(REDRAWN, REDRAW_LIMIT_MS); tries += 1) {
    if (tries === RESIZE_TRIES) throw new Error('the shell was never drawn again for its new size');
    shell.resize({ ...LARGE, rows: LARGE.rows - 1 });
    await shell.shows(REDRAWN, REDRAW_LIMIT_MS);
    shell.resize(LARGE);
  }
  await typeLines(shell, 'stty size');
}

/** Ctrl-C ends what runs in the shell, not the shell. */
export async function interrupt(shell: Screen): Promise<void> {
  shell.type('sh -c "echo waiting; sleep 1000"\r');
  await shell.expect('waiting\r\n');
  shell.type(CTRL_C);
  await shell.expect(PROMPT);
}

/** The last keys, and the end. */
export async function leave(screen: Screen, keys: string): Promise<void> {
  screen.type(keys);
  await screen.end();
}

/** A container that has set its trap. */
export async function startTrapped(stage: Stage, name: string, trap: string): Promise<void> {
  await stage.start(name, [stage.image, 'sh', '-c', `${trap}; echo ready; ${LOOP}`]);
  await stage.until(['logs', name], 'ready');
}
