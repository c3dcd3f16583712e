/** Joins from wherever it is started: `join-process ADDRESS TOKEN NODE`. Says `joined`, or the code of the refusal. */
import { createSigningRequest } from '#identity/certificate-authority.ts';
import { parseJoinToken } from '#identity/join-token-parse.ts';
import { ClusterError } from '#model/errors.ts';
import { joinCluster } from '#rpc/agent-client.ts';

const [, , address = '', token = '', nodeName = ''] = process.argv;
const { csrPem } = await createSigningRequest();
try {
  await joinCluster({ address, token, caSha256: parseJoinToken(token).caSha256, nodeName, csrPem });
  process.stdout.write('joined\n');
} catch (error) {
  process.stdout.write(`${error instanceof ClusterError ? error.code : String(error)}\n`);
}
