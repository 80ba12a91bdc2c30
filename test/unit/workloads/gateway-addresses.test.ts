import fc from 'fast-check';
import { expect, test } from 'vitest';
import { forbidden, parseAddress, parseRange } from '../../../workloads/gateway/addresses.mjs';
import { addressesOf, allows, dial } from '../../../workloads/gateway/dial.mjs';
import { parseAuthority } from '../../../workloads/gateway/head.mjs';
import { routedRanges } from '../../../workloads/gateway/own.mjs';

const verdict = (text: string, own: readonly string[] = []): string | null => {
  const address = parseAddress(text);
  if (address === null) return 'no address';
  return forbidden(
    address,
    own.flatMap((range) => parseRange(range) ?? []),
  );
};

test.each<[string, string | null]>([
  ['8.8.8.8', null],
  ['1.1.1.1', null],
  ['11.0.0.1', null],
  ['172.15.255.255', null],
  ['172.32.0.0', null],
  ['192.167.255.255', null],
  ['192.169.0.0', null],
  ['100.63.255.255', null],
  ['100.128.0.0', null],
  ['169.253.255.255', null],
  ['198.17.255.255', null],
  ['198.20.0.0', null],
  ['203.0.114.1', null],
  ['223.255.255.255', null],
  ['168.63.129.15', null],
  ['2606:4700:4700::1111', null],
  ['2001:4860:4860::8888', null],
  ['2001:200::1', null],
  ['64:ff9b::808:808', null],
  ['::ffff:8.8.8.8', null],
  ['0.0.0.0', 'this-network'],
  ['0.255.255.255', 'this-network'],
  ['10.0.0.0', 'private'],
  ['10.255.255.255', 'private'],
  ['172.16.0.0', 'private'],
  ['172.31.255.255', 'private'],
  ['192.168.0.1', 'private'],
  ['100.64.0.0', 'shared'],
  ['100.127.255.255', 'shared'],
  ['100.100.100.200', 'metadata'],
  ['169.254.169.254', 'metadata'],
  ['168.63.129.16', 'metadata'],
  ['fd00:ec2::254', 'metadata'],
  ['127.0.0.1', 'loopback'],
  ['127.255.255.254', 'loopback'],
  ['169.254.0.1', 'link-local'],
  ['192.0.0.170', 'reserved'],
  ['192.0.2.1', 'documentation'],
  ['198.51.100.7', 'documentation'],
  ['203.0.113.255', 'documentation'],
  ['198.18.0.1', 'benchmark'],
  ['198.19.255.255', 'benchmark'],
  ['192.88.99.1', 'tunnel'],
  ['224.0.0.1', 'multicast'],
  ['239.255.255.255', 'multicast'],
  ['240.0.0.1', 'reserved'],
  ['255.255.255.255', 'broadcast'],
  ['::', 'tunnel'],
  ['::1', 'loopback'],
  ['::8.8.8.8', 'tunnel'],
  ['::ffff:10.0.0.1', 'private'],
  ['::ffff:7f00:1', 'loopback'],
  ['0:0:0:0:0:ffff:a9fe:a9fe', 'metadata'],
  ['64:ff9b::10.0.0.1', 'private'],
  ['64:ff9b::7f00:1', 'loopback'],
  ['64:ff9b:1::808:808', 'tunnel'],
  ['100::1', 'reserved'],
  ['2001::1', 'protocol'],
  ['2001:0:53aa:64c:0:7fff:f5ff:fffe', 'protocol'],
  ['2001:2::1', 'protocol'],
  ['2001:20::1', 'protocol'],
  ['2001:db8::1', 'documentation'],
  ['3fff::1', 'documentation'],
  ['2002:0a00:0001::1', 'tunnel'],
  ['2002:0808:0808::1', 'tunnel'],
  ['2a00::5efe:10.0.0.1', 'tunnel'],
  ['2a00::200:5efe:a00:1', 'tunnel'],
  ['3ffe::1', 'reserved'],
  ['4000::1', 'reserved'],
  ['5f00::1', 'reserved'],
  ['fc00::1', 'private'],
  ['fdff:ffff::1', 'private'],
  ['fe80::1', 'link-local'],
  ['febf::1', 'link-local'],
  ['fec0::1', 'site-local'],
  ['ff02::1', 'multicast'],
  ['0177.0.0.1', 'no address'],
  ['0x7f.0.0.1', 'no address'],
  ['127.1', 'no address'],
  ['2130706433', 'no address'],
  ['1.2.3.4.5', 'no address'],
  ['256.1.1.1', 'no address'],
  ['1.2.3', 'no address'],
  ['fe80::1%eth0', 'no address'],
  ['1::2::3', 'no address'],
  ['1:2:3:4:5:6:7', 'no address'],
  ['1:2:3:4:5:6:7:8:9', 'no address'],
  ['1:2:3:4::5:6:7:8', 'no address'],
  ['::1.2.3.4:5', 'no address'],
  [':1:2:3:4:5:6:7:8', 'no address'],
  ['', 'no address'],
])('%s: %s', (text, why) => {
  expect(verdict(text)).toBe(why);
});

