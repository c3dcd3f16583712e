/** `context ls|use|renew`. */
import { contextPath, loadContexts, loadCredentials, replaceCertificate, saveContexts } from '../context-fs.ts';
import { chooseContext } from '../context.ts';
import { formatTime } from '../format/age.ts';
import type { Shell } from '../ports.ts';
import { openContext } from '../shell-flow.ts';
import { printListing, printPlain, say } from './print-flow.ts';

export async function listContexts(shell: Shell): Promise<void> {
  const file = await loadContexts(contextPath(shell.environment));
  const wanted = shell.options.context ?? shell.environment.get('GANTRY_CONTEXT');
  const current = file.contexts.length === 0 ? undefined : wanted ?? file.current;
  await printListing(shell, {
    items: file.contexts.map(({ name, controllers }) => ({ name, controllers, isCurrent: name === current })),
    table: { head: ['CURRENT', 'NAME', 'CONTROLLERS'], rows: file.contexts.map(one => [one.name === current ? '*' : ' ', one.name, one.controllers.join(',')]) },
    names: file.contexts.map(({ name }) => `context/${name}`),
    isSingle: false,
  });
}

export async function useContext(shell: Shell, name: string): Promise<void> {
  const path = contextPath(shell.environment);
  const file = await loadContexts(path);
  const context = chooseContext(file, name);
  await saveContexts(path, { ...file, current: context.name });
  await say(shell, `context ${context.name}`);
}

/** Puts a new certificate for the same key and name, with the life of the earlier one, in its place. */
export async function renewContext(shell: Shell, name: string | undefined): Promise<void> {
  const path = contextPath(shell.environment);
  const context = chooseContext(await loadContexts(path), name ?? shell.options.context ?? shell.environment.get('GANTRY_CONTEXT'));
  const credentials = await loadCredentials(context);
  const { requestForKey } = await import('#identity/certificate-authority.ts');
  const { readCertificate } = await import('#identity/certificate-rules.ts');
  const client = await openContext(shell, context, credentials);
  try {
    const { certificatePem } = await client.renewCertificate({ csrPem: await requestForKey(credentials.keyPem) });
    await replaceCertificate(path, context, certificatePem);
    const notAfter = formatTime(readCertificate(certificatePem).notAfterMs);
    const { output } = shell.options;
    await (output === 'json' || output === 'yaml' ? printPlain(shell, { context: context.name, notAfter }) : say(shell, `context ${context.name} renewed; its certificate is valid until ${notAfter ?? ''}`));
  } finally {
    client.close();
  }
}
