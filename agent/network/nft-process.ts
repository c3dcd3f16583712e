import { requireCommand, runCommand } from '#kit/command-process.ts';

/** Most time one transaction of 5,000 services takes is under a second; a stuck nft must not hold the agent. */
const NFT_TIMEOUT_MS = 20_000;

/** Runs `text` as one nft transaction: all of it or nothing. @throws Error with nft's own words */
export async function applyNft(text: string): Promise<void> {
  await requireCommand('nft', ['-f', '-'], { input: text, timeoutMs: NFT_TIMEOUT_MS });
}

/** The table as nft prints it, without counters; undefined when it is not there. */
export async function listNftTable(family: string, table: string): Promise<string | undefined> {
  const outcome = await runCommand('nft', ['-s', 'list', 'table', family, table], { timeoutMs: NFT_TIMEOUT_MS });
  return outcome.exitCode === 0 ? outcome.stdout : undefined;
}
