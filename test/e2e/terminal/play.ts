import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Dialect } from './dialect.ts';
import type { Scenario } from './scenarios.ts';
import { Stage } from './stage.ts';

/** Plays one scenario with one dialect; answers its transcript. What it made is removed, also when it breaks off. */
export async function play(scenario: Scenario, dialect: Dialect): Promise<string> {
  const scratch = mkdtempSync(path.join(tmpdir(), 'gantry-terminal-'));
  const stage = new Stage(dialect, scratch);
  try {
    await scenario(stage);
    return stage.transcript;
  } finally {
    await stage.clear();
    rmSync(scratch, { recursive: true, force: true });
  }
}
