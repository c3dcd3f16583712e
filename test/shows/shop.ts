import path from 'node:path';
import { eventually } from '../support/dev-cluster.ts';
import { visit } from '../support/shop-visit.ts';
import type { Show, Stage } from './show.ts';

const EXAMPLE = path.resolve(import.meta.dirname, '../../deploy/examples/shop.yaml');
/** As the example publishes it. */
const PAGE = 'http://127.0.0.1:8081/';
const VISITS = 10;

export const shop: Show = {
  about: 'the shop counts on after kill -9 of its redis',
  async play(stage) {
    const { cluster } = stage;
    const wasThere = (await cluster.items('get', 'apps')).some(app => app['name'] === 'shop');
    try {
      await cluster.ctl('apply', '-f', EXAMPLE, '--wait');
      await countsOn(stage);
    } finally {
      await (wasThere ? undefined : cluster.ctl('delete', 'app/shop', '-y'));
    }
  },
};

async function countsOn({ cluster, saw, must }: Stage): Promise<void> {
  const counts: number[] = [];
  while (counts.length < VISITS) {
    counts.push((await visit(PAGE)).visits);
  }
  const last = counts.at(-1) ?? 0;
  must(`visits are counted one by one: ${counts.join(' ')}`, counts.every((count, index) => count === (counts[0] ?? 0) + index));
  const [redis] = await cluster.tasks('shop/redis');
  process.kill(Number(redis?.['pid']), 'SIGKILL');
  saw(`killed ${String(redis?.['name'])} on ${String(redis?.['node'])}, pid ${String(redis?.['pid'])}`);
  const after = await eventually('an answer after the kill', 30_000, async () => await visit(PAGE).catch(() => undefined));
  must(`the next visit is ${String(last + 1)}`, after.visits === last + 1, after);
  const [again] = await cluster.tasks('shop/redis');
  must('it is the same task, started again in place', again?.['id'] === redis?.['id'] && again?.['pid'] !== redis?.['pid'], again);
}
