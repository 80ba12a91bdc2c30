import type { Check, Diagnosis, Finding } from '../doctor.ts';
import { unreachable } from '../errors.ts';
import { enCatalogue } from './en-catalogue.ts';
import { enUnfit } from './en-engine.ts';
import { enGpu } from './en-gpus.ts';
import { duration, gibibytes } from './format.ts';

/** What was found, how to mend it, and the words to type for it where there are any. */
export type Advice = { readonly says: string; readonly fix: string | null; readonly command: string | null };

const says = (text: string): Advice => ({ says: text, fix: null, command: null });

const install = {
  linux: ['Install Docker, then log out and in.', 'sudo apt-get install docker.io && sudo usermod -aG docker "$USER"'],
  macos: ['Install Docker Desktop and start it once.', 'brew install --cask docker'],
  windows: ['Install Docker Desktop and start it once.', 'winget install -e --id Docker.DockerDesktop'],
  other: ['Install Docker or Podman for your system.', null],
} as const;

function start(found: Extract<Diagnosis, { kind: 'engine-stopped' }>): Advice {
  const stopped = 'Docker is installed and does not run';
  if (found.platform === 'linux' && !found.desktop) {
    return { says: stopped, fix: 'Start it, now and with every start.', command: 'sudo systemctl enable --now docker' };
  }
  return { says: stopped, fix: 'Start Docker Desktop and wait until it says “running”.', command: null };
}

