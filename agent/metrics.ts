import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Task } from '#model/task.ts';

/** Usage of one task now. */
export interface TaskUsage {
  readonly task: Task;
  readonly attempt: number;
  readonly cpuMicroseconds: number;
  readonly memoryBytes: number;
  readonly memoryLimitBytes: number;
  readonly processes: number;
  readonly oomKills: number;
}

const TASK_LABELS = ['namespace', 'app', 'service', 'task'] as const;

/** Every metric of the agent. */
export class AgentMetrics {
  readonly registry = new Registry();
  readonly #taskCpu = new Gauge({ name: 'gantry_task_cpu_seconds_total', help: 'CPU time of the running attempt', labelNames: TASK_LABELS, registers: [this.registry] });
  readonly #taskMemory = new Gauge({ name: 'gantry_task_memory_bytes', help: 'Memory in use', labelNames: TASK_LABELS, registers: [this.registry] });
  readonly #taskMemoryLimit = new Gauge({ name: 'gantry_task_memory_limit_bytes', help: 'Most memory the task may use', labelNames: TASK_LABELS, registers: [this.registry] });
  readonly #taskProcesses = new Gauge({ name: 'gantry_task_processes', help: 'Processes of the task', labelNames: TASK_LABELS, registers: [this.registry] });
  readonly #tasks = new Gauge({ name: 'gantry_agent_tasks', help: 'Tasks by the step of their record', labelNames: ['step'], registers: [this.registry] });
  readonly #events = new Counter({ name: 'gantry_task_events_total', help: 'Task events by reason', labelNames: ['reason'], registers: [this.registry] });
  readonly #isConnected = new Gauge({ name: 'gantry_agent_session_open', help: '1 while a controller acknowledges', registers: [this.registry] });
  readonly #loopLag = new Histogram({
    name: 'gantry_agent_event_loop_lag_seconds', help: 'How late timers of the agent are', buckets: [0.005, 0.02, 0.1, 0.5, 2, 10], registers: [this.registry],
  });

  countEvent(reason: string): void {
    this.#events.inc({ reason });
  }

  observeLag(lagMs: number): void {
    this.#loopLag.observe(lagMs / 1_000);
  }

  setConnected(isConnected: boolean): void {
    this.#isConnected.set(isConnected ? 1 : 0);
  }

  /** Replaces what is known of all tasks: those that are gone are shown no more. */
  setTasks(steps: readonly string[], usages: readonly TaskUsage[]): void {
    for (const gauge of [this.#tasks, this.#taskCpu, this.#taskMemory, this.#taskMemoryLimit, this.#taskProcesses]) {
      gauge.reset();
    }
    for (const step of steps) {
      this.#tasks.inc({ step });
    }
    for (const usage of usages) {
      const labels = { namespace: usage.task.namespace, app: usage.task.app, service: usage.task.service, task: usage.task.id };
      this.#taskCpu.set(labels, usage.cpuMicroseconds / 1_000_000);
      this.#taskMemory.set(labels, usage.memoryBytes);
      this.#taskMemoryLimit.set(labels, usage.memoryLimitBytes);
      this.#taskProcesses.set(labels, usage.processes);
    }
  }
}
