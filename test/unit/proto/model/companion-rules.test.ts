import test from 'ava';
import { checkAppSpec } from '#model/app-rules.ts';
import { MAX_COMPANIONS } from '#model/companion-rules.ts';
import { appOf, manifest, serviceOf, violationsOf } from '../../../support/manifest.ts';

const refuses = test.macro({
  exec(t, web: object, path: string, message: RegExp) {
    const violations = violationsOf(manifest(web));
    t.deepEqual(violations.map(violation => violation.path), [`services.web.${path}`]);
    t.regex(violations[0]?.message ?? '', message);
  },
  title: (name = '', web) => `${name} ${JSON.stringify(web).slice(0, 120)}`.trim(),
});
test(refuses, { sidecars: [{ image: 'x' }] }, 'sidecars[0].name', /^required/);
test(refuses, { sidecars: [{ name: 'A b' }] }, 'sidecars[0].name', /'A b' is not an RFC 1123 label/);
test(refuses, { sidecars: [{ name: 'web' }] }, 'sidecars[0].name', /the name of the service/);
test(refuses, { init_containers: [{ name: 'a' }], sidecars: [{ name: 'a' }] }, 'sidecars[0].name', /already the name of init_containers\[0\]/);
test(refuses, { init_containers: [{ name: 'a', imgae: 'x' }] }, 'init_containers[0].imgae', /did you mean 'image'/);
test(refuses, { init_containers: [{ name: 'a', restart: {} }] }, 'init_containers[0].restart', /unknown key/);
test(refuses, { sidecars: [{ name: 'a', ports: ['80'] }] }, 'sidecars[0].ports', /unknown key/);
test(refuses, { sidecars: [{ name: 'a', resources: { limits: { memory: '1Ki' } } }] }, 'sidecars[0].resources.limits.memory', /at least 6Mi/);
test(refuses, { sidecars: [{ name: 'a', volumes: ['data:/data'] }] }, 'sidecars[0].volumes[0]', /'data' is no volume of this App/);
test(refuses, { sidecars: [{ name: 'a', security: { profile: 'restricted', user: '1' } }] }, 'sidecars[0].security.profile', /must be the service's: baseline/);
test(refuses, { sidecars: Array.from({ length: MAX_COMPANIONS + 1 }, (_, index) => ({ name: `s${String(index)}` })) }, `sidecars[${String(MAX_COMPANIONS)}]`, /one too many: at most 16/);
test(refuses, { sidecars: 'proxy' }, 'sidecars', /must be a list/);
test(refuses, { security: { pid: 'sidecar:a' } }, 'security.pid', /'a' is no sidecar that starts before this container; there is none/);
test(refuses, { security: { pid: 'sidecar:' }, sidecars: [{ name: 'a' }] }, 'security.pid', /'' is no sidecar .*; those that do: a/);
test(refuses, { security: { ipc: 'sidecar:a' }, init_containers: [{ name: 'a' }], sidecars: [{ name: 'b' }] }, 'security.ipc', /those that do: b/);
test(refuses, { sidecars: [{ name: 'a', security: { pid: 'sidecar:b' } }, { name: 'b' }] }, 'sidecars[0].security.pid', /'b' is no sidecar that starts before/);
test(refuses, { sidecars: [{ name: 'a', security: { pid: 'sidecar:a' } }] }, 'sidecars[0].security.pid', /'a' is no sidecar that starts before/);
test(refuses, { security: { pid: 'sidecar:b' }, sidecars: [{ name: 'a' }, { name: 'b', security: { pid: 'sidecar:a' } }] }, 'security.pid', /sidecar b is itself in that of a: name that one/);
test(refuses, { security: { ipc: 'sidecar:a' }, sysctls: { 'kernel.msgmax': '1' }, sidecars: [{ name: 'a' }] }, 'sysctls', /leave it out with ipc: sidecar:a/);

test('image, user, host name and grace period are the service\'s unless the companion names an image of its own', t => {
  const { companions = [] } = serviceOf({
    image: 'reg.test/app:1', hostname: 'box', stop_grace_period: '3s', security: { user: '7' },
    init_containers: [{ name: 'migrate', command: ['migrate', 'up'] }], sidecars: [{ name: 'proxy', image: 'reg.test/envoy:1' }],
  });
  t.like(companions[0], { name: 'migrate', role: 'init', container: { image: 'reg.test/app:1', hostname: 'box', stopGracePeriodMs: 3_000, command: ['migrate', 'up'], security: { user: '7' } } });
  t.like(companions[1], { name: 'proxy', role: 'sidecar', container: { image: 'reg.test/envoy:1', hostname: 'box', restart: { mode: 'always' } } });
  t.false('user' in (companions[1]?.container.security ?? {}));
});

test('a service without them has none, also when the lists are there and empty', t => {
  t.false('companions' in serviceOf({ init_containers: [], sidecars: [] }));
});

test('a typed message is held to the same: order, and what only the main container has', t => {
  const app = appOf(manifest({ init_containers: [{ name: 'a' }], sidecars: [{ name: 'b' }] }));
  const [web] = app.services;
  const swapped = { ...app, services: [{ ...web!, companions: [...web?.companions ?? []].reverse() }] };
  t.deepEqual(checkAppSpec(swapped).map(one => one.path), ['services.web.init_containers[0]']);
  const talking = { ...app, services: [{ ...web!, companions: (web?.companions ?? []).map(one => ({ ...one, container: { ...one.container, stdin: true } })) }] };
  t.deepEqual(checkAppSpec(talking).map(one => one.path), ['services.web.init_containers[0].stdin_open', 'services.web.sidecars[0].stdin_open']);
});
