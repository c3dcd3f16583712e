/** Names, addresses and places of one local cluster, all from its name and the index of its underlay. */
import { createHash } from 'node:crypto';

export interface DevNode {
  readonly name: string;
  readonly networkNamespace: string;
  /** IPv4 address on the underlay. */
  readonly address: string;
  /** First id of its user namespaces: nodes of one machine must not share ids. */
  readonly usernsBase: number;
  /** Prefix of its kernel objects on this machine. */
  readonly scope: string;
}

export interface DevController {
  readonly name: string;
  readonly apiPort: number;
  readonly metricsPort: number;
  readonly joinPort: number;
}

export interface DevLayout {
  readonly name: string;
  /** Prefix of links and tables: at most 5 characters. */
  readonly tag: string;
  readonly stateDir: string;
  readonly runDir: string;
  readonly hubNamespace: string;
  /** The machine's link into the hub. */
  readonly hostLink: string;
  /** nft table on the machine that maps published ports of 127.0.0.1. */
  readonly hostTable: string;
  /** The machine's address on the underlay: controllers, NATS and registry listen there. */
  readonly hostAddress: string;
  /** Third octet of the underlay. */
  readonly underlayIndex: number;
  readonly underlay: string;
  readonly nodes: readonly DevNode[];
  readonly controllers: readonly DevController[];
  readonly etcdPort: number;
  readonly etcdPeerPort: number;
  readonly natsPort: number;
  readonly registryPort: number;
}

export interface DevChoice {
  readonly name: string;
  /** Third octet of the underlay 10.161.X.0/24. */
  readonly underlayIndex: number;
  readonly nodeCount: number;
  readonly controllerCount: number;
  /** Free ports of the machine, in order: see `portsNeeded`. */
  readonly ports: readonly number[];
}

export const STATE_ROOT = '/var/lib/gantry-dev';
export const RUN_ROOT = '/run/gantry-dev';
/** Where the search for free ports begins. Source: decisions.md, "ports". */
export const PORT_BASE = 7400;
export const UNDERLAY_PREFIX = '10.161';
/** 2^20, and 2^24 ids for each node: 256 slots of 65,536. */
const USERNS_FIRST = 0x10_0000;
const USERNS_PER_NODE = 0x100_0000;
/** More than a local cluster may have. */
const NODES_PER_CLUSTER = 10;
/** Clusters of one machine whose ids fit into 32 bits, each with an underlay of its own. */
export const UNDERLAY_COUNT = Math.floor((2 ** 32 - USERNS_FIRST) / (NODES_PER_CLUSTER * USERNS_PER_NODE));

/** API, join and metrics of each controller; etcd's two; NATS; the registry. */
export function portsNeeded(controllerCount: number): number {
  return controllerCount * 3 + 4;
}

export function stateDirOf(name: string): string {
  return `${STATE_ROOT}/${name}`;
}

export function runDirOf(name: string): string {
  return `${RUN_ROOT}/${name}`;
}

export function devLayout(choice: DevChoice): DevLayout {
  const tag = `g${createHash('sha256').update(choice.name).digest('hex').slice(0, 4)}`;
  const [etcdPort = 0, etcdPeerPort = 0, natsPort = 0, registryPort = 0, ...controllerPorts] = choice.ports;
  const underlay = `${UNDERLAY_PREFIX}.${String(choice.underlayIndex)}`;
  return {
    name: choice.name,
    tag,
    stateDir: stateDirOf(choice.name),
    runDir: runDirOf(choice.name),
    hubNamespace: `gantry-${choice.name}-hub`,
    hostLink: `${tag}-host`,
    hostTable: `gantry_${tag}`,
    hostAddress: `${underlay}.1`,
    underlayIndex: choice.underlayIndex,
    underlay: `${underlay}.0/24`,
    nodes: Array.from({ length: choice.nodeCount }, (_, index) => devNode(choice, tag, index)),
    controllers: Array.from({ length: choice.controllerCount }, (_, index) => ({
      name: `c${String(index + 1)}`,
      apiPort: controllerPorts[index * 3] ?? 0,
      joinPort: controllerPorts[index * 3 + 1] ?? 0,
      metricsPort: controllerPorts[index * 3 + 2] ?? 0,
    })),
    etcdPort, etcdPeerPort, natsPort, registryPort,
  };
}

function devNode(choice: DevChoice, tag: string, index: number): DevNode {
  const name = `n${String(index + 1)}`;
  return {
    name,
    networkNamespace: `gantry-${choice.name}-${name}`,
    address: `${UNDERLAY_PREFIX}.${String(choice.underlayIndex)}.${String(10 + index)}`,
    usernsBase: USERNS_FIRST + (choice.underlayIndex * NODES_PER_CLUSTER + index) * USERNS_PER_NODE,
    scope: `${tag}${name}`,
  };
}

/** Every port of the machine that the cluster uses. */
export function portsOf(layout: DevLayout): readonly number[] {
  const ofControllers = layout.controllers.flatMap(controller => [controller.apiPort, controller.joinPort, controller.metricsPort]);
  return [layout.etcdPort, layout.etcdPeerPort, layout.natsPort, layout.registryPort, ...ofControllers];
}
