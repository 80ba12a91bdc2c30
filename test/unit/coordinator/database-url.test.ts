import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parseDatabaseUrl } from '../../../coordinator/database-url.ts';

describe('the address of a database', () => {
  it('is shown without its password, wherever that stands', () => {
    const { url, shown } = parseDatabaseUrl(
      'postgres://mesh:s3%2Fcret@db.example:5432/books?password=other&sslmode=require',
    );
    expect(url).toContain('s3%2Fcret');
    expect(shown).toBe('postgres://mesh@db.example:5432/books?sslmode=require');
  });

  it('takes its password out of what others say, as it stands and as it reads', () => {
    const { mask } = parseDatabaseUrl('postgresql://mesh:s3%2Fcret@db/books');
    expect(mask('no s3%2Fcret, no s3/cret')).toBe('no [ REDACTED ], no [ REDACTED ]');
    expect(parseDatabaseUrl('postgres:///books?host=/run/postgresql').mask('as it was')).toBe('as it was');
  });

  it.each(['', 'books', 'http://u:hunter2@h/d', 'postgres://u:hunter2@h', 'postgres://u:hunter2@h:port/d'])(
    'is refused when it is %j, and not repeated',
    (text) => {
      let refused: unknown;
      try {
        parseDatabaseUrl(text);
      } catch (error) {
        refused = error;
      }
      expect(refused).toMatchObject({ code: 'BAD_INPUT' });
      expect(inspect(refused, { depth: 9 })).not.toContain('hunter2');
    },
  );
});
