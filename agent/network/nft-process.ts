import { requireCommand } from '#kit/command-process.ts';
import { runNftCommands, STATELESS, TERSE } from '../kernel/nftables-syscall.ts';

/** Most time one transaction of 5,000 services takes is under a second; a stuck nft must not hold the agent. */
const NFT_TIMEOUT_MS = 20_000;

/** A larger transaction may take long; a program of its own can be ended. */
const SMALL_TRANSACTION_LENGTH = 8_192;

/** Runs `text` as one nft transaction: all of it or nothing. A small one runs in this process. @throws Error with nft's own words */
export async function applyNft(text: string): Promise<void> {
  if (text.length <= SMALL_TRANSACTION_LENGTH) {
    await runNftCommands(text);
    return;
  }
  await requireCommand('nft', ['-f', '-'], { input: text, timeoutMs: NFT_TIMEOUT_MS });
}

/** The table as nft prints it, without counters; undefined when it is not there. */
export async function listNftTable(family: string, table: string): Promise<string | undefined> {
  return await list(family, table, STATELESS);
}

/** Like `listNftTable`, without the elements of sets and maps: as quick with 50,000 of them as with none. */
export async function listNftRules(family: string, table: string): Promise<string | undefined> {
  return await list(family, table, STATELESS | TERSE);
}

async function list(family: string, table: string, flags: number): Promise<string | undefined> {
  return await runNftCommands(`list table ${family} ${table}`, flags).catch(() => undefined);
}
