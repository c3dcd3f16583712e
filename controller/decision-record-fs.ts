import { createWriteStream } from 'node:fs';
import type { WriteStream } from 'node:fs';
import type { Logger } from '#kit/logger.ts';
import type { Revision } from '#model/app.ts';
import type { NodeId } from '#model/ids.ts';
import { decidedOf, formatRecordLine } from './decision-record.ts';
import type { MirrorInput, RecordLine } from './decision-record.ts';
import type { Planners } from './reconcile/reconcile-loop.ts';

/** A record ends at this size: it is for looking into a trouble, not for keeping. */
const MAX_BYTES = 1024 * 1024 * 1024;

/** Where the core says what it takes in and decides. */
export interface DecisionRecorder {
  input(input: MirrorInput): void;
  /** The same planners, whose decisions are recorded. */
  planners(of: Planners): Planners;
}

/**
 * Adds a record to a file, behind the controller's work: a crash may cost the last lines. What the file system refuses is logged once,
 * and nothing more is recorded. It holds what etcd holds: sealed secrets, and everything else as it is; so it is for its owner alone.
 */
export class DecisionRecordFile implements DecisionRecorder {
  readonly #stream: WriteStream;
  readonly #logger: Logger;
  #bytes = 0;
  #isOver = false;
  #lastNodes = '';

  constructor(path: string, start: Extract<RecordLine, { readonly kind: 'start' }>, logger: Logger) {
    this.#logger = logger;
    this.#stream = createWriteStream(path, { flags: 'a', mode: 0o600 });
    this.#stream.on('error', error => { this.#end(error, 'the record of decisions cannot be written'); });
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
    const text = formatRecordLine(line);
    this.#bytes += text.length;
    if (this.#bytes > MAX_BYTES) {
      this.#end(undefined, 'the record of decisions is full');
      return;
    }
    this.#stream.write(text);
  }

  #end(error: unknown, message: string): void {
    if (!this.#isOver) {
      this.#isOver = true;
      this.#logger.warn({ err: error }, message);
      this.#stream.end();
    }
  }
}
