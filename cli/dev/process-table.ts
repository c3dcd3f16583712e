/** The processes of a local cluster and how each is started. */
import type { DevProcessKind } from './cluster-file.ts';
import { portsOf } from './layout.ts';
import type { DevController, DevLayout, DevNode } from './layout.ts';

export interface ProcessSpec {
  readonly name: string;
  readonly kind: DevProcessKind;
  readonly node?: string;
  readonly program: string;
  readonly args: readonly string[];
}

export interface ProcessChoice {
  /** Directory of the launchers: gantry-controller, gantry-agent, gantry-deadman. */
  readonly binDir: string;
  readonly times: 'default' | 'test';
  /** What each node offers, as `cpu=4,memory=7Gi`. */
  readonly capacity: string;
  /** More options for each agent, separated by spaces. */
  readonly agentOptions: string;
  /** Where controllers ask for metrics; absent: nowhere. */
  readonly prometheusUrl?: string;
  readonly logLevel: string;
}

/** In the order they are started; agents come once the controllers answer and each node has its certificate. */
export function processTable(layout: DevLayout, choice: ProcessChoice): readonly ProcessSpec[] {
  return [
    etcdProcess(layout), natsProcess(layout), registryProcess(layout),
    ...layout.controllers.map(controller => controllerProcess(layout, controller, choice)),
    ...layout.nodes.map(node => deadmanProcess(layout, node, choice)),
    ...layout.nodes.map(node => agentProcess(layout, node, choice)),
  ];
}

/** `host:port` of each controller's API. */
export function controllerAddresses(layout: DevLayout): readonly string[] {
  return layout.controllers.map(controller => `${layout.hostAddress}:${String(controller.apiPort)}`);
}

export function joinAddresses(layout: DevLayout): readonly string[] {
  return layout.controllers.map(controller => `${layout.hostAddress}:${String(controller.joinPort)}`);
}

export function registryAddress(layout: DevLayout): string {
  return `${layout.hostAddress}:${String(layout.registryPort)}`;
}

export function natsAddress(layout: DevLayout): string {
  return `${layout.hostAddress}:${String(layout.natsPort)}`;
}

function etcdProcess(layout: DevLayout): ProcessSpec {
  const pki = `${layout.stateDir}/pki/etcd`;
  const client = `https://127.0.0.1:${String(layout.etcdPort)}`;
  const peer = `https://127.0.0.1:${String(layout.etcdPeerPort)}`;
  return {
    name: 'etcd', kind: 'etcd', program: 'etcd',
    args: [
      '--name', 'dev', '--data-dir', `${layout.stateDir}/etcd`, '--log-level', 'warn',
      '--listen-client-urls', client, '--advertise-client-urls', client, '--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer,
      '--initial-cluster', `dev=${peer}`, '--client-cert-auth', '--peer-client-cert-auth',
      ...['', 'peer-'].flatMap(part => [`--${part}trusted-ca-file`, `${pki}/ca.pem`, `--${part}cert-file`, `${pki}/certificate.pem`, `--${part}key-file`, `${pki}/key.pem`]),
      '--auto-compaction-mode', 'periodic', '--auto-compaction-retention', '1h',
    ],
  };
}

function natsProcess(layout: DevLayout): ProcessSpec {
  return { name: 'nats', kind: 'nats', program: 'nats-server', args: ['-c', `${layout.stateDir}/nats/nats.conf`] };
}

/** As deploy/systemd/nats.conf. Source: NATS, "TLS Authentication": `verify_and_map` takes the user from names of the certificate. */
export function natsConfig(layout: DevLayout): string {
  const pki = `${layout.stateDir}/pki/nats`;
  return [
    `listen: "${layout.hostAddress}:${String(layout.natsPort)}"`,
    'max_payload: 1MB',
    `tls { cert_file: "${pki}/certificate.pem", key_file: "${pki}/key.pem", ca_file: "${pki}/ca.pem", verify_and_map: true }`,
    'authorization { users: [',
    '  { user: "controller.gantry", permissions: { publish: "gantry.>", subscribe: "gantry.>" } }',
    '  { user: "spiffe://gantry/operator/admin", permissions: { publish: { deny: ">" }, subscribe: "gantry.>" } }',
    '] }',
    '',
  ].join('\n');
}

