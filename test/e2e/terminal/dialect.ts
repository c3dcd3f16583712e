/** Two programs that say the same: docker, and clusterctl. A scenario is written in docker's words. */
import { runPiped } from '../../support/pty-process.ts';
import type { ProgramOptions } from '../../support/pty-process.ts';

export interface Dialect {
  readonly name: 'docker' | 'gantry';
  /** Program with its first arguments. */
  readonly program: readonly string[];
  readonly options: ProgramOptions;
  /** hello:1 of deploy/examples/build-images.ts. */
  readonly image: string;
  /** A scenario's words in its own; only those of `debug TARGET FLAGS -- COMMAND` are others in docker, which has no such verb. */
  readonly words: (words: readonly string[]) => readonly string[];
  /** What takes a container away, running or not. */
  readonly remove: (container: string) => readonly string[];
  /** `running`, or `exited` and the code. */
  state(container: string): Promise<string>;
}

export function dockerDialect(socket: string, image: string): Dialect {
  const program = ['docker', '--host', `unix://${socket}`];
  const options = { environment: { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent' } };
  return {
    name: 'docker', program, options, image,
    words: words => (words[0] === 'debug' ? debugByRun(words, image) : words),
    remove: container => ['rm', '--force', container],
    async state(container) {
      const { stdout } = await runPiped([...program, 'inspect', '--format', '{{.State.Status}} {{.State.ExitCode}}', container], undefined, options);
      return stdout.toString().trim().replace(/^running .*/, 'running');
    },
  };
}

/** The same container by `run`: among the processes and in the network of the target. */
function debugByRun(words: readonly string[], image: string): readonly string[] {
  const [, target = ''] = words;
  const end = words.indexOf('--');
  return ['run', '--rm', ...words.slice(2, end), '--pid', `container:${target}`, '--network', `container:${target}`, image, ...words.slice(end + 1)];
}

export function gantryDialect(program: string, environment: Readonly<Record<string, string>>, image: string): Dialect {
  const options = { environment: { PATH: process.env['PATH'] ?? '', ...environment } };
  return {
    // Quiet: a start of more than a second is told about, and how long one takes is the machine's affair.
    name: 'gantry', program: [program, '--quiet'], options, image,
    words: words => (words[0] === 'debug' ? words.toSpliced(words.indexOf('--'), 0, '--image', image) : words),
    remove: container => ['delete', `app/${container}`],
    async state(container) {
      const { stdout } = await runPiped([program, 'ps', '--all', '-o', 'json', '--filter', `app=${container}`], undefined, options);
      const [task] = (JSON.parse(stdout.toString()) as { readonly items: readonly { readonly state: string; readonly exitCode: number | null }[] }).items;
      const hasEnded = task?.state === 'complete' || task?.state === 'failed';
      return hasEnded ? `exited ${String(task.exitCode)}` : String(task?.state);
    },
  };
}
