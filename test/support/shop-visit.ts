import { request } from './steady-client.ts';

/** One visit of the example `shop`. @throws Error when the page does not answer with a count */
export async function visit(url: string): Promise<{ readonly visits: number; readonly servedBy: string }> {
  const answer = await request(url);
  const match = /^visits: (\d+), served by (\S+)$/.exec('text' in answer ? answer.text : '');
  if (match === null) {
    throw new Error(JSON.stringify(answer));
  }
  return { visits: Number(match[1]), servedBy: match[2] ?? '' };
}
