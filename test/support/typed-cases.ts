/** The faults of manifests.jsonl as typed messages: what a client that has no YAML reader could send. */
import type { AppSpec } from '#model/app.ts';
import type { ContainerSpec, PlacementRule, ServiceSpec } from '#model/service.ts';
import { appOf } from './manifest.ts';

/** The message, or why no typed message can carry the fault. */
export type TypedCase = AppSpec | { readonly reason: string };

const IMAGE = `reg.test/app@sha256:${'0123456789abcdef'.repeat(4)}`;
const GOOD = appOf({ apiVersion: 'gantry/v1', kind: 'App', metadata: { name: 'shop' }, services: { web: { image: IMAGE } } });

function withService(change: (service: ServiceSpec) => Partial<ServiceSpec>): AppSpec {
  return { ...GOOD, services: GOOD.services.map(service => ({ ...service, ...change(service) })) };
}

function withContainer(change: (container: ContainerSpec) => Partial<ContainerSpec>): AppSpec {
  return withService(({ container }) => ({ container: { ...container, ...change(container) } }));
}

const volume = (target: string, source = 'v'): ContainerSpec['volumes'][number] => ({ kind: 'volume', source, target, readOnly: false });
const withVolumes = (...volumes: ContainerSpec['volumes']): AppSpec =>
  ({ ...withContainer(() => ({ volumes })), volumes: ['v', 'w'].map(name => ({ name, perReplica: false })) });
const withRule = (rule: PlacementRule): AppSpec => withService(service => ({ placement: { ...service.placement, require: [rule] } }));
const withoutDigest = (container: ContainerSpec, image: string): Partial<ContainerSpec> => {
  const { digest: _, ...rest } = container;
  return { ...rest, image };
};
const withImage = (image: string): AppSpec =>
  withService(({ container }) => ({ container: { ...withoutDigest(container, image) } as ContainerSpec }));

const TEXT = { reason: 'a fault of the text: a typed message has no YAML' };
const TYPE = { reason: 'the field has a type of its own: the wire cannot carry another' };

export const TYPED_CASES: Readonly<Record<string, TypedCase>> = {
  m001: TEXT, m003: TEXT, m005: TEXT, m007: TEXT, m009: TEXT, m011: TEXT, m013: TEXT, m015: TEXT, m017: TEXT, m019: TEXT, m021: TEXT, m023: TEXT,
  m027: { ...GOOD, name: 'sh\u202eop' },
  m029: { reason: 'a message holds one App' },
  m031: { reason: 'a message has no keys; unknown field numbers are those of newer programs' },
  m033: { ...GOOD, name: '' },
  m035: { reason: 'a service without its parts is no message: refused while it is decoded' },
  m037: { ...GOOD, name: '../../etc/cron.d/x' },
  m039: withService(() => ({ name: '..' })),
  m041: { ...GOOD, name: 'web\n' },
  m043: withService(() => ({ replicas: -1 })),
  m045: TYPE,
  m047: withService(() => ({ replicas: Number.MAX_SAFE_INTEGER })),
  m049: TYPE,
  m051: withContainer(({ limits }) => ({ limits: { ...limits, milliCpu: -500 } })),
  m055: TYPE,
  m059: withContainer(() => ({ environment: [{ name: 'A=B', value: '1' }] })),
  m061: withContainer(() => ({ command: ['serve', 'a\0b'] })),
  m063: withVolumes(volume('/data/../proc/')),
  m065: withVolumes(volume('/data'), volume('/data', 'w')),
  m067: withVolumes({ kind: 'bind', hostPath: '/run/crun', target: '/x', readOnly: false }),
  m069: withImage('reg.test/App:1'),
  m071: withImage('https://reg.test/app:1'),
  m073: withContainer(({ security }) => ({ security: { ...security, capAdd: ['CAP_FOO'] } })),
  m075: { reason: 'the wire has no such profile' },
  m078: withContainer(({ security }) => ({ security: { ...security, user: 'root;id' } })),
  m079: withContainer(() => ({ sysctls: [{ name: 'kernel.core_pattern', value: '|/tmp/x' }] })),
  m082: withContainer(() => ({ healthcheck: { action: { kind: 'tcp', port: 8080 }, intervalMs: 0, timeoutMs: 2000, retries: 3, startPeriodMs: 0 } })),
  m084: {
    ...GOOD,
    services: [['api', 'web'], ['web', 'api']].flatMap(([name = '', other = '']) => GOOD.services.map(service =>
      ({ ...service, name, dependsOn: [{ service: other, condition: 'service_healthy' as const }] }))),
  },
  m086: withRule({ label: 'tier', operator: '==', values: ['a\u001b[31m\nFAKE LOG LINE'] }),
  m088: withContainer(() => ({ ports: [{ published: 8080, target: 80, protocol: 'tcp', mode: 'ingress', allowFrom: ['999.1.1.0/24'] }] })),
  m093: { reason: 'the wire has no such operator' },
};
