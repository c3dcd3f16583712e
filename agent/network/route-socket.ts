import { closeSync } from 'node:fs';
import { openRouteSocket, receiveAnswer, sendRequests } from '../kernel/netlink-syscall.ts';
import { SyscallError } from '../kernel/file-syscall.ts';
import { decodeAnswers, encodeRequests } from './netlink-message.ts';
import type { NetlinkRequest } from './netlink-message.ts';

/** One conversation with the kernel about links, addresses and routes of the network namespace it was opened in. */
export class RouteSocket implements Disposable {
  readonly #fd = openRouteSocket();

  /** Does the requests in their order, also after one that failed. @throws SyscallError naming the first that failed */
  async request(requests: readonly NetlinkRequest[]): Promise<void> {
    await sendRequests(this.#fd, encodeRequests(requests));
    let failure: SyscallError | undefined;
    // The answers wait already: the kernel acts on a request while it is sent.
    for (let answer = receiveAnswer(this.#fd); answer !== undefined; answer = receiveAnswer(this.#fd)) {
      for (const { sequence, errno } of decodeAnswers(answer)) {
        const request = requests[sequence - 1];
        if (errno !== 0 && errno !== request?.toleratedErrno) {
          failure ??= new SyscallError(request?.what ?? 'netlink', errno);
        }
      }
    }
    if (failure !== undefined) {
      throw failure;
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}
