/**
 * nftables in this process, for small transactions: starting nft takes 3 to 10 ms and forks the agent.
 *
 * Source: libnftables.h, libnftables(3)
 */
import { closeSync, openSync } from 'node:fs';
import koffi from 'koffi';
import type { KoffiFunc } from 'koffi';

type Context = unknown;
type Run = (context: Context, text: string) => number;

interface Library {
  readonly newContext: (flags: number) => Context;
  readonly setOutput: (context: Context, flags: number) => void;
  readonly bufferErrors: (context: Context) => number;
  readonly bufferOutput: (context: Context) => number;
  readonly run: KoffiFunc<Run>;
  readonly output: (context: Context) => string | null;
  readonly errors: (context: Context) => string | null;
  readonly free: KoffiFunc<(context: Context) => void>;
}

/** Sockets that one run may have open at once, with room to spare. */
const SPARE_DESCRIPTORS = 4;

/** As the options -s and -t of nft. Source: libnftables.h, NFT_CTX_OUTPUT_* */
export const STATELESS = 1 << 2;
export const TERSE = 1 << 11;

let library: Library | undefined;
let last: Promise<unknown> = Promise.resolve();

function open(): Library {
  const nft = koffi.load('libnftables.so.1');
  return {
    newContext: nft.func('void *nft_ctx_new(uint32_t flags)'),
    setOutput: nft.func('void nft_ctx_output_set_flags(void *context, uint flags)'),
    bufferErrors: nft.func('int nft_ctx_buffer_error(void *context)'),
    bufferOutput: nft.func('int nft_ctx_buffer_output(void *context)'),
    run: nft.func('int nft_run_cmd_from_buffer(void *context, const char *text)') as KoffiFunc<Run>,
    output: nft.func('const char *nft_ctx_get_output_buffer(void *context)'),
    errors: nft.func('const char *nft_ctx_get_error_buffer(void *context)'),
    free: nft.func('void nft_ctx_free(void *context)') as Library['free'],
  };
}

/**
 * Runs `text` as one transaction in this process's network namespace, all of it or nothing, and answers what nft prints with the output `flags`.
 *
 * It runs on a thread beside, one call after another: the library promises nothing about two at a time.
 * @throws Error with nft's own words
 */
export async function runNftCommands(text: string, flags = 0): Promise<string> {
  const outcome = last.then(async () => await runOne(library ??= open(), text, flags));
  last = outcome.catch(() => undefined);
  return await outcome;
}

/** The context is new each time: what it cached of the kernel's tables would be old at the next. */
async function runOne(nft: Library, text: string, flags: number): Promise<string> {
  requireDescriptors();
  const context = nft.newContext(0);
  try {
    nft.setOutput(context, flags);
    nft.bufferErrors(context);
    nft.bufferOutput(context);
    const code = await new Promise<number>((resolve, reject) => {
      nft.run.async(context, text, (error: Error | null, result: number) => { if (error === null) resolve(result); else reject(error); });
    });
    if (code !== 0) {
      throw new Error(`nft: ${nft.errors(context) ?? ''}`.trim());
    }
    return nft.output(context) ?? '';
  } finally {
    // Waits, 10 to 20 ms, until the kernel has destroyed what was deleted; nobody waits for that. Source: net/netfilter/nf_tables_api.c, nft_rcv_nl_event()
    nft.free.async(context, () => undefined);
  }
}

/** The library ends the whole process when it gets no socket. @throws Error EMFILE instead. Source: nftables, src/mnl.c, nft_mnl_socket_open() */
function requireDescriptors(): void {
  const spare: number[] = [];
  try {
    for (let count = 0; count < SPARE_DESCRIPTORS; count += 1) spare.push(openSync('/dev/null', 'r'));
  } finally {
    spare.forEach(descriptor => { closeSync(descriptor); });
  }
}
