/** What is remembered of jobs that ended well, so that their tasks may be forgotten. */
import type { JobStatus, Service, ServiceStatus } from '#model/app.ts';
import type { ServiceState } from './task-row.ts';

/** A service that goes back further does its job again. */
const KEPT_EARLIER = 10;

/** What was done of a template stays done, also while the job is asked for more of it, and when the service comes back to it. */
export function jobsOf(state: ServiceState, isOver: boolean, nowMs: number): Pick<ServiceStatus, 'job' | 'earlierJobs'> {
  const { service, status } = state;
  if (service.spec.kind !== 'job') {
    return {};
  }
  const job = isOver ? endedJob(state, nowMs) : jobDone(service, status);
  const earlier = knownJobs(status).filter(one => one.templateHash !== service.templateHash).slice(0, KEPT_EARLIER);
  return { ...(job === undefined ? {} : { job }), ...(earlier.length === 0 ? {} : { earlierJobs: earlier }) };
}

/** What was done of the service's template. */
export function jobDone({ templateHash }: Pick<Service, 'templateHash'>, status: ServiceStatus | undefined): JobStatus | undefined {
  return knownJobs(status).find(one => one.templateHash === templateHash);
}

function knownJobs(status: ServiceStatus | undefined): readonly JobStatus[] {
  return [...(status?.job === undefined ? [] : [status.job]), ...status?.earlierJobs ?? []];
}

/** Made once. */
function endedJob({ service, status, rows }: ServiceState, nowMs: number): JobStatus {
  const { templateHash, spec: { replicas: completions } } = service;
  const before = jobDone(service, status);
  const isKnown = before?.completions === completions;
  return isKnown ? before : { templateHash, completions, endedAtMs: Math.max(service.createdAtMs, ...rows.map(row => row.status?.finishedAtMs ?? nowMs)) };
}
