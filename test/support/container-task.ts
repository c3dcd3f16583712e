/** A task of one busybox container with every default; a test names only what it is about. */
import { parseNodeId, parseTaskId, serviceId } from '#model/ids.ts';
import type { ContainerSpec } from '#model/service.ts';
import type { Task } from '#model/task.ts';
import type { ImageConfig } from '#model/node-images.ts';

export type TaskOverrides = Partial<ContainerSpec>;

export const IMAGE: ImageConfig = { user: '', environment: ['FROM_IMAGE=1'], entrypoint: [], command: ['/bin/sh'], workingDir: '', stopSignal: '' };

const MIB = 1024 * 1024;

export function containerSpec(overrides: TaskOverrides = {}): ContainerSpec {
  return {
    image: 'docker.io/library/busybox:1', environment: [], stopGracePeriodMs: 10_000, init: false, tty: false, stdin: false,
    restart: { mode: 'always', maxAttempts: 3, windowMs: 60_000, delayMs: 1000 },
    requests: { milliCpu: 50, memoryBytes: 32 * MIB }, limits: { memoryBytes: 64 * MIB, pids: 64 },
    ports: [], configs: [], secrets: [], volumes: [], security: { profile: 'baseline', readOnly: false, capAdd: [], capDrop: [], hostNamespaces: [], mayGainPrivileges: false, isUnconfined: false },
    ulimits: [], sysctls: [], shmSizeBytes: 64 * MIB, extraHosts: [], dns: { servers: [], search: [], options: [] }, devices: [], deviceRequests: [], runtime: 'crun', ...overrides,
  };
}

export function containerTask(overrides: TaskOverrides = {}): Task {
  return {
    id: parseTaskId('abcdefghijkl'), name: 'web-0-abcde', namespace: 'default', app: 'shop', service: 'web',
    serviceId: serviceId('default', 'shop', 'web'), kind: 'service', slot: 0, node: parseNodeId('n1'), revision: 1, templateHash: 'h',
    container: containerSpec(overrides), pins: { configs: [], secrets: [] }, volumes: [], desired: 'run', reason: 'scale-up', fence: 7,
    isPaused: false, resourcesKey: '', createdAtMs: 0,
  };
}
