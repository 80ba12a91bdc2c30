import { describe, expect, it } from 'vitest';
import { hiding, jsonLog } from '../../../cli/log.ts';

const hex = (bytes: number): string => `0x${'5c'.repeat(bytes)}`;

/** What is secret, and would lie in a log if somebody logged what they should not. */
const PLANTED = {
  signature: hex(65),
  compact: hex(64),
  accessToken: `consumer.${hex(20)}.1700000000000.${'Ab3_'.repeat(10)}xyz`,
  apiKey: `idlemesh_${'Kk9-'.repeat(10)}abc`,
  webhook: `whsec_${Buffer.from('thirty-two bytes of a secret!!!!').toString('base64')}`,
  password: 'hunter2andmore',
  pem: '-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ\n-----END PRIVATE KEY-----',
} as const;

const linesOf = (say: (log: ReturnType<typeof jsonLog>) => void, least: 'debug' | 'info' | 'warn' = 'debug') => {
  const lines: string[] = [];
  say(jsonLog(least, (line) => lines.push(line)));
  return lines;
};

describe('an event in the log', () => {
  it('is one line of JSON with level, time, event and fields', () => {
    const [line = '', ...more] = linesOf((log) => log('warn', 'lease-expired', { leaseId: hex(32), amount: 12n }));
    expect(more).toEqual([]);
    expect(JSON.parse(line)).toEqual({
      ...{ level: 'warn', event: 'lease-expired', leaseId: hex(32), amount: '12' },
      at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    });
  });

  it('stays one line, and shows nothing that a terminal would obey, whatever a stranger says', () => {
    const said = 'a\nb\u001b[2J\u202ec';
    const [line = '', ...more] = linesOf((log) =>
      log('info', 'device-joined', { agent: said, odd: { [said]: [said] } }),
    );
    expect(more).toEqual([]);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
    expect(line).not.toMatch(/[\u0000-\u001f\u202e]/);
    expect(JSON.parse(line)).toMatchObject({ agent: said, odd: { [said]: [said] } });
  });

  it('is left out below the level that is asked for', () => {
    const lines = linesOf((log) => {
      for (const level of ['debug', 'info', 'warn', 'error'] as const) log(level, level);
    }, 'warn');
    expect(lines.map((line) => JSON.parse(line).event)).toEqual(['warn', 'error']);
  });
});

describe('no secret is in the log', () => {
  const nothingOf = (lines: readonly string[], secrets: readonly string[] = Object.values(PLANTED)) => {
    expect(lines).toHaveLength(1);
    for (const secret of secrets) {
      expect(lines[0]).not.toContain(secret);
      expect(lines[0]).not.toContain(JSON.stringify(secret).slice(1, -1));
    }
  };

  it('that stands in a text, by its form', () => {
    const { password: _hasNoForm, ...formed } = PLANTED;
    for (const secret of Object.values(formed)) {
      nothingOf(
        linesOf((log) => log('error', 'x', { message: `it said: ${secret}, and more` })),
        [secret],
      );
      nothingOf(
        linesOf((log) => log('error', 'x', { error: new Error(secret), deep: [{ a: secret }], [secret]: 1 })),
        [secret],
      );
    }
    nothingOf(
      linesOf((log) => log('info', 'x', { header: 'Authorization: Bearer opaque-and-long' })),
      ['opaque'],
    );
    const urls = ['postgres://ann:hunter2andmore@db:5432/books', 'redis://:hunter2andmore@cache'];
    for (const url of urls)
      nothingOf(
        linesOf((log) => log('info', 'x', { url })),
        ['hunter2andmore'],
      );
  });

  it('that stands in a field of such a name', () => {
    const names = [
      ...['authorization', 'Authorization', 'cookie', 'set-cookie', 'password', 'secret', 'clientSecret', 'token'],
      ...['accessToken', 'apiKey', 'api_key', 'X-Api-Key', 'privateKey', 'PRIVATE_KEY', 'signature', 'mnemonic'],
    ];
    for (const name of names) {
      nothingOf(
        linesOf((log) => log('info', 'x', { headers: { [name]: 'hunter2andmore' }, [name]: ['hunter2andmore'] })),
        ['hunter2andmore'],
      );
    }
  });

  it('that the process holds, wherever it stands', () => {
    const key = hex(32);
    const say = (log: ReturnType<typeof jsonLog>) =>
      hiding(log, [key, key.slice(2)])('warn', 'x', { message: `invalid value ${key}`, list: [`k=${key.slice(2)};`] });
    nothingOf(linesOf(say), [key.slice(2)]);
  });

  it('and what is none is there: ids, addresses, hashes, names', () => {
    const fields = {
      leaseId: hex(32),
      owner: hex(20),
      txHash: hex(32),
      tokenSymbol: 'MESH',
      message: 'token is missing',
    };
    const [line = ''] = linesOf((log) => log('info', 'x', fields));
    expect(JSON.parse(line)).toMatchObject(fields);
  });
});
