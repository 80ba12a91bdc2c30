import { pino } from 'pino';
import { plainJson } from '../core/plain-text.ts';
import { redacted } from '../core/redact.ts';

type Level = 'debug' | 'info' | 'warn' | 'error';

export type Logger = (level: Level, event: string, fields?: Readonly<Record<string, unknown>>) => void;

/** Events as JSON, a line each, with nothing in them that has the form or the name of a secret. */
export function jsonLog(least: Level, write: (line: string) => void): Logger {
  const logger = pino(
    {
      level: least,
      base: null,
      messageKey: 'event',
      timestamp: () => `,"at":"${new Date().toISOString()}"`,
      formatters: { level: (level) => ({ level }) },
    },
    { write: (line) => write(plainJson(line.trimEnd())) },
  );
  return (level, event, fields = {}) => {
    if (logger.isLevelEnabled(level)) logger[level](redacted(fields), event);
  };
}

/** To standard error, so that standard output stays a result. */
export const stderrLog = (least: Level): Logger => jsonLog(least, (line) => void process.stderr.write(`${line}\n`));

/** The same, in which none of these texts stands: a private key has the form of any hash. */
export const hiding =
  (log: Logger, secrets: readonly string[]): Logger =>
  (level, event, fields = {}) => {
    log(level, event, redacted(fields, secrets) as Readonly<Record<string, unknown>>);
  };
