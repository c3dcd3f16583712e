import type * as wire from '#gen/gantry/v1/types.ts';
import {
  CompanionRole, HostNamespace as WireHostNamespace, Protocol, PublishMode, PullPolicy, RestartMode, SecurityProfile as WireProfile,
} from '#gen/gantry/v1/types.ts';
import { parseDigest } from '#model/digest.ts';
import type { Limits, TaskResources } from '#model/resources.ts';
import type {
  CompanionSpec, ContainerSpec, DnsSpec, HealthCheck, HostNamespace, ProbeAction, PublishedPort, RestartPolicy, SecurityProfile, SecuritySpec, SidecarNamespace, VolumeMount,
} from '#model/service.ts';
import { HOST_NAMESPACES, SIDECAR_NAMESPACES } from '#model/service.ts';
import type { Codec } from './wire.ts';
import { enumCodec, optional, present, required, surrounded, unknownCase, unknownFieldsOf, WireError } from './wire.ts';
import type { Surrounded } from './wire.ts';

const protocolCodec = enumCodec<PublishedPort['protocol'], Protocol>('protocol', { tcp: Protocol.PROTOCOL_TCP, udp: Protocol.PROTOCOL_UDP });

const publishModeCodec = enumCodec<PublishedPort['mode'], PublishMode>('publish mode', {
  ingress: PublishMode.PUBLISH_MODE_INGRESS, host: PublishMode.PUBLISH_MODE_HOST,
});

const restartModeCodec = enumCodec<RestartPolicy['mode'], RestartMode>('restart mode', {
  'always': RestartMode.RESTART_MODE_ALWAYS,
  'on-failure': RestartMode.RESTART_MODE_ON_FAILURE,
  'never': RestartMode.RESTART_MODE_NEVER,
});

export const pullPolicyCodec = enumCodec<NonNullable<ContainerSpec['pullPolicy']>, PullPolicy>('pull policy', {
  always: PullPolicy.PULL_POLICY_ALWAYS, never: PullPolicy.PULL_POLICY_NEVER,
});

export const profileCodec = enumCodec<SecurityProfile, WireProfile>('security profile', {
  baseline: WireProfile.SECURITY_PROFILE_BASELINE, restricted: WireProfile.SECURITY_PROFILE_RESTRICTED, privileged: WireProfile.SECURITY_PROFILE_PRIVILEGED,
});

const hostNamespaceCodec = enumCodec<HostNamespace, WireHostNamespace>('host namespace', {
  userns: WireHostNamespace.HOST_NAMESPACE_USERNS, pid: WireHostNamespace.HOST_NAMESPACE_PID, ipc: WireHostNamespace.HOST_NAMESPACE_IPC,
  uts: WireHostNamespace.HOST_NAMESPACE_UTS, cgroup: WireHostNamespace.HOST_NAMESPACE_CGROUP, network: WireHostNamespace.HOST_NAMESPACE_NETWORK,
});

/** Not written, as by programs that did not know it. */
const NO_DNS: DnsSpec = { servers: [], search: [], options: [] };

/** No huge pages are an empty list on the wire and absent in the model. */
const limitsCodec: Codec<Limits, wire.Limits> = {
  toWire: limits => ({ ...limits, hugepages: limits.hugepages ?? [] }),
  // In the order in which they are shown.
  fromWire: ({ milliCpu, ...limits }) => present({
    milliCpu, ...limits, io: optional(limits.io, present), hugepages: limits.hugepages.length === 0 ? undefined : limits.hugepages.map(present),
  }),
};

export const containerCodec: Codec<ContainerSpec, wire.ContainerSpec> = {
  toWire: spec => ({
    ...spec,
    pullPolicy: optional(spec.pullPolicy, pullPolicyCodec.toWire),
    entrypoint: optional(spec.entrypoint, commandToWire),
    command: optional(spec.command, commandToWire),
    healthcheck: optional(spec.healthcheck, healthCheckToWire),
    restart: { ...spec.restart, mode: restartModeCodec.toWire(spec.restart.mode) },
    limits: limitsCodec.toWire(spec.limits),
    ports: spec.ports.map(publishedPortCodec.toWire),
    volumes: spec.volumes.map(volumeMountToWire),
    security: securityToWire(spec.security),
    dns: dnsToWire(spec.dns),
  }),
  fromWire: spec => present({
    ...spec,
    digest: optional(spec.digest, parseDigest),
    pullPolicy: optional(spec.pullPolicy, pullPolicyCodec.fromWire),
    entrypoint: spec.entrypoint?.arguments,
    command: spec.command?.arguments,
    healthcheck: optional(spec.healthcheck, healthCheckFromWire),
    restart: restartFromWire(required(spec.restart, 'container.restart')),
    requests: present(required(spec.requests, 'container.requests')),
    deviceRequests: spec.deviceRequests.map(present),
    limits: limitsCodec.fromWire(required(spec.limits, 'container.limits')),
    ports: spec.ports.map(publishedPortCodec.fromWire),
    configs: spec.configs.map(present),
    secrets: spec.secrets.map(present),
    volumes: spec.volumes.map(volumeMountFromWire),
    security: securityFromWire(required(spec.security, 'container.security')),
    dns: spec.dns ?? NO_DNS,
  }),
};

const roleCodec = enumCodec<CompanionSpec['role'], CompanionRole>('companion role', {
  init: CompanionRole.COMPANION_ROLE_INIT, sidecar: CompanionRole.COMPANION_ROLE_SIDECAR,
});

