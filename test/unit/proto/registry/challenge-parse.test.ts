import test from 'ava';
import { judgeRealm, parseChallenge, parseContentRange, parseRetryAfter, parseNextLink, parseTagList } from '#registry/challenge-parse.ts';

const parses = test.macro({
  exec(t, header: string, expected: object | undefined) { t.deepEqual<unknown, unknown>(parseChallenge(header), expected); },
  title: (name = '') => `parseChallenge: ${name}`,
});
test('Docker Hub\'s', parses, 'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/nginx:pull"', {
  kind: 'bearer', realm: 'https://auth.docker.io/token', service: 'registry.docker.io', scope: 'repository:library/nginx:pull',
});
test('basic', parses, 'Basic realm="x"', { kind: 'basic' });
test('any case, spaces, tokens without quotes', parses, 'bearer realm=https://r/t , service=s', { kind: 'bearer', realm: 'https://r/t', service: 's' });
test('an escaped quote', parses, 'Bearer realm="https://r/\\"t"', { kind: 'bearer', realm: 'https://r/"t' });
test('bearer without realm is none', parses, 'Bearer service="s"', undefined);
test('another scheme is none', parses, 'Negotiate', undefined);
test('nothing is none', parses, '', undefined);

const judges = test.macro({
  exec(t, realm: string, registry: string, expected: string) {
    const verdict = judgeRealm(realm, new URL(registry), ['auth.example:8443']);
    t.is(verdict.kind === 'allowed' ? 'allowed' : verdict.reason, expected);
  },
  title: (name = '') => `judgeRealm: ${name}`,
});
test('the registry\'s own host', judges, 'https://r.test/token', 'https://r.test/', 'allowed');
test('the own host on another port', judges, 'https://r.test:5001/token', 'https://r.test:5000/', 'allowed');
test('Docker Hub\'s token host', judges, 'https://auth.docker.io/token', 'https://registry-1.docker.io/', 'allowed');
test('Docker Hub\'s token host for somebody else', judges, 'https://auth.docker.io/token', 'https://r.test/', 'token realm host auth.docker.io not allowed (--token-hosts allows one)');
test('a host that was allowed', judges, 'https://auth.example:8443/token', 'https://r.test/', 'allowed');
test('an allowed host on another port', judges, 'https://auth.example/token', 'https://r.test/', 'token realm host auth.example not allowed (--token-hosts allows one)');
test('an allowed host without TLS', judges, 'http://auth.example:8443/token', 'https://r.test/', 'token realm without TLS not allowed');
test('the metadata service', judges, 'http://169.254.169.254/t', 'https://r.test/', 'token realm host 169.254.169.254 not allowed (--token-hosts allows one)');
test('without TLS where the registry has it', judges, 'http://r.test/t', 'https://r.test/', 'token realm without TLS not allowed');
test('without TLS where the registry has none', judges, 'http://r.test/t', 'http://r.test/', 'allowed');
test('a file', judges, 'file:///etc/passwd', 'https://r.test/', 'token realm is no http URL');
test('no URL', judges, 'token', 'https://r.test/', 'token realm is no http URL');

const waits = test.macro({
  exec(t, header: string, expected: number | undefined) { t.is(parseRetryAfter(header, 1_700_000_000_000), expected); },
  title: (name = '') => `parseRetryAfter: ${name}`,
});
test('seconds', waits, '3', 3000);
test('many seconds', waits, '999999999', 999_999_999_000);
test('negative seconds say nothing', waits, '-1', undefined);
test('a date ahead', waits, 'Tue, 14 Nov 2023 22:13:30 GMT', 10_000);
test('a date that is past says nothing', waits, 'Thu, 01 Jan 1970 00:00:00 GMT', undefined);
test('words say nothing', waits, 'soon', undefined);

test('Content-Range gives the first byte', t => {
  t.deepEqual(parseContentRange('bytes 5-9/10'), { first: 5, total: 10 });
  t.deepEqual(parseContentRange('bytes 5-9/*'), { first: 5 });
  for (const bad of ['', 'bytes */10', 'items 5-9/10', 'bytes 5-/10']) t.is(parseContentRange(bad), undefined, bad);
});

test('the next page of a list is on the same registry, below /v2/', t => {
  t.is(parseNextLink('</v2/a/b/tags/list?n=2&last=x>; rel="next"'), '/v2/a/b/tags/list?n=2&last=x');
  t.is(parseNextLink('<https://evil.test/v2/a>; rel="next"'), undefined);
  t.is(parseNextLink('</v2/a>; rel="prev"'), undefined);
  t.is(parseNextLink(''), undefined);
});
test('a tag list; what is no tag is left out', t => {
  t.deepEqual(parseTagList(Buffer.from('{"name":"a","tags":["v1","../x",5,"v2"]}')), ['v1', 'v2']);
  t.deepEqual(parseTagList(Buffer.from('{"name":"a","tags":null}')), []);
  t.throws(() => parseTagList(Buffer.from('{"tags":{}}')), { code: 'FAILED_PRECONDITION' });
  const page = 'tag list is not {"tags":[...]}: the server answered with an HTML page; check that the address is that of a registry';
  t.throws(() => parseTagList(Buffer.from('<html>')), { code: 'FAILED_PRECONDITION', message: page });
});
