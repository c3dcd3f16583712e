import { createServer } from 'node:net';

/** True where no other process has the name; it is this process's until it ends. Source: unix(7), abstract socket addresses */
export async function claim(name: string): Promise<boolean> {
  const holder = createServer().unref();
  return await new Promise<boolean>(resolve => {
    holder.once('error', () => { resolve(false); });
    holder.listen(`\0gantry-test-${name}`, () => { resolve(true); });
  });
}