/** None is an empty list on the wire and absent in the model. */
export const companionsCodec: Codec<readonly CompanionSpec[] | undefined, readonly wire.Companion[]> = {
  toWire: (companions = []) => companions.map(one => ({ ...one, role: roleCodec.toWire(one.role), container: containerCodec.toWire(one.container) })),
  fromWire: companions => companions.length === 0 ? undefined : companions.map(one => ({
    ...one, role: roleCodec.fromWire(one.role), container: containerCodec.fromWire(required(one.container, 'companion.container')),
  })),
};

export const taskResourcesCodec: Codec<TaskResources, wire.TaskResources> = {
  toWire: resources => ({ ...resources, limits: limitsCodec.toWire(resources.limits) }),
  fromWire: resources => ({
    ...resources,
    requests: present(required(resources.requests, 'resources.requests')), limits: limitsCodec.fromWire(required(resources.limits, 'resources.limits')),
  }),
};


export const publishedPortCodec: Codec<PublishedPort, wire.PublishedPort> = {
  toWire: port => ({ ...port, protocol: protocolCodec.toWire(port.protocol), mode: publishModeCodec.toWire(port.mode) }),
  fromWire: port => present({ ...port, protocol: protocolCodec.fromWire(port.protocol), mode: publishModeCodec.fromWire(port.mode) }),
};

function commandToWire(command: readonly string[]): wire.Command {
  return { arguments: command };
}

function restartFromWire(policy: wire.RestartPolicy): RestartPolicy {
  return { ...policy, mode: restartModeCodec.fromWire(policy.mode) };
}

function dnsToWire(dns: DnsSpec): DnsSpec | undefined {
  return dns.servers.length + dns.search.length + dns.options.length === 0 ? undefined : dns;
}

function securityToWire(security: SecuritySpec): wire.SecuritySpec {
  const { sidecarNamespaces = [] } = security;
  return {
    ...security,
    profile: profileCodec.toWire(security.profile),
    hostNamespaces: security.hostNamespaces.map(hostNamespaceCodec.toWire),
    sidecarNamespaces: sidecarNamespaces.map(one => ({ ...one, namespace: hostNamespaceCodec.toWire(one.namespace) })),
  };
}

function securityFromWire({ sidecarNamespaces, ...security }: wire.SecuritySpec): SecuritySpec {
  return present({
    ...security,
    profile: profileCodec.fromWire(security.profile),
    hostNamespaces: security.hostNamespaces.map(hostNamespaceCodec.fromWire),
    sidecarNamespaces: sidecarNamespaces.length === 0 ? undefined : sidecarNamespaces.map(one => ({ ...one, namespace: sidecarNamespaceFromWire(one.namespace) })),
  });
}

/** One that no sidecar can lend is refused; one of a newer program is kept as it is. */
function sidecarNamespaceFromWire(wireNamespace: WireHostNamespace): SidecarNamespace {
  const name = hostNamespaceCodec.fromWire(wireNamespace);
  if (HOST_NAMESPACES.includes(name) && !SIDECAR_NAMESPACES.some(one => one === name)) {
    throw new WireError(`namespace ${name} cannot be a sidecar's; only ${SIDECAR_NAMESPACES.join(', ')}`);
  }
  return name as SidecarNamespace;
}

function healthCheckToWire(check: HealthCheck): wire.HealthCheck {
  return { ...check, action: probeActionToWire(check.action) };
}

function healthCheckFromWire(check: wire.HealthCheck): HealthCheck {
  return { ...check, action: probeActionFromWire(required(check.action, 'healthcheck.action')) };
}

function probeActionToWire(probe: ProbeAction): wire.ProbeAction {
  const { $around, ...action } = probe as Surrounded<ProbeAction>;
  return { ...$around, action: probeCaseToWire(action) };
}

function probeCaseToWire(action: ProbeAction): wire.ProbeAction['action'] {
  switch (action.kind) {
    case 'exec': return { $case: 'exec', value: { ...action, arguments: action.command } };
    case 'tcp': return { $case: 'tcp', value: action };
    case 'http': return { $case: 'http', value: action };
    case 'grpc': return { $case: 'grpc', value: action };
    default: return undefined;
  }
}

function probeActionFromWire(message: wire.ProbeAction): ProbeAction {
  return surrounded(message, probeCaseFromWire(message));
}

function probeCaseFromWire(message: wire.ProbeAction): ProbeAction {
  const { action } = message;
  switch (action?.$case) {
    case undefined: return unknownCase('healthcheck.action', message);
    case 'exec': return { kind: 'exec', command: action.value.arguments, ...unknownFieldsOf(action.value) };
    case 'tcp': return { kind: 'tcp', ...action.value };
    case 'http': return { kind: 'http', ...action.value };
    case 'grpc': return { kind: 'grpc', ...action.value };
  }
}

function volumeMountToWire(volume: VolumeMount): wire.VolumeMount {
  const { $around, ...mount } = volume as Surrounded<VolumeMount>;
  return { ...$around, mount: mountCaseToWire(mount) };
}

function mountCaseToWire(mount: VolumeMount): wire.VolumeMount['mount'] {
  switch (mount.kind) {
    case 'volume': return { $case: 'volume', value: mount };
    case 'bind': return { $case: 'bind', value: mount };
    case 'tmpfs': return { $case: 'tmpfs', value: mount };
    default: return undefined;
  }
}

function volumeMountFromWire(message: wire.VolumeMount): VolumeMount {
  return surrounded(message, mountCaseFromWire(message));
}

function mountCaseFromWire(message: wire.VolumeMount): VolumeMount {
  const { mount } = message;
  switch (mount?.$case) {
    case undefined: return unknownCase('container.volumes.mount', message);
    case 'volume': return { kind: 'volume', ...mount.value };
    case 'bind': return { kind: 'bind', ...mount.value };
    case 'tmpfs': return { kind: 'tmpfs', ...mount.value };
  }
}
