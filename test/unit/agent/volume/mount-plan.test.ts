import test from 'ava';
import type { Task } from '#model/task.ts';
import type { ContainerSpec } from '#model/service.ts';
import { isAllowedHostPath, planMounts } from '../../../../agent/volume/mount-plan.ts';
import { container, service, task } from '../../../support/builders.ts';

const SHA = 'ab'.repeat(32);

function taskWith(options: Partial<ContainerSpec>, rest: Partial<Task> = {}): Task {
  return task(service({ name: 'db' }), 'n1', {
    slot: 2, namespace: 'prod', container: container(options),
    volumes: [{ name: 'data', perReplica: true }, { name: 'uploads', perReplica: false }],
    pins: { configs: [{ name: 'conf', sha256: SHA }], secrets: [{ name: 'key', version: 3 }] }, ...rest,
  });
}

test('a volume belongs to the namespace, one per replica to its slot', t => {
  const steps = planMounts(taskWith({ volumes: [
    { kind: 'volume', source: 'data', target: '/data', readOnly: false }, { kind: 'volume', source: 'uploads', target: '/up', readOnly: true },
  ] }), undefined);
  t.deepEqual(steps as readonly object[], [
    { kind: 'volume', name: 'volumes/0', volume: 'prod/data-2', target: '/data', readOnly: false },
    { kind: 'volume', name: 'volumes/1', volume: 'prod/uploads', target: '/up', readOnly: true },
  ]);
});

test('configs are root\'s, secrets the container\'s user\'s, unless the mount says otherwise', t => {
  const mounts = { configs: [{ source: 'conf', target: '/etc/c', mode: 0o444 }], secrets: [{ source: 'key', target: '/run/secrets/key', mode: 0o400 }, { source: 'key', target: '/k', mode: 0o400, uid: 5 }] };
  t.like(planMounts(taskWith(mounts), { uid: 7, gid: 8 }), { length: 3, 0: { target: '/k', owner: { uid: 5, gid: 8 } }, 1: { target: '/etc/c', contentKey: `config/${SHA}`, isSecret: false, owner: { uid: 0, gid: 0 } }, 2: { contentKey: 'secret/prod/key/3', isSecret: true, owner: { uid: 7, gid: 8 } } });
});

test('a numeric user in the manifest counts when the image\'s is not known', t => {
  const secrets = [{ source: 'key', target: '/k', mode: 0o400 }];
  const security = { profile: 'baseline', readOnly: false, capAdd: [], capDrop: [], hostNamespaces: [], mayGainPrivileges: false, isUnconfined: false } as const;
  t.like(planMounts(taskWith({ secrets, security: { ...security, user: '1000:1001' } }), undefined)[0], { owner: { uid: 1000, gid: 1001 } });
  t.like(planMounts(taskWith({ secrets, security: { ...security, user: '1000' } }), undefined)[0], { owner: { uid: 1000, gid: 0 } });
  t.like(planMounts(taskWith({ secrets, security: { ...security, user: 'nginx' } }), undefined)[0], { owner: { uid: 0, gid: 0 } });
});

test('a mount inside another one comes after it', t => {
  const steps = planMounts(taskWith({ configs: [{ source: 'conf', target: '/data/a/conf', mode: 0o444 }], volumes: [{ kind: 'tmpfs', target: '/data/a', sizeBytes: 1 }, { kind: 'volume', source: 'data', target: '/data', readOnly: false }] }), undefined);
  t.deepEqual(steps.map(step => step.target), ['/data', '/data/a', '/data/a/conf']);
});

test('what the task does not declare is refused by name', t => {
  t.throws(() => planMounts(taskWith({ volumes: [{ kind: 'volume', source: 'gone', target: '/x', readOnly: false }] }), undefined), { message: /volume "gone"/ });
  t.throws(() => planMounts(taskWith({ configs: [{ source: 'gone', target: '/x', mode: 0o444 }] }), undefined), { message: /config "gone"/ });
  t.throws(() => planMounts(taskWith({ secrets: [{ source: 'gone', target: '/x', mode: 0o444 }] }), undefined), { message: /secret "gone"/ });
  const escaping = taskWith({ volumes: [{ kind: 'volume', source: '../x', target: '/x', readOnly: false }] }, { volumes: [{ name: '../x', perReplica: false }] });
  t.throws(() => planMounts(escaping, undefined), { message: /volume "..\/x"/ });
});

const allows = test.macro({
  exec(t, hostPath: string, prefixes: readonly string[], expected: boolean) {
    t.is(isAllowedHostPath(hostPath, prefixes), expected);
  },
  title: (name = '') => `isAllowedHostPath: ${name}`,
});
test('nothing by default', allows, '/srv', [], false);
test('the directory itself', allows, '/srv/x', ['/srv/x'], true);
test('inside it', allows, '/srv/x/y', ['/srv/x'], true);
test('not its neighbour', allows, '/srv/xy', ['/srv/x'], false);
test('not above it', allows, '/srv', ['/srv/x'], false);
test('not by dots', allows, '/srv/x/../y', ['/srv/x'], false);
test('not a relative path', allows, 'srv/x', ['/srv/x'], false);
test('the root allows all', allows, '/etc', ['/'], true);
