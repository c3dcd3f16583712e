import { runCommand } from '#kit/command-process.ts';
import { ClusterError } from '#model/errors.ts';

const HELPER_TIMEOUT_MS = 20_000;

/** What the credential helper prints for the server. @throws ClusterError when it is not installed or knows nothing */
export async function askDockerHelper(name: string, server: string, environment: ReadonlyMap<string, string>): Promise<string> {
  const { exitCode, stdout, stderr } = await runCommand(`docker-credential-${name}`, ['get'], {
    input: server, timeoutMs: HELPER_TIMEOUT_MS, environment: Object.fromEntries(environment),
  });
  if (exitCode !== 0) {
    throw new ClusterError('NOT_FOUND', `docker-credential-${name} has no login for ${server}: ${(stderr.trim() || stdout.trim()).slice(0, 200)}`);
  }
  return stdout;
}
