import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { loadContexts, replaceCertificate, saveContexts } from '../../../cli/context-fs.ts';
import type { Context } from '../../../cli/context.ts';

const inline = (pem: string) => ({ kind: 'inline', pem } as const);

function directory(t: ExecutionContext): string {
  const made = mkdtempSync(path.join(tmpdir(), 'gantry-contexts-'));
  t.teardown(() => { rmSync(made, { recursive: true }); });
  return made;
}

test('a renewed certificate goes into the contexts file, beside what another command wrote there meanwhile', async t => {
  const file = path.join(directory(t), 'config.yaml');
  const prod: Context = { name: 'prod', controllers: ['a:1'], ca: inline('CA'), certificate: inline('old'), key: inline('K') };
  await saveContexts(file, { current: 'dev', contexts: [prod, { ...prod, name: 'dev' }] });
  await replaceCertificate(file, prod, 'new');
  t.deepEqual(await loadContexts(file), { current: 'dev', contexts: [{ ...prod, certificate: inline('new') }, { ...prod, name: 'dev' }] });
  t.is(statSync(file).mode & 0o777, 0o600);
});

test('or in the place of its file, with the same mode; one that cannot be written is named, and nothing is left beside it', async t => {
  const home = directory(t);
  const [file, certificate] = [path.join(home, 'config.yaml'), path.join(home, 'certificate.pem')];
  writeFileSync(certificate, 'old');
  chmodSync(certificate, 0o640);
  const prod: Context = { name: 'prod', controllers: ['a:1'], ca: inline('CA'), certificate: { kind: 'file', path: certificate }, key: inline('K') };
  await replaceCertificate(file, prod, 'new');
  t.is(readFileSync(certificate, 'utf8'), 'new');
  t.is(statSync(certificate).mode & 0o777, 0o640);
  const missing = await t.throwsAsync(replaceCertificate(file, { ...prod, certificate: { kind: 'file', path: path.join(home, 'no/certificate.pem') } }, 'new'));
  t.like(missing, { code: 'FAILED_PRECONDITION' });
  t.regex(missing.message, /^client certificate .*no\/certificate\.pem: cannot be replaced \(there is no such file\); /);
  t.deepEqual(readdirSync(home), ['certificate.pem']);
});
