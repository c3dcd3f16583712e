import test from 'ava';
import { listNamespace, readCount, readDurationFlag, readGlobalOptions, UsageError } from '../../../cli/options.ts';

test('defaults', t => {
  const options = readGlobalOptions({});
  t.deepEqual(options, { isAllNamespaces: false, output: 'table', selector: [], isQuiet: false, isYes: false });
  t.is(listNamespace(options), 'default');
});

test('flags', t => {
  t.like(readGlobalOptions({ output: 'json', selector: 'a=1,b=2', timeout: '1m30s' }), { output: 'json', selector: [{ label: 'a', operator: '==', values: ['1'] }, { label: 'b', operator: '==', values: ['2'] }], timeoutMs: 90_000 });
  t.is(listNamespace(readGlobalOptions({ namespace: 'prod' })), 'prod');
  t.is(listNamespace(readGlobalOptions({ namespace: 'prod', allNamespaces: true })), undefined);
});

test('-o jsonpath is json with a template, and a template that is none is refused', t => {
  const { output, jsonPath } = readGlobalOptions({ output: 'jsonpath={.name}{"\\n"}' });
  t.is(output, 'json');
  t.is(jsonPath?.({ name: 'web' }), 'web\n');
  for (const text of ['jsonpath', 'jsonpath=', 'jsonpath=.name', 'jsonpath={name}']) {
    t.throws(() => readGlobalOptions({ output: text }), { instanceOf: UsageError, message: /^-o jsonpath: / }, text);
  }
});

test('values that are none', t => {
  for (const flags of [{ output: 'xml' }, { selector: 'a b' }, { selector: '=1' }, { selector: ',,' }, { timeout: '5' }]) {
    t.throws(() => readGlobalOptions(flags), { instanceOf: UsageError });
  }
  t.throws(() => readDurationFlag('--since', '5'), { message: "--since: '5' has no unit; write 5s or use ms, m, h, d" });
});

test('counts have bounds', t => {
  t.deepEqual([readCount('n', '0', 0, 10), readCount('n', '10', 0, 10)], [0, 10]);
  for (const text of ['-1', '11', '1e1', '1.0', '', 'abc', '9'.repeat(30)]) {
    t.throws(() => readCount('n', text, 0, 10), { message: /n must be 0\.\.10/ });
  }
});
