import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { CertificateEnd } from '#identity/certificate-rules.ts';
import type { Task } from '#model/task.ts';
import type { Pressure } from './runtime/ports.ts';
import type { LinkCounters } from './network/link-counters.ts';
import type { StartStep } from './task/ports.ts';

/** Every metric of gantry-agent; the README's table says the same. Node.js's own come beside them as `gantry_process_` and `gantry_nodejs_`. */
export const AGENT_METRICS = {
  gantry_task_cpu_seconds_total: 'CPU time of the running attempt',
  gantry_task_memory_bytes: 'memory in use, without the page cache that the kernel can reclaim',
  gantry_task_memory_limit_bytes: 'memory limit of the task',
  gantry_task_processes: 'processes and threads of the task',
  gantry_task_restarts_total: 'restarts of the task on this node',
  gantry_task_oom_kills_total: 'processes of the running attempt that the kernel killed for memory',
  gantry_task_network_receive_bytes_total: 'bytes that the task received',
  gantry_task_network_receive_packets_total: 'packets that the task received',
  gantry_task_network_transmit_bytes_total: 'bytes that the task sent',
  gantry_task_network_transmit_packets_total: 'packets that the task sent',
  gantry_task_io_read_bytes_total: 'bytes read from disks, as counted for the control group',
  gantry_task_io_write_bytes_total: 'bytes written to disks, as counted for the control group',
  gantry_task_pressure_cpu_seconds_total: 'time in which a process of the task waited for a cpu; only with control groups of version 2',
  gantry_task_pressure_memory_seconds_total: 'time in which a process of the task waited for memory; only with control groups of version 2',
  gantry_task_pressure_io_seconds_total: 'time in which a process of the task waited for a disk; only with control groups of version 2',
  gantry_agent_pressure_seconds_total: 'time in which a process of the machine waited, by resource: cpu, memory, io',
  gantry_agent_tasks: 'task records, by step',
  gantry_agent_task_events_total: 'events of tasks on this node, by reason; Started counts the starts',
  gantry_agent_pull_duration_seconds: 'time of one image pull, by outcome: done, failed',
  gantry_agent_start_step_seconds: 'time of one step of a start: net (network slot), mount (root file system), create, start',
  gantry_agent_images: 'complete images on disk',
  gantry_agent_session_connected: '1 while a controller acknowledges heartbeats',
  gantry_agent_network_fault: '1 while the agent cannot create the network of the node, which gets no tasks meanwhile',
  gantry_agent_news_dropped_total: 'events and samples that were not sent, because no session was open or the rate was too high',
  gantry_certificate_expiration_timestamp_seconds: 'end of a certificate in seconds since 1970, by certificate',
  gantry_certificate_renewal_timestamp_seconds: 'time at which a certificate is due for renewal, in seconds since 1970, by certificate',
  gantry_agent_event_loop_lag_seconds: 'delay of the timer of the latest sample',
} as const;

export type AgentMetricName = keyof typeof AGENT_METRICS;

/** Usage of one task now. */
export interface TaskUsage {
  readonly task: Task;
  readonly attempt: number;
  readonly restarts: number;
  readonly cpuMicroseconds: number;
  readonly memoryBytes: number;
  readonly memoryLimitBytes: number;
  readonly processes: number;
  readonly oomKills: number;
  readonly ioReadBytes: number;
  readonly ioWriteBytes: number;
  readonly pressure?: Pressure;
  /** Absent while its link is not there. */
  readonly link: LinkCounters | undefined;
}

/** Where gauges look when they are scraped. */
export interface AgentMetricSources {
  readonly isConnected: () => boolean;
  readonly hasNetworkFault: () => boolean;
  readonly droppedNewsCount: () => number;
  readonly imageCount: () => Promise<number>;
  readonly certificates: () => readonly CertificateEnd[];
  /** Of the machine; undefined where its kernel does not count it. */
  readonly pressure: () => Promise<Pressure | undefined>;
}

const TASK_LABELS = ['namespace', 'app', 'service', 'task'] as const;
type TaskLabel = (typeof TASK_LABELS)[number];
const MICROSECONDS = 1_000_000;
const STEP_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];
const PULL_BUCKETS = [0.01, 0.05, 0.25, 1, 2.5, 5, 10, 30, 60, 300];

/** The values of one task, by metric. */
function taskValues(usage: TaskUsage): Readonly<Partial<Record<AgentMetricName, number>>> {
  return {
    gantry_task_cpu_seconds_total: usage.cpuMicroseconds / MICROSECONDS,
    gantry_task_memory_bytes: usage.memoryBytes,
    gantry_task_memory_limit_bytes: usage.memoryLimitBytes,
    gantry_task_processes: usage.processes,
    gantry_task_restarts_total: usage.restarts,
    gantry_task_oom_kills_total: usage.oomKills,
    gantry_task_io_read_bytes_total: usage.ioReadBytes,
    gantry_task_io_write_bytes_total: usage.ioWriteBytes,
    ...(usage.pressure === undefined ? {} : {
      gantry_task_pressure_cpu_seconds_total: usage.pressure.cpu / MICROSECONDS,
      gantry_task_pressure_memory_seconds_total: usage.pressure.memory / MICROSECONDS,
      gantry_task_pressure_io_seconds_total: usage.pressure.io / MICROSECONDS,
    }),
    ...(usage.link === undefined ? {} : {
      gantry_task_network_receive_bytes_total: usage.link.receivedBytes,
      gantry_task_network_receive_packets_total: usage.link.receivedPackets,
      gantry_task_network_transmit_bytes_total: usage.link.sentBytes,
      gantry_task_network_transmit_packets_total: usage.link.sentPackets,
    }),
  };
}

