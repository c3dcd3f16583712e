/** The Shell of one command: connects once, with the credentials of the chosen context, and closes at the end. */
import type { Clock } from '#kit/clock.ts';
import { ClusterError } from '#model/errors.ts';
import type { ControlClient } from '#model/ports.ts';
import type { ContextCredentials } from './context-fs.ts';
import { chooseContext } from './context.ts';
import type { Context } from './context.ts';
import type { GlobalOptions } from './options.ts';
import type { Files, Shell, Terminal } from './ports.ts';

export interface ShellParts {
  readonly options: GlobalOptions;
  readonly terminal: Terminal;
  readonly files: Files;
  readonly clock: Clock;
  readonly environment: ReadonlyMap<string, string>;
  readonly signal: AbortSignal;
  newRequestId(): string;
}

/** A controller that does not answer within this is not reachable. */
const CONNECT_TIMEOUT_MS = 10_000;

export class CommandShell implements Shell {
  readonly options: GlobalOptions;
  readonly terminal: Terminal;
  readonly files: Files;
  readonly clock: Clock;
  readonly environment: ReadonlyMap<string, string>;
  readonly signal: AbortSignal;
  readonly newRequestId: () => string;
  #client: Promise<ControlClient> | undefined;

  constructor(parts: ShellParts) {
    this.options = parts.options;
    this.terminal = parts.terminal;
    this.files = parts.files;
    this.clock = parts.clock;
    this.environment = parts.environment;
    this.signal = parts.signal;
    this.newRequestId = () => parts.newRequestId();
  }

  async connect(): Promise<ControlClient> {
    this.#client ??= openChosen(this);
    return await this.#client;
  }

  async close(): Promise<void> {
    const client = await this.#client?.catch(() => undefined);
    client?.close();
  }
}

/** The context that the command line or the environment names, else the current one. */
async function openChosen(shell: Shell): Promise<ControlClient> {
  const { contextPath, loadContexts, loadCredentials } = await import('./context-fs.ts');
  const file = await loadContexts(contextPath(shell.environment));
  const context = chooseContext(file, shell.options.context ?? shell.environment.get('GANTRY_CONTEXT'));
  const credentials = await loadCredentials(context);
  const { certificateWarning } = await import('./certificate-warning.ts');
  const warning = shell.options.isQuiet ? undefined : certificateWarning(context.name, credentials.certificatePem, shell.clock.nowMs());
  if (warning !== undefined) await shell.terminal.writeError(`${warning}\n`);
  return await openContext(shell, context, credentials);
}

/** Looks at the cluster once, so that one that cannot be reached is told within ten seconds, whatever the command does next. */
export async function openContext(shell: Shell, context: Context, { caPem, certificatePem, keyPem }: ContextCredentials): Promise<ControlClient> {
  const { createControlClient } = await import('#rpc/control-client.ts');
  const identity = { caPem, pair: { certificatePem, keyPem } };
  const client = createControlClient({ controllers: context.controllers, identity, statusTimeoutMs: CONNECT_TIMEOUT_MS / 2 });
  const stop = new AbortController();
  try {
    const tooLate = shell.clock.sleep(CONNECT_TIMEOUT_MS, AbortSignal.any([shell.signal, stop.signal])).then(() => {
      throw new ClusterError('UNAVAILABLE', `cannot reach controller ${context.controllers.join(', ')}: no answer within 10 s`);
    });
    tooLate.catch(() => { /* stopped: the cluster answered first, or the race below has told it */ });
    await Promise.race([client.clusterStatus(), tooLate]);
    return client;
  } catch (error) {
    client.close();
    throw explain(error, context.controllers);
  } finally {
    stop.abort();
  }
}

function explain(error: unknown, controllers: readonly string[]): unknown {
  if (!(error instanceof ClusterError) || !['UNAVAILABLE', 'DEADLINE_EXCEEDED'].includes(error.code) || error.message.startsWith('cannot reach')) {
    return error;
  }
  return new ClusterError('UNAVAILABLE', `cannot reach controller ${controllers.join(', ')}: ${error.message}`, { cause: error });
}
