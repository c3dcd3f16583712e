import test from 'ava';
import { findDockerLogin, parseHelperAnswer } from '../../../cli/docker-config.ts';

const auth = (text: string): string => Buffer.from(text).toString('base64');
const find = (config: unknown, registry = 'r.test:5000'): unknown => findDockerLogin(JSON.stringify(config), registry);
const LOGIN = { kind: 'login', login: { username: 'robot', password: 's:ecret' } };

test('a login stands in auths, base64, with colons only in the password', t => {
  t.deepEqual(find({ auths: { 'r.test:5000': { auth: auth('robot:s:ecret') } } }), LOGIN);
});
test('older files have the scheme and a version in the name', t => {
  t.deepEqual(find({ auths: { 'https://r.test:5000/v2/': { auth: auth('robot:s:ecret') } } }), LOGIN);
});
test('user name and password may stand apart', t => {
  t.deepEqual(find({ auths: { 'r.test:5000': { username: 'robot', password: 's:ecret' } } }), LOGIN);
});
test('Docker Hub has a name of its own there', t => {
  t.deepEqual(find({ auths: { 'https://index.docker.io/v1/': { auth: auth('robot:s:ecret') } } }, 'docker.io'), LOGIN);
});
test('a helper of the registry comes before the store, and the store before auths', t => {
  const auths = { 'r.test:5000': { auth: auth('a:b') } };
  t.deepEqual(find({ auths, credsStore: 'pass', credHelpers: { 'r.test:5000': 'ecr-login' } }), { kind: 'helper', name: 'ecr-login', server: 'r.test:5000' });
  t.deepEqual(find({ auths, credsStore: 'pass' }), { kind: 'helper', name: 'pass', server: 'r.test:5000' });
  t.deepEqual(find({ credsStore: 'pass' }, 'docker.io'), { kind: 'helper', name: 'pass', server: 'https://index.docker.io/v1/' });
});
test('another registry has none, and an empty file neither', t => {
  t.deepEqual(find({ auths: { other: { auth: auth('a:b') } } }), { kind: 'none' });
  t.deepEqual(find({}), { kind: 'none' });
  t.deepEqual(find({ auths: [], credHelpers: 'x' }), { kind: 'none' });
});

const refuses = test.macro({
  exec(t, config: unknown, message: RegExp) { t.throws(() => find(config), { name: 'ClusterError', message }); },
  title: (name = '') => `findDockerLogin refuses ${name}`,
});
test('a helper that is a path', refuses, { credsStore: '../evil' }, /no program name/);
test('a list', refuses, [], /no JSON object/);
test('an entry without a password', refuses, { auths: { 'r.test:5000': { auth: auth('robot') } } }, /no user name and password for r.test:5000/);
test('an empty entry', refuses, { auths: { 'r.test:5000': {} } }, /no user name and password/);
test('an identity token', refuses, { auths: { 'r.test:5000': { auth: auth('robot:'), identitytoken: 'x' } } }, /identity token/);
test('a broken file is told without its text', t => {
  const error = t.throws(() => findDockerLogin('{"auths":{"r":{"auth":"hunter2', 'r'), { message: /no JSON object/ });
  t.false(error.message.includes('hunter2'));
});

test('what a helper prints', t => {
  t.deepEqual(parseHelperAnswer('{"ServerURL":"r","Username":"robot","Secret":"x"}', 'r'), { username: 'robot', password: 'x' });
  t.throws(() => parseHelperAnswer('{"Username":"<token>","Secret":"x"}', 'r'), { message: /identity token/ });
  t.throws(() => parseHelperAnswer('{"Username":"robot"}', 'r'), { message: /no user name and password for r/ });
});
