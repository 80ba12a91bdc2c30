import type Docker from 'dockerode';
import type { Address } from '../../core/primitives.ts';
import { LABEL } from '../../core/sandbox.ts';
import { within } from './docker-connection.ts';

/** The door without a program to start says so with this exit code (workloads/door). */
const NOTHING_TO_START = 127;
const TRY_MS = 15_000;
const MEMORY_BYTES = 128 * 1024 * 1024;

/** Runs the door's image, which ends at once, under another runtime. Only a container that ran tells that it works. */
export const runtimeTrial =
  (docker: Docker) =>
  async (runtime: string, doorImage: string, device: Address): Promise<boolean> => {
    const body = {
      ...{ Image: doorImage, NetworkDisabled: true, Labels: { [LABEL.device]: device, [LABEL.role]: 'trial' } },
      HostConfig: {
        ...{ Runtime: runtime, NetworkMode: 'none', ReadonlyRootfs: true, CapDrop: ['ALL'] },
        ...{ Memory: MEMORY_BYTES, MemorySwap: MEMORY_BYTES, LogConfig: { Type: 'none', Config: {} } },
      },
    };
    let made: Docker.Container | null = null;
    try {
      made = await within(TRY_MS, docker.createContainer(body));
      await within(TRY_MS, made.start());
      const { StatusCode: code } = (await within(TRY_MS, made.wait())) as { readonly StatusCode: number };
      return code === NOTHING_TO_START;
    } catch {
      return false;
    } finally {
      await made?.remove({ force: true }).catch(() => undefined);
    }
  };