/** Holds what was told of the agent and shows it to Prometheus. */
export class AgentMetrics {
  readonly registry = new Registry();
  readonly #ofTasks = new Map<string, Counter<TaskLabel> | Gauge<TaskLabel>>();
  readonly #tasks = new Gauge({ ...described('gantry_agent_tasks'), labelNames: ['step'], registers: [this.registry] });
  readonly #events = new Counter({ ...described('gantry_agent_task_events_total'), labelNames: ['reason'], registers: [this.registry] });
  readonly #pulls = new Histogram({ ...described('gantry_agent_pull_duration_seconds'), labelNames: ['outcome'], buckets: PULL_BUCKETS, registers: [this.registry] });
  readonly #steps = new Histogram({ ...described('gantry_agent_start_step_seconds'), labelNames: ['step'], buckets: STEP_BUCKETS, registers: [this.registry] });
  readonly #loopLag = new Gauge({ ...described('gantry_agent_event_loop_lag_seconds'), registers: [this.registry] });

  constructor() {
    collectDefaultMetrics({ register: this.registry, prefix: 'gantry_' });
    for (const name of Object.keys(AGENT_METRICS).filter(isTaskMetric)) {
      const options = { ...described(name), labelNames: TASK_LABELS, registers: [this.registry] };
      this.#ofTasks.set(name, name.endsWith('_total') ? new Counter(options) : new Gauge(options));
    }
  }

  countEvent(reason: string): void {
    this.#events.inc({ reason });
  }

  observePull(outcome: 'done' | 'failed', durationMs: number): void {
    this.#pulls.observe({ outcome }, durationMs / 1_000);
  }

  observeStep(step: StartStep, durationMs: number): void {
    this.#steps.observe({ step }, durationMs / 1_000);
  }

  setLag(lagMs: number): void {
    this.#loopLag.set(lagMs / 1_000);
  }

  /** Gauges begin to be filled. */
  observe(sources: AgentMetricSources): void {
    const registers = [this.registry];
    new Gauge({ ...described('gantry_agent_session_connected'), registers, collect() { this.set(sources.isConnected() ? 1 : 0); } });
    new Gauge({ ...described('gantry_agent_network_fault'), registers, collect() { this.set(sources.hasNetworkFault() ? 1 : 0); } });
    new Counter({ ...described('gantry_agent_news_dropped_total'), registers, collect() { this.reset(); this.inc(sources.droppedNewsCount()); } });
    new Counter({
      ...described('gantry_agent_pressure_seconds_total'), labelNames: ['resource'], registers,
      async collect() {
        this.reset();
        for (const [resource, microseconds] of Object.entries({ ...await sources.pressure() } as Readonly<Record<string, number>>)) {
          this.inc({ resource }, microseconds / MICROSECONDS);
        }
      },
    });
    this.#observeCertificates('gantry_certificate_expiration_timestamp_seconds', () => sources.certificates().map(end => [end.certificate, end.notAfterMs]));
    this.#observeCertificates('gantry_certificate_renewal_timestamp_seconds', () => sources.certificates().map(end => [end.certificate, end.renewAtMs]));
    new Gauge({ ...described('gantry_agent_images'), registers, async collect() { this.set(await sources.imageCount()); } });
  }

  #observeCertificates(name: AgentMetricName, read: () => readonly (readonly [certificate: string, atMs: number | undefined])[]): void {
    new Gauge({
      ...described(name), labelNames: ['certificate'], registers: [this.registry],
      collect() {
        this.reset();
        for (const [certificate, atMs] of read()) {
          if (atMs !== undefined) this.set({ certificate }, atMs / 1_000);
        }
      },
    });
  }

  /** Replaces what is known of all tasks: those that are gone are shown no more. */
  setTasks(steps: readonly string[], usages: readonly TaskUsage[]): void {
    this.#tasks.reset();
    this.#ofTasks.forEach(metric => { metric.reset(); });
    for (const step of steps) {
      this.#tasks.inc({ step });
    }
    for (const usage of usages) {
      const labels = { namespace: usage.task.namespace, app: usage.task.app, service: usage.task.service, task: usage.task.id };
      for (const [name, value] of Object.entries(taskValues(usage))) {
        this.#ofTasks.get(name)?.inc(labels, value);
      }
    }
  }
}

function isTaskMetric(name: string): name is AgentMetricName {
  return name.startsWith('gantry_task_');
}

function described(name: AgentMetricName): { readonly name: string; readonly help: string } {
  return { name, help: AGENT_METRICS[name] };
}
