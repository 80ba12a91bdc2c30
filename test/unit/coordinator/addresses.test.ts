import { expect, test } from 'vitest';
import { isPublicAddress, parseRange } from '../../../core/addresses.ts';
import { forbidden, parseAddress } from '../../../workloads/gateway/addresses.mjs';

/** The edges of every range that is special, and some in between. */
const EDGES = [
  ...[
    '0.0.0.0',
    '0.255.255.255',
    '1.0.0.0',
    '9.255.255.255',
    '10.0.0.0',
    '10.255.255.255',
    '11.0.0.0',
    '93.184.216.34',
  ],
  ...['100.63.255.255', '100.64.0.0', '100.100.100.200', '100.127.255.255', '100.128.0.0', '127.0.0.1', '128.0.0.0'],
  ...[
    '168.63.129.15',
    '168.63.129.16',
    '168.63.129.17',
    '169.253.255.255',
    '169.254.0.0',
    '169.254.169.254',
    '169.255.0.0',
  ],
  ...[
    '172.15.255.255',
    '172.16.0.0',
    '172.31.255.255',
    '172.32.0.0',
    '192.0.0.0',
    '192.0.1.0',
    '192.0.2.1',
    '192.88.99.1',
  ],
  ...['192.167.255.255', '192.168.0.0', '192.169.0.0', '198.17.255.255', '198.18.0.0', '198.19.255.255', '198.20.0.0'],
  ...['198.51.100.1', '203.0.113.1', '223.255.255.255', '224.0.0.0', '239.255.255.255', '240.0.0.0', '255.255.255.255'],
  ...[
    '::',
    '::1',
    '::7f00:1',
    '::ffff:10.0.0.1',
    '::ffff:93.184.216.34',
    '64:ff9b::a00:1',
    '64:ff9b::5db8:d822',
    '64:ff9b:1::1',
  ],
  ...[
    '2001::1',
    '2001:1ff:ffff::',
    '2001:200::1',
    '2001:db8::1',
    '2002:a00:1::',
    '2003::1',
    '2606:2800:220:1::5efe:5db8:d822',
  ],
  ...[
    '2606:2800:220:1:248:1893:25c8:1946',
    '3ffe::1',
    '3fff::1',
    '3fff:1000::1',
    '1fff::1',
    '4000::1',
    'fc00::1',
    'fdff::1',
  ],
  ...[
    'fd00:ec2::254',
    'fe80::1',
    'febf::1',
    'fec0::1',
    'ff02::1',
    '010.0.0.1',
    '0x7f.1',
    '1.2.3',
    '1::2::3',
    'host',
    '',
  ],
];

test('what is public is the same here and in the gateway', () => {
  const own = [parseRange('93.184.216.0/24')].flatMap((range) => range ?? []);
  for (const mine of [[], own]) {
    for (const text of EDGES) {
      const address = parseAddress(text);
      expect([text, isPublicAddress(text, mine)]).toEqual([
        text,
        address !== null && forbidden(address, mine) === null,
      ]);
    }
  }
  expect(EDGES.filter((text) => isPublicAddress(text, []))).toContain('93.184.216.34');
});