test('an address of the machine itself or of a network it is in is refused, also when it is public', () => {
  const own = ['203.0.114.7/24', '2a00:1::7/64', '9.9.9.9'];
  const refused = ['203.0.114.1', '203.0.114.7', '2a00:1::1', '::ffff:203.0.114.9', '64:ff9b::cb00:7201', '9.9.9.9'];
  for (const text of refused) expect([text, verdict(text, own)]).toEqual([text, 'host']);
  for (const text of ['203.0.115.1', '2a00:1:0:1::1', '9.9.9.8'])
    expect([text, verdict(text, own)]).toEqual([text, null]);
});

const octets = (value: number): string => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.');
const groups = (value: number): string => `${(value >>> 16).toString(16)}:${(value & 0xffff).toString(16)}`;
/** [first address, bits]; said once more, in other words than the gateway's. */
const CLOSED: readonly (readonly [number, number])[] = [
  ...([
    [0, 8],
    [0x0a000000, 8],
    [0x64400000, 10],
    [0x7f000000, 8],
    [0xa9fe0000, 16],
    [0xac100000, 12],
  ] as const),
  ...([
    [0xc0000000, 24],
    [0xc0000200, 24],
    [0xc0586300, 24],
    [0xc0a80000, 16],
    [0xc6120000, 15],
  ] as const),
  ...([
    [0xc6336400, 24],
    [0xcb007100, 24],
    [0xe0000000, 4],
    [0xf0000000, 4],
    [0xa83f8110, 32],
  ] as const),
];
const isClosed = (value: number): boolean =>
  CLOSED.some(([first, bits]) => Math.floor(value / 2 ** (32 - bits)) === Math.floor(first / 2 ** (32 - bits)));
const inside = fc
  .tuple(fc.constantFrom(...CLOSED), fc.nat(0xffffffff))
  .map(([[first, bits], any]) => first + (any % 2 ** (32 - bits)));
const notations = (value: number): readonly string[] => [
  ...[octets(value), `::ffff:${octets(value)}`, `::FFFF:${groups(value)}`, `0:0:0:0:0:ffff:${groups(value)}`],
  ...[`64:ff9b::${groups(value)}`, `::${octets(value)}`, `2002:${groups(value)}::1`, `64:ff9b:1::${groups(value)}`],
];

test('whatever lies in a closed range is refused in every notation and wrapping', () => {
  fc.assert(
    fc.property(inside, (value) => notations(value).every((text) => verdict(text) !== null)),
    { numRuns: 3_000 },
  );
});

test('an IPv4 address is refused exactly when it lies in a closed range', () => {
  fc.assert(
    fc.property(fc.nat(0xffffffff), (value) => (verdict(octets(value)) !== null) === isClosed(value)),
    { numRuns: 10_000 },
  );
});

