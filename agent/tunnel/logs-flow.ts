import type { Tunnel, TunnelSpec } from '#model/tunnel.ts';
import type { LogRecord } from '../logs/log-line.ts';
import { sendBytes } from './process-flow.ts';

type LogStream = LogRecord['stream'];

/**
 * Sends log records as data frames and ends with eof. Adjacent records of one stream share a frame;
 * time stamps are at the start of lines.
 */
export async function sendLogs(tunnel: Tunnel, spec: TunnelSpec & { readonly kind: 'logs' }, batches: AsyncIterable<readonly LogRecord[]>): Promise<void> {
  const atLineStart: Record<LogStream, boolean> = { stdout: true, stderr: true };
  for await (const records of batches) {
    for (const run of runsOfOneStream(records)) {
      const parts = run.flatMap(record => {
        const stamp = spec.timestamps && atLineStart[record.stream] ? [Buffer.from(`${record.timeText.replace('+00:00', 'Z')} `)] : [];
        atLineStart[record.stream] = !record.isPartial;
        return [...stamp, record.bytes];
      });
      await sendBytes(tunnel, run[0]?.stream ?? 'stdout', Buffer.concat(parts));
    }
  }
  await tunnel.send({ kind: 'eof' });
}

/** Groups adjacent records of one stream. */
export function runsOfOneStream(records: readonly LogRecord[]): readonly (readonly LogRecord[])[] {
  const runs: LogRecord[][] = [];
  for (const record of records) {
    const last = runs.at(-1);
    if (last?.[0]?.stream === record.stream) {
      last.push(record);
    } else {
      runs.push([record]);
    }
  }
  return runs;
}
