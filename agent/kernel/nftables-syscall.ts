/**
 * nftables in this process, for small transactions: 0.1 ms, where starting nft takes 3 to 10.
 *
 * Source: libnftables.h, libnftables(3)
 */
import koffi from 'koffi';

type Context = unknown;

interface Library {
  readonly newContext: (flags: number) => Context;
  readonly bufferErrors: (context: Context) => number;
  readonly bufferOutput: (context: Context) => number;
  readonly run: (context: Context, text: string) => number;
  readonly errors: (context: Context) => string | null;
  readonly free: (context: Context) => void;
}

let library: Library | undefined;

function open(): Library {
  const nft = koffi.load('libnftables.so.1');
  return {
    newContext: nft.func('void *nft_ctx_new(uint32_t flags)'),
    bufferErrors: nft.func('int nft_ctx_buffer_error(void *context)'),
    bufferOutput: nft.func('int nft_ctx_buffer_output(void *context)'),
    run: nft.func('int nft_run_cmd_from_buffer(void *context, const char *text)'),
    errors: nft.func('const char *nft_ctx_get_error_buffer(void *context)'),
    free: nft.func('void nft_ctx_free(void *context)'),
  };
}

/**
 * Runs `text` as one transaction in this thread's network namespace: all of it or nothing. Blocks meanwhile, so it is for a few lines.
 *
 * The context is new each time: what it cached of the kernel's tables would be old at the next.
 * @throws Error with nft's own words
 */
export function runNftTransaction(text: string): void {
  const nft = library ??= open();
  const context = nft.newContext(0);
  try {
    nft.bufferErrors(context);
    nft.bufferOutput(context);
    if (nft.run(context, text) !== 0) {
      throw new Error(`nft: ${nft.errors(context) ?? ''}`.trim());
    }
  } finally {
    nft.free(context);
  }
}
