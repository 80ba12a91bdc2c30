import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { failureOf, MIB } from '../../support/deed.ts';
import { askEngine, type HostileStage, hostileImage, hostileStage, unprotected } from '../../support/hostile.ts';

/** Images that no launch can make safe are not launched, and it is said why. What each would do is shown beside it. */
let stage: HostileStage;
beforeAll(async () => {
  stage = await hostileStage();
}, 300_000);
afterAll(async () => {
  expect(await stage.harmed()).toEqual([]);
  await stage.close();
});

/** A job that would tell if it had ever begun. */
const BEGUN = 'echo begun >&2; exit 1';
const refusalOf = async (image: string): Promise<string> => failureOf(await stage.run({ image, script: BEGUN }));

test('the same image with nothing added runs: it is what was added that is refused', async () => {
  expect(await refusalOf(await hostileImage('plain', []))).toBe('exit code 1: begun');
}, 60_000);

describe('an image is refused', () => {
  test('that brings a volume, which would be room on the disk without a limit', async () => {
    const image = await hostileImage('volume', ['RUN mkdir /data && chmod 1777 /data', 'VOLUME /data']);
    expect(await refusalOf(image)).toBe('the image wants volumes of its own (/data)');

    let mounts: unknown;
    const fill = 'sleep 1; head -c 40M /dev/zero >/data/x; stat -c "%s kept" /data/x >&2';
    const got = await unprotected(stage.containers, { image, script: fill, weaker: {} }, async (id) => {
      mounts = (await askEngine(`/containers/${id}/json`))?.['Mounts'];
    });
    // More than its scratch space, and in a folder of the machine.
    expect(got).toContain(`${40 * MIB} kept`);
    expect(mounts).toMatchObject([{ Type: 'volume', Destination: '/data', RW: true }]);
    const [{ Name: volume }] = mounts as [{ readonly Name: string }];
    expect(await askEngine(`/volumes/${volume}`)).toBeNull();
  }, 60_000);

  test('that works in a folder of the runtime’s own; without the rule the launch still works elsewhere', async () => {
    const image = await hostileImage('workdir', ['WORKDIR /proc/self/fd/8']);
    expect(await refusalOf(image)).toBe('the image wants to work in /proc/self/fd/8');

    const script = 'pwd >&2';
    expect(await unprotected(stage.containers, { image, script, weaker: {} })).toBe('/tmp');
    // With the image's own, the runtime tries to go there; what it finds depends on its version.
    const gone = unprotected(stage.containers, { image, script, weaker: { WorkingDir: undefined } });
    expect(await gone.catch(String)).toContain('/proc/self/fd/8');
  }, 60_000);

  test('that sets what loaders read, on the machine too where a hook runs with it', async () => {
    const image = await hostileImage('loader', ['ENV LD_AUDIT=/evil.so GLIBC_TUNABLES=glibc.malloc.check=3']);
    expect(await refusalOf(image)).toBe('the image sets what loaders read (LD_AUDIT, GLIBC_TUNABLES)');

    const script = `tr '\\0' '\\n' </proc/1/environ >&2`;
    const weaker = { Env: ['PATH=/usr/bin:/bin'] };
    expect(await unprotected(stage.containers, { image, script, weaker })).toContain('LD_AUDIT=/evil.so');
    expect(await unprotected(stage.containers, { image, script, weaker: {} })).toMatch(/^LD_AUDIT=$/m);
  }, 60_000);

  test('that passes for something of ours', async () => {
    const name = `0x${'1d'.repeat(20)}`;
    const image = await hostileImage('labels', [`LABEL org.idlemesh.device="${name}" org.idlemesh.role="gateway"`]);
    expect(await refusalOf(image)).toBe('the image bears labels of ours (org.idlemesh.device, org.idlemesh.role)');

    // Labels of an image are its containers', where nobody says otherwise: this one would be taken for the device's own.
    let listed: unknown;
    const weaker = { Labels: {} };
    await unprotected(stage.containers, { image, script: 'sleep 1', weaker }, async (id) => {
      listed = (await askEngine(`/containers/${id}/json`))?.['Config'];
    });
    expect(listed).toMatchObject({ Labels: { 'org.idlemesh.device': name } });
  }, 60_000);

  test.each<[string, string, string]>([
    ['a pipe', 'pipe', 'rm /etc/passwd && mkfifo /etc/passwd'],
    ['a device', 'device', 'rm /etc/group && mknod /etc/group c 1 3'],
    ['a link', 'link', 'rm /etc/passwd && ln -s /dev/zero /etc/passwd'],
    ['a file too large to be one', 'large', 'truncate -s 2M /etc/group'],
  ])(
    'that has %s where the engine itself reads accounts: it would be held up for ever',
    async (_what, name, run) => {
      const image = await hostileImage(`accounts-${name}`, [`RUN ${run}`]);
      expect(await refusalOf(image)).toMatch(
        /^the image has something else than a plain file at \/etc\/(passwd|group)$/,
      );
    },
    60_000,
  );

  test('the engine does read them: with a name for a user, the image decides who that is', async () => {
    const lines = [`RUN echo 'evil:x:0:0::/:/bin/sh' >>/etc/passwd && echo 'disk:x:6:evil' >/etc/group`];
    const attempt = { image: await hostileImage('accounts-evil', lines), script: 'id >&2' };
    const weaker = { User: 'evil' };
    expect(await unprotected(stage.containers, { ...attempt, weaker })).toMatch(/^uid=0.*groups=.*6\(disk\)/);
  }, 60_000);
});

describe('an image that cannot be started is the job’s failure and not the engine’s, and leaves nothing', () => {
  test.each<[string, string, readonly string[], RegExp]>([
    ['whose program is not there', 'no-program', ['ENTRYPOINT ["/none"]'], /program cannot be started/],
    [
      'whose program is none',
      'no-binary',
      ['RUN echo junk >/junk', 'ENTRYPOINT ["/junk"]'],
      /program cannot be started/,
    ],
    ['that names no program', 'no-entry', ['ENTRYPOINT []'], /names no program|program cannot be started/],
    [
      'whose /tmp leads to the runtime’s files',
      'tmp-link',
      ['RUN rm -rf /tmp && ln -s /proc/self/fd/7 /tmp'],
      /the engine refused/,
    ],
    ['whose /tmp is a file', 'tmp-file', ['RUN rm -rf /tmp && echo x >/tmp'], /the engine refused/],
  ])(
    '%s',
    async (_what, name, lines, why) => {
      expect(await refusalOf(await hostileImage(name, lines))).toMatch(why);
      expect(await stage.left()).toEqual([]);
    },
    60_000,
  );
});
