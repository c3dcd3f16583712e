/** Makes every decision of a record again, from the recorded inputs, with the planners of this tree. */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { PLANNERS } from '../../controller/core-loop.ts';
import { decidedOf, parseRecordLine } from '../../controller/decision-record.ts';
import type { Decision, MirrorInput, RecordLine } from '../../controller/decision-record.ts';
import { ClusterMirror } from '../../controller/store/snapshot.ts';

export interface ReplayReport {
  /** Decisions made again, by kind. */
  readonly decisions: ReadonlyMap<Decision['kind'], number>;
  /** Decisions that did something. */
  readonly actions: number;
  /** Lives of the controller in the record. */
  readonly starts: number;
  /** Lines that a crash cut. */
  readonly cut: number;
  /** Lines that a slow disk cost, and decisions after them that cannot be made again: the picture was not whole. */
  readonly leftOut: number;
  /** Each decision that came out otherwise: what it was, and what it is now. */
  readonly differences: readonly string[];
}

export async function replayFile(path: string): Promise<ReplayReport> {
  const replay = new Replay();
  for await (const text of createInterface(createReadStream(path))) {
    replay.take(text);
  }
  return replay.report();
}

class Replay {
  #mirror = new ClusterMirror();
  readonly #decisions = new Map<Decision['kind'], number>();
  readonly #differences: string[] = [];
  #actions = 0;
  #starts = 0;
  #cut = 0;
  #leftOut = 0;
  /** After a gap the picture is whole with the first list that was asked for after it. */
  #missing: 'begin-list' | 'list' | undefined;
  #lines = 0;

  take(text: string): void {
    this.#lines += 1;
    const line = text === '' ? undefined : parsed(text);
    if (line === undefined) {
      this.#cut += text === '' ? 0 : 1;
      return;
    }
    switch (line.kind) {
      case 'start':
        this.#mirror = new ClusterMirror();
        this.#missing = undefined;
        this.#starts += 1;
        break;
      case 'gap':
        this.#mirror = new ClusterMirror();
        this.#missing = 'begin-list';
        this.#leftOut += line.lines;
        break;
      case 'begin-list': case 'list': case 'batch':
        this.#input(line);
        break;
      default:
        this.#decide(line);
    }
  }

  report(): ReplayReport {
    return { decisions: this.#decisions, actions: this.#actions, starts: this.#starts, cut: this.#cut, leftOut: this.#leftOut, differences: this.#differences };
  }

  #input(line: MirrorInput): void {
    if (line.kind === this.#missing) {
      this.#missing = line.kind === 'begin-list' ? 'list' : undefined;
    }
    switch (line.kind) {
      case 'begin-list': this.#mirror.beginList(); break;
      case 'list': this.#mirror.reset(line.list); break;
      case 'batch': this.#mirror.apply(line.batch); break;
    }
  }

  #decide(line: Decision): void {
    if (this.#missing !== undefined) {
      this.#leftOut += 1;
      return;
    }
    this.#decisions.set(line.kind, (this.#decisions.get(line.kind) ?? 0) + 1);
    const decided = decidedOf(this.#plan(line));
    this.#actions += decided.text === '' ? 0 : 1;
    if (decided.sha256 !== line.decided.sha256) {
      this.#differences.push(`line ${String(this.#lines)}, ${line.kind} ${'id' in line ? line.id : ''}: was [${line.decided.text}], is [${decided.text}]`);
    }
  }

  #plan(line: Decision): Parameters<typeof decidedOf>[0] {
    const snapshot = this.#mirror.current;
    switch (line.kind) {
      case 'nodes': return PLANNERS.nodes(snapshot, line.evidence, line.context);
      case 'volumes': return PLANNERS.volumes(snapshot, line.nowMs);
      case 'app': return PLANNERS.app(snapshot, line.id, line.nowMs);
      case 'service': return PLANNERS.service(snapshot, line.id, {
        ...line.context,
        awayForMs: node => line.away.get(node) ?? 0,
        revisionOf: (app, number) => line.revisions.find(revision => revision.app === app && revision.number === number),
      });
    }
  }
}

function parsed(text: string): RecordLine | undefined {
  try {
    return parseRecordLine(text);
  } catch (error) {
    if (error instanceof SyntaxError) {
      return undefined;
    }
    throw error;
  }
}
