import { unreachable } from '../errors.ts';
import type { GpuRefusal } from '../gpu-grants.ts';

/** Why a graphics card cannot be handed to work, after its name; and what the owner can do about it. */
export function enGpu(why: GpuRefusal): { readonly cause: string; readonly fix: string } {
  switch (why.kind) {
    case 'not-served':
      return {
        cause: 'work cannot use this card on this system',
        fix: 'On Windows and Linux, cards by NVIDIA can be shared; on Linux also those by AMD and Intel.',
      };
    case 'no-runtime':
      return {
        cause: 'Docker has no way to hand it out',
        fix: 'Install the NVIDIA Container Toolkit, run "sudo nvidia-ctk runtime configure --runtime=docker" and restart Docker.',
      };
    case 'behind-a-machine':
      return {
        cause: 'Docker Desktop does not reach it',
        fix: 'Cards by AMD and Intel need Docker Engine installed on Linux itself.',
      };
    case 'no-device-file':
      return {
        cause: `its driver offers no ${why.path}`,
        fix:
          why.path === '/dev/kfd'
            ? 'Install the driver amdgpu with its compute part (ROCm, amdkfd), then restart.'
            : 'Install its driver for Linux, then restart.',
      };
    case 'no-access':
      return {
        cause: `only root may use ${why.path}`,
        fix: `Give it to the group render, as most systems do: sudo chgrp render ${why.path} && sudo chmod 660 ${why.path}`,
      };
    case 'gvisor-only':
      return {
        cause: 'you share through gVisor only, which hands out no card',
        fix: 'Let the engine settings prefer gVisor instead of requiring it.',
      };
    case 'did-not-start':
      return {
        cause: 'work does not start with it',
        fix: `Docker says: ${why.detail}. Check its driver and the NVIDIA Container Toolkit. It is tried again by itself.`,
      };
    case 'failed-its-check':
      return {
        cause: 'a test calculation failed on it',
        fix: `${why.detail}. Update its driver, and take back any overclocking. It is tried again by itself.`,
      };
    case 'proof-refuted':
      return why.why === 'late'
        ? {
            cause: 'it took too long over the network’s test of its speed',
            fix: 'Close what else uses the card, and check its driver. It is tested again by itself.',
          }
        : {
            cause: 'the network found a wrong result in its test of this card',
            fix: 'Update its driver, and take back any overclocking. It is tested again by itself.',
          };
    default:
      return unreachable(why);
  }
}
