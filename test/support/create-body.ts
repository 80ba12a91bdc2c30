/**
 * Reads the body of a container-create request (Docker Engine API v1.41) as the engine would, knowing nothing of who wrote it, and
 * names what the container-runtime section of the CIS Docker Benchmark (v1.6, section 5), or DESIGN §6 beyond it, forbids.
 */
type Body = Readonly<Record<string, unknown>>;

const isBody = (value: unknown): value is Body => typeof value === 'object' && value !== null && !Array.isArray(value);
const texts = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.filter((each): each is string => typeof each === 'string') : [];
/** Left out, or there and empty. */
const isNothing = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  value === false ||
  value === '' ||
  (Array.isArray(value) && value.length === 0) ||
  (isBody(value) && Object.keys(value).length === 0);
const isPositive = (value: unknown): value is number =>
  typeof value === 'number' && Number.isFinite(value) && value > 0;

/** Must not be there at all: each reaches out of the container. */
const FORBIDDEN = [
  ...['Binds', 'VolumesFrom', 'VolumeDriver', 'DeviceCgroupRules', 'CapAdd', 'Links'],
  ...[
    'PortBindings',
    'PublishAllPorts',
    'ExtraHosts',
    'Dns',
    'CgroupParent',
    'PidMode',
    'UTSMode',
    'UsernsMode',
    'Sysctls',
  ],
  ...['OomKillDisable', 'AutoRemove', 'Privileged'],
] as const;
/** Makes a loader run what the image names. */
const LOADER = /^(LD_|DYLD_|NVIDIA_|CUDA_|VK_|OCL_|OPENCL_|GCONV_|GLIBC_|PYTHON|NODE_OPTIONS|BASH_ENV|ENV=)/;
/** What an image may not decide: unless the launch sets it, the image's own value reaches hooks that run as root. */
const TAKEN = ['LD_PRELOAD', 'LD_LIBRARY_PATH', 'LD_AUDIT', 'NVIDIA_VISIBLE_DEVICES', 'NVIDIA_DRIVER_CAPABILITIES'];
const DRIVER_PARTS: ReadonlySet<string> = new Set(['', 'compute', 'utility', 'video', 'graphics']);

/** What the launch at hand was given beyond processor and memory; none of it may be there without. */
export type Allowed = {
  /** Device files. */
  readonly devices?: readonly string[];
  readonly groups?: readonly string[];
  /** UUIDs. */
  readonly nvidia?: readonly string[];
  /** Names. */
  readonly volumes?: readonly string[];
  /** That of them which may be written to. */
  readonly store?: string;
  /** The program of the image, behind a supervisor of ours. */
  readonly program?: readonly string[];
  readonly runtimes?: readonly string[];
  /** Programs may lie in /run/jit. */
  readonly code?: boolean;
};

const listed = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** Each grant that is there, against what was given. */
function ungranted(host: Body, allowed: Allowed): readonly string[] {
  const found: string[] = [];
  const demand = (holds: boolean, what: string): void => {
    if (!holds) found.push(what);
  };
  for (const device of listed(host['Devices'])) {
    const fine =
      isBody(device) &&
      allowed.devices?.includes(String(device['PathOnHost'])) === true &&
      device['PathInContainer'] === device['PathOnHost'] &&
      device['CgroupPermissions'] === 'rw';
    demand(fine, 'a device that was not given, or more of it');
  }
  for (const group of listed(host['GroupAdd']))
    demand(allowed.groups?.includes(String(group)) === true && group !== '0', 'a group that was not given');
  for (const request of listed(host['DeviceRequests'])) {
    const ids = isBody(request) ? texts(request['DeviceIDs']).map((id) => id.replace(/^nvidia\.com\/gpu=/, '')) : [];
    const named = ids.length > 0 && ids.every((id) => allowed.nvidia?.includes(id) === true);
    demand(named && isBody(request) && isNothing(request['Count']), 'a GPU that was not given');
    const capabilities = isBody(request) ? listed(request['Capabilities']).flatMap(texts) : [];
    demand(
      capabilities.every((name) => ['gpu', 'compute', 'utility', 'video', 'graphics'].includes(name)),
      'a capability of the GPU that nobody needs',
    );
  }
  for (const mount of listed(host['Mounts'])) {
    const fine =
      isBody(mount) &&
      mount['Type'] === 'volume' &&
      allowed.volumes?.includes(String(mount['Source'])) === true &&
      (allowed.store === String(mount['Source'])
        ? ['/vault', '/cache'].includes(String(mount['Target']))
        : ['/run/egress', '/run/door'].includes(String(mount['Target'])) && mount['ReadOnly'] === true);
    demand(fine, 'a mount that was not given, or a writable one');
  }
  demand(
    isNothing(host['Runtime']) || allowed.runtimes?.includes(String(host['Runtime'])) === true,
    'a runtime that was not asked for',
  );
  return found;
}

