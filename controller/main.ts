import { createLogger } from '#kit/logger.ts';
import { ClusterError } from '#model/errors.ts';
import { controllerUsage, parseControllerConfig } from './config.ts';
import { runController } from './controller.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

/** Runs until SIGTERM or SIGINT; a second one ends at once. Anything that the loops cannot handle ends the process: its supervisor starts it again. */
async function main(args: readonly string[]): Promise<number> {
  if (args.includes('--help')) {
    process.stdout.write(controllerUsage());
    return 0;
  }
  const record = process.env['GANTRY_RECORD'];
  const config = parseControllerConfig(record === undefined || args.includes('--record') ? args : [...args, '--record', record]);
  const logger = createLogger('gantry-controller', config.logLevel).child({ controller: config.id });
  const stop = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.once(name, () => { stop.abort(new Error(name)); });
  }
  try {
    await runController(config, logger, stop.signal);
  } catch (error) {
    if (!stop.signal.aborted) {
      logger.error({ err: error }, 'the controller ends');
      return EXIT_FAILED;
    }
  }
  return 0;
}

main(process.argv.slice(2)).then(
  code => { process.exit(code); },
  (error: unknown) => {
    const isUsage = error instanceof ClusterError && error.code === 'INVALID_ARGUMENT';
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n${isUsage ? 'see --help\n' : ''}`);
    process.exit(isUsage ? EXIT_USAGE : EXIT_FAILED);
  },
);
