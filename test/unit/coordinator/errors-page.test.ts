import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { STATUS, typeOf } from '../../../coordinator/problems.ts';
import { ERROR_CODES } from '../../../core/errors.ts';

test('the type of every problem leads to a heading of the page, which names its status', async () => {
  const page = await readFile(new URL('../../../docs/errors.md', import.meta.url), 'utf8');
  for (const code of ERROR_CODES) {
    const anchor = new URL(typeOf(code)).hash.slice(1);
    expect(page).toContain(`\n## ${anchor}\n\n${STATUS[code]}. `);
  }
});
