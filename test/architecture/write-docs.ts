/** `npm run docs`: write the generated pages of `docs/`. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { referencePages } from './reference-pages.ts';

for (const [file, text] of Object.entries(referencePages())) {
  writeFileSync(path.join(import.meta.dirname, '../..', file), text);
}
