/**
 * The nodes of the bench `sessions`, in a process of their own: what they cost is not the controller's. Started by crowd.ts, which writes what
 * it asks to this process's channel; each question is answered once.
 */
import { issueCertificate } from '#identity/certificate-authority.ts';
import type { CrowdAnswer, CrowdQuestion } from './crowd.ts';
import { CrowdNode } from './crowd-node.ts';

const nodes: CrowdNode[] = [];
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

async function answer(question: CrowdQuestion): Promise<CrowdAnswer> {
  switch (question.kind) {
    case 'make': {
      const { address, authority, count } = question;
      for (let index = 0; index < count; index += 1) {
        const name = `n${String(index)}`;
        const pair = await issueCertificate(authority, { role: 'node', name, dnsNames: [], ipAddresses: [] }, { nowMs: Date.now() });
        nodes.push(new CrowdNode(name, address, { caPem: authority.certificatePem, pair }, onChange));
      }
      return {};
    }
    case 'join':
      // A node each millisecond, in no order: machines do not begin at the same moment, and this process makes all their handshakes.
      nodes.forEach(node => { setTimeout(() => { void node.run(new AbortController().signal); }, Math.random() * nodes.length); });
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
    case 'take-round-trips': {
      const roundTripsMs = nodes.flatMap(node => node.roundTripsMs);
      nodes.forEach(node => { node.roundTripsMs = []; });
      return { roundTripsMs };
    }
    case 'counts': {
      const sum = (of: (node: CrowdNode) => number): number => nodes.reduce((total, node) => total + of(node), 0);
      return { sets: sum(({ counts }) => counts.sets), changes: sum(({ counts }) => counts.changes), gaps: sum(({ counts }) => counts.gaps) };
    }
  }
}

process.on('message', (question: CrowdQuestion) => {
  answer(question).then(given => { process.send?.(given); }, (error: unknown) => { process.send?.({ error: error instanceof Error ? error.message : 'the crowd failed' }); });
});
process.on('disconnect', () => { process.exit(0); });
