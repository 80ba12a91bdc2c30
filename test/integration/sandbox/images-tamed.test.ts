import { afterAll, beforeAll, expect, test } from 'vitest';
import { failureOf } from '../../support/deed.ts';
import { askEngine, type HostileStage, hostileImage, hostileStage, unprotected } from '../../support/hostile.ts';

/** What an image may bring and gets nothing by. Beside each: the same launch without the one protection, where it gets it. */
let stage: HostileStage;
beforeAll(async () => {
  stage = await hostileStage();
}, 300_000);
afterAll(async () => {
  expect(await stage.harmed()).toEqual([]);
  await stage.close();
});

/** What a job says of what it got, in the sandbox. */
const saidBy = async (image: string, script: string): Promise<string> =>
  failureOf(await stage.run({ image, script: `{ ${script}; } >&2; exit 1` })).replace(/^exit code 1: /, '');

test('a program that belongs to root and makes its caller root makes nobody root', async () => {
  const image = await hostileImage('setuid', ['RUN cp /usr/bin/id /rootid && chmod 6755 /rootid']);
  expect(await saidBy(image, '/rootid -u; /rootid -g')).toBe('65534 65534');
  const weaker = { HostConfig: { SecurityOpt: ['seccomp=unconfined'] } };
  const script = '/rootid -u >&2; /rootid -g >&2';
  expect(await unprotected(stage.containers, { image, script, weaker })).toBe('0\n0');
}, 60_000);

test('a program with capabilities of its own has none', async () => {
  // Everything, permitted and effective, in the kernel's third form (capabilities(7), "File capability extended attribute versioning").
  const grant = `perl -e 'require POSIX; my $n = (POSIX::uname())[4] eq "aarch64" ? 5 : 188; my $v = pack "V6", 0x03000001, 0x2b, 0, 0, 0, 0;
    my ($p, $k) = ("/cat", "security.capability"); syscall($n, $p, $k, $v, 24, 0) == 0 or die $!'`;
  const image = await hostileImage('filecaps', [`RUN cp /bin/cat /cat && ${grant.replaceAll('\n', ' ')}`]);
  const ask = '/cat /proc/self/status | grep CapEff';
  // The kernel does not even run it: it cannot have what it says it must.
  expect(await saidBy(image, ask)).toMatch(/Operation not permitted$/);
  const weaker = {
    HostConfig: {
      SecurityOpt: ['seccomp=unconfined'],
      CapDrop: ['ALL'],
      CapAdd: ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'KILL'],
    },
  };
  const got = await unprotected(stage.containers, { image, script: `${ask} >&2`, weaker });
  expect(got).toMatch(/^CapEff:\s*0*[1-9a-f]/);
}, 60_000);

test('an image that wants to be root, and counts us among its groups, gets neither', async () => {
  const image = await hostileImage('root', [
    `RUN echo 'evil:x:65534:0::/root:/bin/sh' >/etc/passwd`,
    `RUN printf 'root:x:0:evil\\ndisk:x:6:evil\\nnone:x:65534:evil\\n' >/etc/group`,
    'USER 0:0',
  ]);
  expect(await saidBy(image, 'id -u; id -G')).toBe('65534 65534');
  const script = 'id -u >&2; id -G >&2';
  expect(await unprotected(stage.containers, { image, script, weaker: { User: undefined } })).toMatch(/^0\n0/);
  expect(await unprotected(stage.containers, { image, script, weaker: { User: 'evil' } })).toMatch(/\n0 6/);
}, 60_000);

test('device files in an image open nothing, whatever their rights', async () => {
  // The kernel's log: who may write there may tell the machine's owner anything.
  const image = await hostileImage('device', ['RUN mknod /kmsg c 1 11 && chmod 666 /kmsg']);
  const script = '(exec 3>/kmsg) && echo opened || echo refused';
  expect(await saidBy(image, script)).toMatch(/Operation not permitted refused$/);
  const weaker = { HostConfig: { DeviceCgroupRules: ['c 1:11 w'] } };
  expect(await unprotected(stage.containers, { image, script: `{ ${script}; } >&2`, weaker })).toBe('opened');
}, 60_000);

test('a health check is never run: the engine enters no container of ours', async () => {
  const image = await hostileImage('health', [
    'HEALTHCHECK --interval=1s --timeout=1s --retries=1 CMD echo entered >/proc/1/fd/2; touch /tmp/entered',
  ]);
  const script = 'sleep 3; echo looked; ls -A /tmp';
  expect(await saidBy(image, script)).toBe('looked');
  const weaker = { Healthcheck: undefined };
  expect(await unprotected(stage.containers, { image, script: `${script} >&2`, weaker })).toContain('entered');
}, 60_000);

test('what the environment says to programs and to hooks for GPUs is not the image’s word', async () => {
  const image = await hostileImage('environment', [
    'ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=all CUDA_VERSION=12 PATH=/evil HOME=/root BASH_ENV=/evil.sh',
  ]);
  const script = `perl -0ne 'chomp; print "$_\\n" if /^(NVIDIA_(VISIBLE|DRIVER)|PATH|HOME)/' /proc/self/environ`;
  expect((await saidBy(image, script)).split(' ').sort()).toEqual([
    'HOME=/tmp',
    'NVIDIA_DRIVER_CAPABILITIES=',
    'NVIDIA_VISIBLE_DEVICES=void',
    'PATH=/usr/local/bin:/usr/bin:/bin',
  ]);
  const weaker = { Env: ['PATH=/usr/bin:/bin'] };
  const without = await unprotected(stage.containers, { image, script: `${script} >&2`, weaker });
  expect(without).toContain('NVIDIA_VISIBLE_DEVICES=all');
}, 60_000);

test('files where our own places are, and links that lead there, are covered', async () => {
  const image = await hostileImage('places', [
    'RUN mkdir -p /tmp /run/door && cp /usr/bin/id /tmp/planted && chmod 4777 /tmp/planted && ln -sf /proc/1/root /run/egress',
    'RUN echo junk >/run/door/door && chmod 755 /run/door/door',
  ]);
  // It is our first process that runs, and not the image's of the same name.
  expect(await saidBy(image, 'ls -A /tmp; head -c 4 /run/door/door | tail -c 3; id -u')).toBe('ELF65534');
}, 60_000);

test('nothing of the machine is in the container’s names', async () => {
  const image = await hostileImage('expose', [
    'EXPOSE 22 80',
    'ONBUILD RUN false',
    'STOPSIGNAL SIGCONT',
    'USER nobody',
  ]);
  const said = await saidBy(
    image,
    'cat /proc/sys/kernel/hostname /etc/hostname; cat /etc/resolv.conf /etc/hosts | wc -c; ls /sys/class/net',
  );
  expect(said).toMatch(/^idlemesh idlemesh( cat: .*?)*? 0 lo$/);
}, 60_000);

test('a signal of the image’s choice ends nothing later: the engine does not wait for it', async () => {
  const image = await hostileImage('stop', ['STOPSIGNAL SIGCONT']);
  const script = `trap '' TERM INT HUP; while :; do sleep 1; done`;
  const { runner, done } = stage.begin({ image, script });
  while (runner.containerId() === null) await new Promise((resolve) => setTimeout(resolve, 20));
  const config = (await askEngine(`/containers/${runner.containerId()}/json`))?.['Config'];
  expect(config).toMatchObject({ StopSignal: 'SIGKILL', Healthcheck: { Test: ['NONE'] }, WorkingDir: '/tmp' });
  runner.release();
  expect((await done).ending.kind).toBe('released');
}, 60_000);
