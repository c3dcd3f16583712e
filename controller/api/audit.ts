/** Which calls are audited, and what of them is told: who, what, on which object, with which outcome. Never a value that could be a secret. */
import { readCertificate } from '#identity/certificate-rules.ts';
import { ClusterError } from '#model/errors.ts';
import type { NodeId } from '#model/ids.ts';
import type { NodeImagesSpec } from '#model/node-images.ts';
import type { Peer, ResourceTarget, TaskMove } from '#model/ports.ts';
import { printable } from '#model/printable.ts';
import type { SessionRefusal } from '#model/session.ts';
import type { TunnelSpec } from '#model/tunnel.ts';
import type { CallEnd } from '#rpc/call-end.ts';

export interface AuditLine {
  readonly caller: string;
  readonly address: string;
  readonly rpc: string;
  /** As events name it: `service/NS/APP/SVC`. Empty: not known, or none. */
  readonly object: string;
  readonly details: Readonly<Record<string, unknown>>;
  readonly requestId: string;
  /** `done`, the code of the refusal, or `begun` for a tunnel that was opened: its end is a line of its own. */
  readonly outcome: string;
  /** Of a refusal. */
  readonly message: string;
}

type Fields = Readonly<Record<string, unknown>>;

interface Audited {
  readonly object: (request: Fields) => string;
  /** Chosen one by one: what is not named here is not told. */
  readonly details?: (request: Fields) => Fields;
}

const aboutService: Audited['object'] = ({ service }) => `service/${text(service)}`;
const aboutNode: Audited['object'] = ({ node }) => `node/${text(node)}`;
const aboutTask: Audited['object'] = ({ task }) => `task/${text(task)}`;
const aboutSecret: Audited['object'] = ({ namespace, name }) => `secret/${text(namespace)}/${text(name)}`;
const aboutLogin: Audited['object'] = ({ namespace, registry }) => `registry-login/${text(namespace)}/${text(registry)}`;

function aboutTarget(target: ResourceTarget): string {
  return target.kind === 'service' ? `service/${target.service}` : `task/${target.task}`;
}

const TUNNEL: Audited = {
  object: request => (request['images'] === undefined ? aboutTask(request) : aboutNode(request)),
  details: ({ spec, images }) => (images === undefined ? tunnelDetails(spec as TunnelSpec) : imagesDetails(images as NodeImagesSpec)),
};

/** Every call that changes something or enters a task; reads are audited only when they are refused. */
const AUDITED: Readonly<Record<string, Audited>> = {
  'ControlApi.Apply': { object: ({ app }) => `app/${text((app as Fields)['namespace'])}/${text((app as Fields)['name'])}`, details: ({ isDryRun }) => ({ isDryRun }) },
  'ControlApi.DeleteApp': { object: ({ namespace, app }) => `app/${text(namespace)}/${text(app)}`, details: ({ withVolumes }) => ({ withVolumes }) },
  'ControlApi.DeleteService': { object: aboutService },
  'ControlApi.Scale': { object: aboutService, details: ({ replicas }) => ({ replicas }) },
  'ControlApi.Restart': { object: aboutService },
  'ControlApi.RunCron': { object: aboutService },
  'ControlApi.ChangeRollout': { object: aboutService, details: ({ action }) => ({ action }) },
  'ControlApi.Undo': { object: ({ namespace, app }) => `app/${text(namespace)}/${text(app)}`, details: ({ service, toRevision }) => ({ service: text(service), toRevision }) },
  'ControlApi.MoveTasks': { object: () => '', details: ({ moves }) => ({ moves: texts((moves as readonly TaskMove[]).map(({ task, node }) => `${task} ${node}`)) }) },
  'ControlApi.StopTask': { object: aboutTask },
  'ControlApi.UpdateResources': { object: ({ target }) => aboutTarget(target as ResourceTarget), details: ({ change }) => ({ change }) },
  'ControlApi.SetPaused': { object: () => '', details: ({ tasks, isPaused }) => ({ tasks: texts(tasks), isPaused }) },
  'ControlApi.PutNamespace': { object: ({ name }) => `namespace/${text(name)}`, details: ({ profile, bindPrefixes, quota }) => ({ profile, bindPrefixes: texts(bindPrefixes), quota }) },
  'ControlApi.DeleteNamespace': { object: ({ name }) => `namespace/${text(name)}` },
  'ControlApi.PutRegistryLogin': { object: aboutLogin, details: ({ username }) => ({ username: text(username) }) },
  'ControlApi.DeleteRegistryLogin': { object: aboutLogin },
  'ControlApi.TagImage': { object: ({ target }) => `image/${text(target)}`, details: ({ namespace, source }) => ({ namespace: text(namespace), source: text(source) }) },
  'ControlApi.PutSecret': { object: aboutSecret },
  'ControlApi.DeleteSecret': { object: aboutSecret },
  'ControlApi.RemoveVolume': { object: ({ namespace, name }) => `volume/${text(namespace)}/${text(name)}`, details: ({ node, isForced }) => ({ node: text(node), isForced }) },
  'ControlApi.CreateToken': { object: () => '', details: ({ role, ttlMs }) => ({ role, ttlMs }) },
  'ControlApi.RenewCertificate': { object: () => '' },
  'ControlApi.SetAvailability': { object: aboutNode, details: ({ availability }) => ({ availability }) },
  'ControlApi.SetLabels': { object: aboutNode, details: ({ set, remove }) => ({ set: texts([...(set as ReadonlyMap<string, string>).keys()]), remove: texts(remove) }) },
  'ControlApi.SetTaints': { object: aboutNode, details: ({ taints }) => ({ taints: texts(taints) }) },
  'ControlApi.ConfirmLost': { object: aboutNode },
  'ControlApi.RemoveNode': { object: aboutNode },
  'ControlApi.ReplaceNode': { object: aboutNode, details: ({ ttlMs, isForced }) => ({ ttlMs, isForced }) },
  'ControlApi.OpenTunnel': TUNNEL,
  // At the controller that holds the node's session; the caller is the controller that the operator called.
  'PeerApi.Relay': TUNNEL,
  'AgentApi.Join': { object: ({ nodeName }) => `node/${text(nodeName)}` },
  'AgentApi.Renew': { object: () => '' },
  'AgentApi.RenewExpired': { object: ({ certificatePem }) => claimedNode(certificatePem) },
};

