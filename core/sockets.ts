/**
 * The filter on system calls lets nobody make a socket (resources/seccomp.json). Work with egress needs some, and its gateway
 * others. Numbers: Linux, include/linux/socket.h and include/linux/net.h.
 */
const UNIX = 1;
const INET = [2, 10] as const;
const STREAM = 1;
/** The family's own stream, and by its name: TCP. Others load modules of the kernel that nobody else uses, such as SCTP. */
const TCP = [0, 6] as const;
/** What of a socket's type is its kind; the rest are flags. */
const KIND = 0xf;

type Condition = {
  readonly index: number;
  readonly value: number;
  readonly valueTwo: number;
  readonly op: 'SCMP_CMP_EQ' | 'SCMP_CMP_MASKED_EQ';
};

const family = (value: number): Condition => ({ index: 0, value, valueTwo: 0, op: 'SCMP_CMP_EQ' });
/** libseccomp's words: `value` is the mask, `valueTwo` what must be left. */
const streams: Condition = { index: 1, value: KIND, valueTwo: STREAM, op: 'SCMP_CMP_MASKED_EQ' };

const CALLS = [
  ...['accept4', 'bind', 'connect', 'getpeername', 'getsockname', 'getsockopt', 'listen', 'recvfrom', 'recvmsg'],
  ...['recvmmsg', 'sendmmsg', 'sendmsg', 'sendto', 'setsockopt', 'shutdown', 'accept'],
];

/**
 * The profile's JSON text with sockets. `work`: UNIX, for its gateway, and TCP, which in a container without a network leads
 * no further than to itself: programs that only know a proxy by address get one from a forwarder beside them. `gateway`: all of
 * UNIX, IPv4 and IPv6 but raw ones, which need a capability that it lacks. Nobody gets packet, netlink or any other family.
 */
export function withSockets(profile: string, whose: 'work' | 'gateway'): string {
  const { syscalls = [], ...rest }: { readonly syscalls?: readonly unknown[] } = JSON.parse(profile);
  const inet = INET.flatMap((each) =>
    whose === 'gateway'
      ? [[family(each)]]
      : TCP.map((protocol) => [family(each), streams, { ...family(protocol), index: 2 }]),
  );
  const kinds = [[family(UNIX)], ...inet];
  const allowed = [
    { names: CALLS, action: 'SCMP_ACT_ALLOW' },
    ...kinds.map((args) => ({ names: ['socket'], action: 'SCMP_ACT_ALLOW', args })),
    { names: ['socketpair'], action: 'SCMP_ACT_ALLOW', args: [family(UNIX)] },
  ];
  return JSON.stringify({ ...rest, syscalls: [...syscalls, ...allowed] });
}
