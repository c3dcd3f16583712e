import test from 'ava';
import { formatImageName, formatImageReference, normalizeImageReference, parseImageReference } from '#model/image-reference.ts';

const DIGEST = `sha256:${'0'.repeat(64)}`;

const normalises = test.macro({
  exec(t, text: string, registry: string, expected: string) {
    const parsed = parseImageReference(text);
    t.is('value' in parsed ? formatImageReference(normalizeImageReference(parsed.value, registry)) : parsed.problem, expected);
  },
  title: (_, text: string, registry: string) => `${text} at ${registry}`,
});
test(normalises, 'nginx', 'docker.io', 'docker.io/library/nginx:latest');
test(normalises, 'acme/web:1.4', 'docker.io', 'docker.io/acme/web:1.4');
test(normalises, 'nginx', 'reg.test:5000', 'reg.test:5000/nginx:latest');
test(normalises, 'localhost/web', 'docker.io', 'localhost/web:latest');
test(normalises, 'localhost:5000/web:a', 'docker.io', 'localhost:5000/web:a');
test(normalises, '[fd00::1]:5000/web', 'docker.io', '[fd00::1]:5000/web:latest');
test(normalises, `nginx@${DIGEST}`, 'docker.io', `docker.io/library/nginx@${DIGEST}`);
test(normalises, `nginx:1@${DIGEST}`, 'docker.io', `docker.io/library/nginx:1@${DIGEST}`);

test('formatImageName leaves the digest out', t => {
  const parsed = parseImageReference(`ghcr.io/a/b:1@${DIGEST}`);
  t.is('value' in parsed ? formatImageName(parsed.value) : '', 'ghcr.io/a/b:1');
});

const refuses = test.macro({
  exec(t, text: string, problem: RegExp) {
    const parsed = parseImageReference(text);
    t.regex('problem' in parsed ? parsed.problem : 'accepted', problem);
  },
  title: (_, text) => `parseImageReference refuses ${JSON.stringify(text)}`,
});
test(refuses, '', /empty/);
test(refuses, 'reg.test/App:1', /lower case/);
test(refuses, 'https://reg.test/app', /scheme/);
test(refuses, 'app@sha256:12', /digest/);
test(refuses, `app@${DIGEST}@${DIGEST}`, /digest/);
test(refuses, 'app:', /tag/);
test(refuses, `app:${'t'.repeat(129)}`, /tag/);
test(refuses, 'a//b', /component/);
test(refuses, 'bad_host.test:x/app', /registry host/);
test(refuses, 'a'.repeat(256), /255/);
test(refuses, 'app\nname', /component/);