/** Each variable that makes a loader or a hook do something. */
function environmental(lines: readonly string[], nvidia: readonly string[]): readonly string[] {
  const found: string[] = [];
  const values = new Map(lines.map((line) => [line.split('=', 1)[0] ?? '', line.slice(line.indexOf('=') + 1)]));
  if (TAKEN.some((name) => !values.has(name))) found.push('the environment leaves to the image what hooks read');
  for (const [name, value] of values) {
    const parts = value.split(',');
    if (name === 'NVIDIA_VISIBLE_DEVICES') {
      if (value !== 'void' && !parts.every((id) => nvidia.includes(id))) found.push('the environment asks for GPUs');
    } else if (name === 'NVIDIA_DRIVER_CAPABILITIES') {
      if (!parts.every((part) => DRIVER_PARTS.has(part))) found.push('the environment asks for all of a driver');
    } else if (LOADER.test(`${name}=`) && value !== '') found.push('the environment names something to load');
  }
  return found;
}

export function violationsOf(body: unknown, allowed: Allowed = {}): readonly string[] {
  if (!isBody(body)) return ['no body'];
  const host = body['HostConfig'];
  if (!isBody(host)) return ['no HostConfig'];
  const found: string[] = FORBIDDEN.filter((name) => !isNothing(host[name])).map((name) => `${name} is set`);
  found.push(...ungranted(host, allowed));
  const demand = (holds: boolean, what: string): void => {
    if (!holds) found.push(what);
  };
  const ulimits: readonly unknown[] = Array.isArray(host['Ulimits']) ? host['Ulimits'] : [];
  const options = texts(host['SecurityOpt']);
  const seccomp = options.filter((option) => option.startsWith('seccomp='));
  const tmpfs = isBody(host['Tmpfs']) ? host['Tmpfs'] : {};
  const [memory, period, quota] = [host['Memory'], host['CpuPeriod'], host['CpuQuota']];
  const restart = isBody(host['RestartPolicy']) ? host['RestartPolicy']['Name'] : undefined;
  const log = isBody(host['LogConfig']) ? host['LogConfig']['Type'] : undefined;

  demand(/^sha256:[0-9a-f]{64}$/.test(String(body['Image'])), 'the image is not named by its content');
  demand(/^[1-9][0-9]*(:[1-9][0-9]*)?$/.test(String(body['User'])), 'root, or a name the image decides about');
  demand(isNothing(body['Volumes']) && isNothing(body['ExposedPorts']), 'a volume or a port');
  const program = texts(body['Entrypoint']);
  const supervised =
    allowed.program !== undefined && program.join('\0') === ['/run/door/door', ...allowed.program].join('\0');
  demand((isNothing(body['Entrypoint']) || supervised) && isNothing(body['Cmd']), 'another program than the image has');
  found.push(...environmental(texts(body['Env']), allowed.nvidia ?? []));
  demand(body['Tty'] === false, 'a terminal');
  const health = isBody(body['Healthcheck']) ? texts(body['Healthcheck']['Test']) : [];
  demand(health.length === 1 && health[0] === 'NONE', 'the engine enters it by itself');
  demand(body['WorkingDir'] === '/tmp', 'a working folder of the image’s choice');
  demand(!isNothing(body['Hostname']) && isNothing(body['Domainname']), 'a name that says which it is');
  demand(host['NetworkMode'] === 'none' && body['NetworkDisabled'] === true, 'a network');
  demand(host['IpcMode'] === 'private' && host['CgroupnsMode'] === 'private', 'a shared namespace');
  demand(host['ReadonlyRootfs'] === true, 'a writable root');
  demand(texts(host['CapDrop']).includes('ALL'), 'capabilities are left');
  demand(options.includes('no-new-privileges:true'), 'privileges can be gained');
  demand(seccomp.length === 1 && seccomp[0] !== 'seccomp=unconfined', 'no filter on system calls');
  demand(
    options.every((option) => option.startsWith('seccomp=') || option === 'no-new-privileges:true'),
    'a security option that is not known',
  );
  demand(isPositive(memory) && host['MemorySwap'] === memory, 'memory without bound, or swap');
  demand(isPositive(period) && isPositive(quota) && quota / period <= 64, 'the processor without bound');
  demand(
    isPositive(quota) && quota >= 1_000 && isPositive(period) && period <= 1_000_000,
    'a quota the kernel refuses',
  );
  demand(isPositive(host['PidsLimit']) && host['PidsLimit'] <= 4096, 'processes without bound');
  demand(isPositive(host['ShmSize']) && host['ShmSize'] <= 2 ** 26, 'shared memory without bound');
  demand(isPositive(host['CpuShares']) && host['CpuShares'] <= 1024, 'more than others get of the processor');
  demand(restart === 'no', 'it restarts by itself');
  demand(log === 'none' || log === 'local', 'a log that may grow');
  demand(host['OomScoreAdj'] === 1000, 'others die first for its memory');
  demand(
    Object.entries(tmpfs).every(
      ([path, mount]) =>
        (path === '/tmp' || (path === '/run/jit' && allowed.code === true)) &&
        (path === '/run/jit' || String(mount).split(',').includes('noexec')) &&
        ['nosuid', 'nodev'].every((word) => String(mount).split(',').includes(word)) &&
        /(^|,)size=[1-9][0-9]*(,|$)/.test(String(mount)) &&
        /(^|,)nr_inodes=[1-9][0-9]*(,|$)/.test(String(mount)),
    ),
    'a memory file system without bound, or with programs',
  );
  demand(
    ['nofile', 'core'].every((name) => ulimits.some((limit) => isBody(limit) && limit['Name'] === name)),
    'open files or core dumps without bound',
  );
  return found;
}
