import { createLogger } from '#kit/logger.ts';
import { ClusterError } from '#model/errors.ts';
import { leave, runAgent } from './agent.ts';
import { agentUsage, parseAgentConfig } from './config.ts';

/** SIGTERM and SIGINT end this process alone: every container runs on, and the next agent takes them back. */
const ENDING_SIGNALS = ['SIGTERM', 'SIGINT'] as const;

async function main(args: readonly string[]): Promise<number> {
  if (args.includes('--help')) {
    process.stdout.write(agentUsage());
    return 0;
  }
  const verb = args[0]?.startsWith('-') === false ? args[0] : 'run';
  const config = parseAgentConfig(args[0] === verb ? args.slice(1) : args);
  const log = createLogger('gantry-agent', config.logLevel).child({ node: config.node });
  const ending = new AbortController();
  for (const signal of ENDING_SIGNALS) {
    process.once(signal, () => { ending.abort(new Error(signal)); });
  }
  if (verb === 'leave') {
    await leave(config, log);
    return 0;
  }
  if (verb !== 'run') {
    throw new ClusterError('INVALID_ARGUMENT', `verb ${JSON.stringify(verb)} is not run or leave`);
  }
  await runAgent(config, log, ending.signal);
  return 0;
}

try {
  process.exit(await main(process.argv.slice(2)));
} catch (error) {
  process.stderr.write(`gantry-agent: ${error instanceof ClusterError ? error.message : String(error instanceof Error ? error.stack : error)}\n`);
  process.exit(error instanceof ClusterError && error.code === 'INVALID_ARGUMENT' ? 2 : 1);
}
