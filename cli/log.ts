import { plainJson } from '../core/plain-text.ts';

export type Logger = (
  level: 'debug' | 'info' | 'warn' | 'error',
  event: string,
  fields?: Readonly<Record<string, unknown>>,
) => void;

const RANK = { debug: 0, info: 1, warn: 2, error: 3 } as const;

/** JSON lines to standard error, so that standard output stays a result. */
export const stderrLog =
  (least: keyof typeof RANK): Logger =>
  (level, event, fields = {}) => {
    if (RANK[level] < RANK[least]) return;
    const text = JSON.stringify({ at: new Date().toISOString(), level, event, ...fields }, (_key, value: unknown) =>
      typeof value === 'bigint' ? value.toString() : value instanceof Error ? value.message : value,
    );
    process.stderr.write(`${plainJson(text)}\n`);
  };
