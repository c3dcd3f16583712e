import test from 'ava';
import { chooseContext, contextFileToPlain, NO_CONTEXTS, readContextFile, withContext, withoutContext } from '../../../cli/context.ts';
import type { Context } from '../../../cli/context.ts';

const DEV: Context = {
  name: 'dev', controllers: ['127.0.0.1:7400'], ca: { kind: 'inline', pem: 'CA' }, certificate: { kind: 'file', path: '/c' }, key: { kind: 'file', path: '/k' },
};

test('what is written is read back', t => {
  const file = withContext(withContext(NO_CONTEXTS, { ...DEV, name: 'prod', namespace: 'shop' }), DEV);
  t.deepEqual(readContextFile(JSON.parse(JSON.stringify(contextFileToPlain(file)))), file);
  t.is(file.current, 'dev');
});

test('a context replaces the one of its name', t => {
  t.is(withContext(withContext(NO_CONTEXTS, DEV), DEV).contexts.length, 1);
});

test('the wanted one, the current one, the only one', t => {
  const two = { contexts: [DEV, { ...DEV, name: 'prod' }] };
  t.is(chooseContext(two, 'prod').name, 'prod');
  t.is(chooseContext({ ...two, current: 'dev' }, undefined).name, 'dev');
  t.is(chooseContext({ contexts: [DEV] }, undefined).name, 'dev');
  t.throws(() => chooseContext(two, undefined), { message: /context use/ });
  t.throws(() => chooseContext(two, 'prdo'), { message: "no context is named 'prdo'; did you mean 'prod'?" });
  t.throws(() => chooseContext(two, 'elsewhere'), { message: "no context is named 'elsewhere'; see clusterctl context ls" });
  t.throws(() => chooseContext(NO_CONTEXTS, undefined), { message: /npm start/ });
});

test('a context that is forgotten is current no more; another one stays so', t => {
  const two = withContext(withContext(NO_CONTEXTS, { ...DEV, name: 'prod' }), DEV);
  t.deepEqual(withoutContext(two, 'dev'), { contexts: [{ ...DEV, name: 'prod' }] });
  t.deepEqual(withoutContext(two, 'prod'), { current: 'dev', contexts: [DEV] });
  t.is(withoutContext(two, 'elsewhere'), undefined);
});

test('a broken file names the place', t => {
  t.throws(() => readContextFile([]), { message: 'the contexts file must be a mapping' });
  t.throws(() => readContextFile({ contexts: { dev: {} } }), { message: /contexts\.dev\.controllers/ });
  t.throws(() => readContextFile({ contexts: { dev: { controllers: ['a:1'], ca: 'x', certificate: 'y' } } }), { message: /contexts\.dev needs key or keyFile/ });
  t.deepEqual(readContextFile(null), NO_CONTEXTS);
});
