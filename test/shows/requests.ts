import { helloOf } from '../support/hello-tasks.ts';
import { withReplicas } from './replicas.ts';
import type { Show } from './show.ts';
import { request } from '../support/steady-client.ts';

const REQUESTS = 20;

export const requests: Show = {
  about: 'twenty requests are answered by tasks of at least two nodes, and also through a node that has no task',
  async play({ cluster, helloPort, saw, must }) {
    // From one on: of three that went down to two, both may be on one node.
    await withReplicas(cluster, 'hello/web', 1, async () => {
      await cluster.ctl('scale', 'hello/web=2', '--wait');
      const tasks = await cluster.tasks('hello/web');
      const ask = async (address: string): Promise<string> => {
        const answer = await request(`http://${address}:${String(helloPort)}/`);
        return 'text' in answer ? answer.text : `failed: ${answer.failure}`;
      };
      const answers = await Promise.all(Array.from({ length: REQUESTS }, async () => await ask('127.0.0.1')));
      for (const [text, same] of Map.groupBy(answers, one => one)) {
        saw(`${String(same.length)} x ${text}`);
      }
      const answered = tasks.filter(task => answers.includes(helloOf(task)));
      must('each answer has the name of a running task and of its node', answers.every(text => tasks.some(task => helloOf(task) === text)), answers);
      must('at least two nodes answered', new Set(answered.map(task => task['node'])).size >= 2, answered.map(helloOf));
      const without = cluster.layout.nodes.find(node => !tasks.some(task => task['node'] === node.name));
      must('a node has no task', without !== undefined, tasks.map(helloOf));
      const through = await ask(without?.address ?? '');
      saw(`through ${without?.name ?? ''}: ${through}`);
      must('it answers all the same', tasks.some(task => helloOf(task) === through), through);
    });
  },
};