function advice(found: Finding): Advice {
  switch (found.kind) {
    case 'engine-ready':
      return says(
        `${found.product === 'podman' ? 'Podman' : 'Docker'} ${found.version}${found.place === null ? '' : ` at ${found.place}`}`,
      );
    case 'engine-unchecked':
      return says('Not looked at yet');
    case 'engine-missing': {
      const [fix, command] = install[found.platform];
      return { says: 'There is no Docker on this machine', fix, command };
    }
    case 'engine-stopped':
      return start(found);
    case 'engine-forbidden':
      return {
        says: 'Docker runs, but this user may not use it',
        fix: 'Add yourself to the group docker, then log out and in.',
        command: 'sudo usermod -aG docker "$USER"',
      };
    case 'engine-unfit': {
      const { short, advice: fix } = enUnfit(found.why);
      return { says: `Docker cannot isolate work safely: ${short}`, fix, command: null };
    }
    case 'virtualisation-on':
      return says('On');
    case 'virtualisation-off':
      return {
        says: 'Switched off: containers need it on this system',
        fix:
          found.platform === 'windows'
            ? 'Restart into the firmware settings (Shift while choosing “Restart”, then Troubleshoot, Advanced, UEFI) and switch on Intel VT-x or AMD SVM.'
            : 'Switch on virtualisation (Intel VT-x or AMD SVM) in the firmware settings.',
        command: null,
      };
    case 'wsl-ready':
      return says('WSL 2 is ready');
    case 'wsl-old':
      return { says: 'WSL is too old', fix: 'Update it in a terminal as administrator.', command: 'wsl --update' };
    case 'wsl-missing':
      return {
        says: 'WSL 2 is not installed',
        fix: 'Install it in a terminal as administrator, then restart.',
        command: 'wsl --install --no-distribution',
      };
    case 'gvisor-in-use':
      return says('Work runs under gVisor, on a kernel of its own');
    case 'gvisor-off':
      return says('Not used, as you chose. Containers isolate work');
    case 'gvisor-not-offered':
      return {
        says: 'Not offered by this engine. Containers isolate work',
        fix: 'Optional: install gVisor (gvisor.dev) and add the runtime “runsc” to Docker for a second wall.',
        command: null,
      };
    case 'gvisor-not-working':
      return {
        says: 'Offered, but nothing has run under it yet. Containers isolate work',
        fix: 'It is tried as soon as the programs for work are here. If it stays so, see the log of Docker.',
        command: null,
      };
    case 'gpu-none':
      return says('No graphics card was found');
    case 'gpu-served':
      return says(`Docker can hand out: ${found.makers}`);
    case 'gpu-refused': {
      const { cause, fix } = enGpu(found.why);
      return { says: `${found.name}: ${cause}`, fix, command: null };
    }
    case 'catalogue-valid':
      return says('Signed by enough release keys, and of this time');
    case 'catalogue-faulty': {
      const { title, advice: fix } = enCatalogue(found.problem);
      return { says: title, fix, command: null };
    }
    case 'gpu-not-served':
      return {
        says: `Docker cannot hand out the graphics card (${found.makers})`,
        fix:
          found.platform === 'windows'
            ? 'Update the NVIDIA driver and Docker Desktop, and let Docker use the WSL 2 engine.'
            : found.platform === 'macos'
              ? 'Containers cannot use graphics cards on macOS; the processor is shared all the same.'
              : 'Install the NVIDIA Container Toolkit, then restart Docker.',
        command: found.platform === 'linux' ? 'sudo nvidia-ctk runtime configure --runtime=docker' : null,
      };
    case 'images-present':
      return says(found.count === 1 ? 'The one image that work needs is here' : `All ${found.count} images are here`);
    case 'images-missing':
      return {
        says: `${found.present} of ${found.listed} images are here`,
        fix: 'The rest is fetched while the machine is idle.',
        command: null,
      };
    case 'images-none':
      return {
        says: 'Nothing is listed that could run',
        fix: 'Connect to the internet: the list comes with the network.',
        command: null,
      };
    case 'disk-enough':
      return says(`${gibibytes(found.freeBytes)} free`);
    case 'disk-low':
      return {
        says: `${gibibytes(found.freeBytes)} free, ${gibibytes(found.neededBytes)} must stay free`,
        fix: 'Free some space, or lower the limit under Limits.',
        command: null,
      };
    case 'clock-right':
      return says('Right to within a minute');
    case 'clock-wrong':
      return {
        says: `${duration(Math.abs(found.skewMs), 'en')} ${found.skewMs > 0 ? 'behind' : 'ahead of'} the network’s`,
        fix: 'Let the system set its clock by the internet.',
        command: null,
      };
    case 'coordinator-connected':
      return says('Connected');
    case 'coordinator-away':
      return {
        says: `Cannot be reached (${found.detail})`,
        fix: 'Check the internet connection, and the address under Settings. Finished work is kept.',
        command: null,
      };
    case 'coordinator-refused':
      return { says: `Refused this device (${found.detail})`, fix: 'Check the address under Settings.', command: null };
    case 'not-known':
      return says('Cannot be told just now');
    default:
      return unreachable(found);
  }
}

export const enDoctor = {
  title: 'Doctor',
  intro: 'What sharing needs on this machine, and how to mend what is missing.',
  looking: 'Looking …',
  again: 'Look again',
  /** `bad` and `hint`: how many findings are so. */
  summary: (bad: number, hint: number): string =>
    bad > 0
      ? `${bad === 1 ? 'One thing keeps' : `${bad} things keep`} work from running`
      : hint > 0
        ? 'All is well. There is something you could improve'
        : 'All is well',
  checks: {
    engine: 'Docker',
    virtualisation: 'Virtualisation',
    wsl: 'WSL 2',
    gvisor: 'gVisor',
    gpu: 'Graphics card',
    catalogue: 'List of work',
    images: 'Images',
    disk: 'Disk',
    clock: 'Clock',
    coordinator: 'Network',
  } satisfies Readonly<Record<Check, string>>,
  states: { fine: 'Fine', hint: 'Could be better', bad: 'To be mended', unknown: 'Not known' } satisfies Readonly<
    Record<Finding['state'], string>
  >,
  advice,
  gvisor: 'Use gVisor',
  gvisorHint: 'Runs each job on a kernel of its own. Slower for work that reads and writes much.',
  gvisorChoices: { prefer: 'Where it is offered', require: 'Only under it', never: 'Never' },
};
