import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { subnetOf } from '../../../../coordinator/verification/subnet.ts';

describe('the network that counts once', () => {
  it.each([
    ['203.0.113.7', '203.0.113.0/24'],
    ['203.0.113.250', '203.0.113.0/24'],
    ['203.0.114.7', '203.0.114.0/24'],
    ['::ffff:203.0.113.7', '203.0.113.0/24'],
    ['::ffff:cb00:7107', '203.0.113.0/24'],
    ['0:0:0:0:0:ffff:cb00:7107', '203.0.113.0/24'],
    ['2001:db8:1:2::1', '2001:db8:1:0::/56'],
    ['2001:db8:1:ff:1:2:3:4', '2001:db8:1:0::/56'],
    ['2001:db8:1:100::1', '2001:db8:1:100::/56'],
    ['2001:db8::1', '2001:db8:0:0::/56'],
    ['2001:db8:1:2:3:4:1.2.3.4', '2001:db8:1:0::/56'],
  ])('%s is of %s', (address, network) => {
    expect(subnetOf(address)).toBe(network);
  });

  it.each([
    ...['127.0.0.1', '10.1.2.3', '172.16.0.1', '172.31.9.9', '192.168.1.5', '169.254.3.4', '100.64.0.1', '0.0.0.0'],
    ...[
      '::1',
      '::',
      'fe80::1%eth0',
      'fc00::1',
      'fd12:3456::1',
      '::ffff:192.168.1.5',
      '',
      'example.org',
      '1.2.3',
      '1.2.3.4.5',
    ],
  ])('%s has none: only its owner counts', (address) => {
    expect(subnetOf(address)).toBeNull();
  });

  it('is one for all addresses that share their first 56 bits, and another for all others', () => {
    const group = fc.integer({ min: 0, max: 0xffff });
    fc.assert(
      fc.property(
        fc.tuple(group, group, group),
        fc.array(group, { minLength: 4, maxLength: 4 }),
        group,
        (head, rest, fourth) => {
          const address = (last: number) =>
            ['2001', ...[...head.slice(1), last, ...rest].map((n) => n.toString(16))].join(':');
          expect(subnetOf(address(fourth))).toBe(subnetOf(address(fourth ^ 0xff)));
          expect(subnetOf(address(fourth))).not.toBe(subnetOf(address(fourth ^ 0x100)));
        },
      ),
    );
  });
});
