import { createWriteStream, statSync } from 'node:fs';
import type { WriteStream } from 'node:fs';
import type { Logger } from '#kit/logger.ts';
import type { Revision } from '#model/app.ts';
import type { NodeId } from '#model/ids.ts';
import { decidedOf, formatRecordLine } from './decision-record.ts';
import type { MirrorInput, RecordLine } from './decision-record.ts';
import type { Planners } from './reconcile/reconcile-loop.ts';

/** `maxBytes`: a record ends at this size, over all lives of the controller; it is for looking into a trouble, not for keeping. `maxWaitingBytes`: what waits for the disk at most. */
export interface RecordLimits {
  readonly maxBytes: number;
  readonly maxWaitingBytes: number;
}

const LIMITS: RecordLimits = { maxBytes: 1024 * 1024 * 1024, maxWaitingBytes: 32 * 1024 * 1024 };

/** Where the core says what it takes in and decides. */
export interface DecisionRecorder {
  input(input: MirrorInput): void;
  /** The same planners, whose decisions are recorded. */
  planners(of: Planners): Planners;
}

/**
 * Adds a record to a file, behind the controller's work: a crash may cost the last lines. What the file system refuses is logged once,
 * and nothing more is recorded. Lines that come while too many wait for the disk are left out, and a `gap` tells how many. It holds what etcd holds: sealed secrets, and everything else as it is; so it is for its owner alone.
 */
export class DecisionRecordFile implements DecisionRecorder {
  readonly #stream: WriteStream;
  readonly #logger: Logger;
  readonly #limits: RecordLimits;
  #bytes: number;
  #leftOut = 0;
  #isOver = false;
  #lastNodes = '';

  constructor(path: string, start: Extract<RecordLine, { readonly kind: 'start' }>, logger: Logger, limits = LIMITS) {
    this.#logger = logger;
    this.#limits = limits;
    this.#bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    this.#stream = createWriteStream(path, { flags: 'a', mode: 0o600 });
    this.#stream.on('error', error => { this.#end(error, 'the record of decisions cannot be written'); });
    this.#stream.on('drain', () => { this.#goOn(); });
    // Ends a line that a crash cut.
    this.#stream.write('\n');
    this.#write(start);
  }

  input(input: MirrorInput): void {
    this.#write(input);
  }

  planners(of: Planners): Planners {
    return {
      service: (snapshot, id, context) => {
        const away = new Map([...snapshot.nodes.keys()].map((node): [NodeId, number] => [node, context.awayForMs(node)]));
        const revisions: Revision[] = [];
        const plan = of.service(snapshot, id, {
          ...context, awayForMs: node => away.get(node) ?? context.awayForMs(node),
          revisionOf: (app, number) => {
            const revision = context.revisionOf(app, number);
            if (revision !== undefined) revisions.push(revision);
            return revision;
          },
        });
        const { table: _, ...recorded } = context;
        this.#write({ kind: 'service', id, context: recorded, away, revisions, decided: decidedOf(plan) });
        return plan;
      },
      app: (snapshot, id, nowMs) => {
        const plan = of.app(snapshot, id, nowMs);
        this.#write({ kind: 'app', id, nowMs, decided: decidedOf(plan) });
        return plan;
      },
      volumes: (snapshot, nowMs) => {
        const plan = of.volumes(snapshot, nowMs);
        if (plan.actions.length > 0) this.#write({ kind: 'volumes', nowMs, decided: decidedOf(plan) });
        return plan;
      },
      nodes: (snapshot, evidence, context) => {
        const plan = of.nodes(snapshot, evidence, context);
        // Four a second, nearly all alike: one that says the same of the same absences is left out.
        const shape = formatRecordLine({ kind: 'nodes', evidence: plan.evidence, context: { ...context, monotonicMs: 0 }, decided: decidedOf({ ...plan, events: [] }) });
        if (plan.actions.length > 0 || shape !== this.#lastNodes) {
          this.#write({ kind: 'nodes', evidence, context, decided: decidedOf(plan) });
        }
        this.#lastNodes = shape;
        return plan;
      },
    };
  }

  #write(line: RecordLine): void {
    if (this.#isOver) {
      return;
    }
    if (this.#leftOut > 0 || this.#stream.writableLength > this.#limits.maxWaitingBytes) {
      this.#leftOut += 1;
      return;
    }
    const text = formatRecordLine(line);
    this.#bytes += Buffer.byteLength(text);
    if (this.#bytes > this.#limits.maxBytes) {
      this.#end(undefined, 'the record of decisions is full');
      return;
    }
    this.#stream.write(text);
  }

  /** The disk has all that waited for it. */
  #goOn(): void {
    const lines = this.#leftOut;
    this.#leftOut = 0;
    if (lines > 0) {
      this.#logger.warn({ lines }, 'the record of decisions has a gap: its disk is too slow');
      this.#write({ kind: 'gap', lines });
    }
  }

  #end(error: unknown, message: string): void {
    if (!this.#isOver) {
      this.#isOver = true;
      this.#logger.warn({ err: error }, message);
      this.#stream.end();
    }
  }
}