function registryProcess(layout: DevLayout): ProcessSpec {
  return { name: 'registry', kind: 'registry', program: 'docker-registry', args: ['serve', `${layout.stateDir}/registry/config.yml`] };
}

/** Source: distribution, "Configuring a registry". */
export function registryConfig(layout: DevLayout): string {
  const pki = `${layout.stateDir}/pki/registry`;
  return [
    'version: 0.1',
    'log: { level: warn, accesslog: { disabled: true } }',
    `storage: { filesystem: { rootdirectory: ${layout.stateDir}/registry/data }, cache: { blobdescriptor: inmemory }, delete: { enabled: true } }`,
    `http: { addr: "${registryAddress(layout)}", tls: { certificate: ${pki}/certificate.pem, key: ${pki}/key.pem } }`,
    '',
  ].join('\n');
}

function controllerProcess(layout: DevLayout, controller: DevController, choice: ProcessChoice): ProcessSpec {
  const etcdPki = `${layout.stateDir}/pki/etcd-client`;
  const at = (port: number): string => `${layout.hostAddress}:${String(port)}`;
  return {
    name: controller.name, kind: 'controller', program: `${choice.binDir}/gantry-controller`,
    args: [
      '--id', controller.name, '--config-dir', `${layout.stateDir}/pki`,
      '--listen', at(controller.apiPort), '--advertise', at(controller.apiPort),
      '--join-listen', at(controller.joinPort), '--metrics-listen', at(controller.metricsPort),
      '--etcd', `https://127.0.0.1:${String(layout.etcdPort)}`,
      '--etcd-ca', `${etcdPki}/ca.pem`, '--etcd-cert', `${etcdPki}/certificate.pem`, '--etcd-key', `${etcdPki}/key.pem`,
      '--nats', natsAddress(layout), '--times', choice.times, '--log-level', choice.logLevel,
      '--default-registry', registryAddress(layout), '--registry-ca', `${layout.stateDir}/pki/ca.pem`,
      ...(choice.prometheusUrl === undefined ? [] : ['--prometheus', choice.prometheusUrl]),
    ],
  };
}

/** Sees control groups as the node's agent does. */
function deadmanProcess(layout: DevLayout, node: DevNode, { binDir }: ProcessChoice): ProcessSpec {
  return {
    name: `${node.name}-deadman`, kind: 'deadman', node: node.name, program: 'nsenter',
    args: [`--mount=${layout.runDir}/mnt/${node.name}`, '--', `${binDir}/gantry-deadman`, '--run-dir', `${layout.runDir}/${node.name}`],
  };
}

/** Inside the node's network namespace and its pinned mount namespace, where the hybrid cgroup mount is gone. */
function agentProcess(layout: DevLayout, node: DevNode, choice: ProcessChoice): ProcessSpec {
  return {
    name: node.name, kind: 'agent', node: node.name, program: 'nsenter',
    args: [
      `--net=/run/netns/${node.networkNamespace}`, `--mount=${layout.runDir}/mnt/${node.name}`, '--',
      `${choice.binDir}/gantry-agent`,
      '--node', node.name, '--config-dir', `${layout.stateDir}/${node.name}/config`, '--state-dir', `${layout.stateDir}/${node.name}/state`,
      '--run-dir', `${layout.runDir}/${node.name}`, '--scope', node.scope, '--underlay-address', node.address,
      '--controllers', controllerAddresses(layout).join(','), '--capacity', choice.capacity, '--pool', '4', '--userns-base', String(node.usernsBase),
      '--management-ports', ['7402', ...portsOf(layout)].join(','),
      '--metrics-listen', `${node.address}:7402`, '--nats', natsAddress(layout), '--registry-ca', `${layout.stateDir}/pki/ca.pem`, '--log-level', choice.logLevel,
      ...choice.agentOptions.split(/\s+/).filter(word => word !== ''),
    ],
  };
}