test('no notation of any address, and nothing but a plain name, can be asked for', () => {
  const refused = (host: string) => expect(() => parseAuthority(`${host}:80`, null), host).toThrow();
  fc.assert(
    fc.property(fc.nat(0xffffffff), (value) => {
      const [a = 0, b = 0, c = 0, d = 0] = octets(value).split('.').map(Number);
      const odd = [`${value}`, `0x${value.toString(16)}`, `0${value.toString(8)}`, `${a}.${value & 0xffffff}`];
      const dotted = [`0${a.toString(8)}.${b}.${c}.${d}`, `0x${a.toString(16)}.${b}.${c}.0x${d.toString(16)}`];
      for (const host of [...notations(value), ...odd, ...dotted, `[${octets(value)}]`]) refused(host);
    }),
  );
  const texts = [
    'localhost',
    'a.example.org.',
    'u@a.example.org',
    'a%2eexample.org',
    'a..b.org',
    '.org',
    '*.org',
    'a b.org',
  ];
  for (const host of [...texts, 'ａ.example.org', '①.example.org', 'a。org', 'a.org\0', `${'a.'.repeat(130)}org`, ''])
    refused(host);
  expect(parseAuthority('Files.Example.ORG:443', null)).toEqual({ host: 'files.example.org', port: 443 });
  expect(parseAuthority('xn--bcher-kva.example', 80)).toEqual({ host: 'xn--bcher-kva.example', port: 80 });
  for (const port of ['', '0', '080', '65536', '-1', '8o', '80:80'])
    expect(() => parseAuthority(`a.org:${port}`, 80)).toThrow();
});

test.each<[string, number, boolean]>([
  ['files.example.org', 443, true],
  ['files.example.org', 80, false],
  ['a.files.example.org', 443, false],
  ['a.mirror.org', 80, true],
  ['a.b.mirror.org', 80, true],
  ['mirror.org', 80, false],
  ['evilmirror.org', 80, false],
  ['files.example.org.evil.com', 443, false],
])('%s:%i may be asked for: %s', (host, port, may) => {
  const rules = [
    { host: 'files.example.org', ports: [443] },
    { host: '*.mirror.org', ports: [80, 8080] },
  ];
  expect(allows(rules, { host, port })).toBe(may);
});

test('one forbidden address refuses its name, and a name that is not listed is not even asked for', async () => {
  const why = (found: readonly string[]) =>
    addressesOf('a.org', async () => found, []).then(
      (addresses) => addresses,
      ({ why }: { readonly why: string }) => why,
    );
  expect(await why(['8.8.8.8', '2606:4700::1'])).toEqual(['8.8.8.8', '2606:4700::1']);
  expect(await why(['8.8.8.8', '10.0.0.1'])).toBe('private');
  expect(await why(['8.8.8.8', 'fd00::1'])).toBe('private');
  expect(await why(['8.8.8.8', 'nonsense'])).toBe('reserved');
  expect(await why([])).toBe('unresolved');
  let asked = 0;
  const resolve = async () => {
    asked += 1;
    return ['8.8.8.8'];
  };
  const dialled = dial({ host: 'b.org', port: 80 }, { rules: [{ host: 'a.org', ports: [80] }], resolve, own: [] });
  await expect(dialled).rejects.toMatchObject({ why: 'not-listed', status: 403 });
  expect(asked).toBe(0);
});

test('the tables of routes name whoever routes for the container, and the networks that it is in', () => {
  const v4 = `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0107A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t0007A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
`;
  const v6 = `2a000001000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 2a000002000000000000000000000001 00000400 00000001 00000000 00000003     eth0
`;
  const expected = ['192.168.7.1', '192.168.7.0/24', '2a00:1::/64', '2a00:2::1'];
  expect(routedRanges(v4, v6)).toEqual(expected.map(parseRange));
  expect(routedRanges(v4, '')).toEqual(expected.slice(0, 2).map(parseRange));
});
