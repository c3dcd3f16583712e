/** The nodes of `sessions` and `fleet`: what they cost is not the controllers'. Started by crowd.ts. */
import { issueCertificate } from '#identity/certificate-authority.ts';
import { answerQuestions } from './asked-process.ts';
import type { CrowdAnswer, CrowdQuestion } from './crowd.ts';
import { CrowdNode } from './crowd-node.ts';
import { CrowdTally } from './crowd-tasks.ts';

const LOOK_MS = 5;
const nodes: CrowdNode[] = [];
const tally = new CrowdTally();
const waits = new Set<() => void>();
const onChange = (): void => { waits.forEach(look => { look(); }); };

/** Resolves when it is so of every node. */
async function everyNode(isSo: (node: CrowdNode) => boolean): Promise<void> {
  let reached = 0;
  await new Promise<void>(resolve => {
    const look = (): void => {
      // Those before were so when they were looked at: only what follows is looked at again.
      while (reached < nodes.length && isSo(nodes[reached] as CrowdNode)) reached += 1;
      if (reached < nodes.length) return;
      reached = 0;
      if (nodes.every(isSo)) {
        waits.delete(look);
        resolve();
      }
    };
    waits.add(look);
    look();
  });
}

async function until(isSo: () => boolean): Promise<void> {
  await new Promise<void>(resolve => {
    const timer = setInterval(() => {
      if (isSo()) {
        clearInterval(timer);
        resolve();
      }
    }, LOOK_MS);
  });
}

async function make({ addresses, authority, count }: Extract<CrowdQuestion, { readonly kind: 'make' }>): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    const name = `n${String(index)}`;
    const subject = { role: 'node', name, dnsNames: [], ipAddresses: [] } as const;
    const identity = { caPem: authority.certificatePem, pair: await issueCertificate(authority, subject, { nowMs: Date.now() }) };
    const turned = [...addresses.slice(index % addresses.length), ...addresses.slice(0, index % addresses.length)];
    nodes.push(new CrowdNode({ name, addresses: turned, identity, tally, onChange }));
  }
}

async function answer(question: CrowdQuestion): Promise<CrowdAnswer> {
  switch (question.kind) {
    case 'make':
      await make(question);
      return {};
    case 'join':
      // A node each millisecond, in no order: machines do not begin at the same moment, and this process makes all their handshakes.
      nodes.forEach(node => { setTimeout(() => { void node.run(new AbortController().signal); }, Math.random() * nodes.length); });
      await everyNode(node => node.isAcknowledged);
      return {};
    case 'break':
      nodes.forEach(node => { node.break(); });
      await everyNode(node => node.isAcknowledged);
      return {};
    case 'is-away':
      await everyNode(node => !node.isAcknowledged);
      return {};
    case 'is-there':
      await everyNode(node => node.isAcknowledged);
      return {};
    case 'has-endpoints':
      await everyNode(node => node.generation >= question.generation);
      return {};
    case 'has-tasks':
      await until(() => tally.wanted.get(question.app) === question.count);
      return { firstAtMs: tally.firstAtMs.get(question.app) ?? NaN };
    case 'runs':
      await until(() => tally.running === question.count && tally.unsettled === 0);
      return {};
    case 'take-round-trips': {
      const roundTripsMs = nodes.flatMap(node => node.roundTripsMs);
      nodes.forEach(node => { node.roundTripsMs = []; });
      return { roundTripsMs };
    }
    case 'counts': {
      const sum = (of: (node: CrowdNode) => number): number => nodes.reduce((total, node) => total + of(node), 0);
      const of = (name: keyof CrowdNode['counts']): number => sum(({ counts }) => counts[name]);
      return { sets: of('sets'), changes: of('changes'), gaps: of('gaps'), running: tally.running };
    }
  }
}

answerQuestions('crowd', answer);