const REFUSALS: ReadonlySet<string> = new Set(['PERMISSION_DENIED', 'UNAUTHENTICATED']);
const MAX_TEXT_LENGTH = 300;
const MAX_PEM_LENGTH = 16 * 1024;

/** The node that a certificate names; whether that is true the outcome says. */
function claimedNode(pem: unknown): string {
  try {
    const peer = typeof pem === 'string' && pem.length <= MAX_PEM_LENGTH ? readCertificate(pem).peer : undefined;
    return peer === undefined ? '' : `${peer.role}/${text(peer.name)}`;
  } catch {
    // Not a certificate: the call was refused.
    return '';
  }
}

/** The line of a call that ended or began; undefined for one that is not audited: a read that was allowed. */
export function auditLine({ rpc, caller, address, request, error, isBegun }: CallEnd): AuditLine | undefined {
  const outcome = isBegun === true ? 'begun' : outcomeOf(error);
  const audited = AUDITED[rpc];
  if ((audited === undefined || isRead(request)) && !REFUSALS.has(outcome)) {
    return undefined;
  }
  const message = error instanceof ClusterError ? text(error.message) : '';
  return { caller, address, rpc, outcome, message, ...told(audited, request as Fields | undefined) };
}

/** Nothing of a call that was refused before it was read. */
function told(audited: Audited | undefined, request: Fields | undefined): Pick<AuditLine, 'object' | 'details' | 'requestId'> {
  if (audited === undefined || request === undefined) {
    return { object: '', details: {}, requestId: '' };
  }
  return { object: audited.object(request), details: audited.details?.(request) ?? {}, requestId: text(request['requestId']) };
}

/** A registration that was answered with a refusal: the stream itself ended well. */
export function sessionRefused(peer: Peer, node: NodeId, { code, message }: Pick<SessionRefusal, 'code' | 'message'>): AuditLine {
  return { caller: `${peer.role} ${peer.name}`, address: peer.address, rpc: 'AgentApi.Session', object: `node/${node}`, details: {}, requestId: '', outcome: code, message };
}

/** A tunnel that only reads: what a task logged, uses or is; which images a node has. */
function isRead(request: unknown): boolean {
  const { spec, images } = (request ?? {}) as { readonly spec?: TunnelSpec; readonly images?: NodeImagesSpec };
  return spec?.kind === 'logs' || spec?.kind === 'stats' || spec?.kind === 'inspect' || images?.kind === 'list';
}

function outcomeOf(error: unknown): string {
  if (error === undefined) {
    return 'done';
  }
  return error instanceof ClusterError ? error.code : 'INTERNAL';
}

/** Arguments and environment of a command may hold passwords: the program and how many there are must do. */
function tunnelDetails(spec: TunnelSpec): Fields {
  switch (spec.kind) {
    case 'exec': return { kind: spec.kind, program: text(spec.command[0]), argumentCount: Math.max(0, spec.command.length - 1), user: text(spec.user), tty: spec.tty };
    case 'copy': return { kind: spec.kind, direction: spec.direction, path: text(spec.path) };
    case 'forward': return { kind: spec.kind, port: spec.port };
    case 'attach': return { kind: spec.kind, stdin: spec.stdin };
    case 'debug': return { kind: spec.kind, image: text(spec.image), program: text(spec.command[0]), argumentCount: Math.max(0, spec.command.length - 1), tty: spec.tty };
    case 'logs':
    case 'stats':
    case 'inspect': return { kind: spec.kind };
  }
}

function imagesDetails(images: NodeImagesSpec): Fields {
  return { kind: images.kind, ...(images.kind === 'pull' ? { image: text(images.image) } : {}), ...(images.kind === 'list' ? {} : { digest: text(images.digest) }) };
}

/** Bounded, and without bytes that change what a terminal shows of a log. */
function text(value: unknown): string {
  return typeof value === 'string' ? printable(value.slice(0, MAX_TEXT_LENGTH)) : '';
}

function texts(values: unknown): readonly string[] {
  return Array.isArray(values) ? values.map(text) : [];
}
