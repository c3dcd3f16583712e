import { requireCommand, runCommand } from '#kit/command-process.ts';
import { runNftTransaction } from '../kernel/nftables-syscall.ts';

/** Most time one transaction of 5,000 services takes is under a second; a stuck nft must not hold the agent. */
const NFT_TIMEOUT_MS = 20_000;

/** Above this a transaction would hold the agent's own thread too long. */
const SMALL_TRANSACTION_LENGTH = 8_192;

/** Runs `text` as one nft transaction: all of it or nothing. A small one runs in this process. @throws Error with nft's own words */
export async function applyNft(text: string): Promise<void> {
  if (text.length <= SMALL_TRANSACTION_LENGTH) {
    runNftTransaction(text);
    return;
  }
  await requireCommand('nft', ['-f', '-'], { input: text, timeoutMs: NFT_TIMEOUT_MS });
}

/** The table as nft prints it, without counters; undefined when it is not there. */
export async function listNftTable(family: string, table: string): Promise<string | undefined> {
  return await list(['-s', 'list', 'table', family, table]);
}

/** Like `listNftTable`, without the elements of sets and maps: as quick with 50,000 of them as with none. */
export async function listNftRules(family: string, table: string): Promise<string | undefined> {
  return await list(['-s', '-t', 'list', 'table', family, table]);
}

async function list(args: readonly string[]): Promise<string | undefined> {
  const outcome = await runCommand('nft', args, { timeoutMs: NFT_TIMEOUT_MS });
  return outcome.exitCode === 0 ? outcome.stdout : undefined;
}
