import { unreachable } from '../errors.ts';
import type { ImageObstacle, ImageView } from '../images.ts';
import { mebibytes } from './format.ts';

const states: Readonly<Record<ImageView['state'], string>> = {
  present: 'On this machine',
  fetching: 'Being fetched',
  missing: 'Not here yet',
  refused: 'Refused',
};

/** `when`: the time of day of the next try. */
function obstacle(value: ImageObstacle, when: (at: number) => string): string {
  switch (value.kind) {
    case 'waiting':
      return 'Fetched when this machine may work.';
    case 'no-source':
      return 'The catalogue names no place to fetch it from.';
    case 'disk':
      return `Needs ${mebibytes(value.neededBytes)} of free disk, with what you keep free; ${mebibytes(value.freeBytes)} are free.`;
    case 'budget':
      return `With it, programs would take ${mebibytes(value.neededBytes)} of the ${mebibytes(value.budgetBytes)} you give them.`;
    case 'failed':
      return `It could not be fetched (${value.detail}). Next try at ${when(value.at)}.`;
    case 'refused':
      return `It must not run: ${value.detail}. It waits for a new catalogue.`;
    default:
      return unreachable(value);
  }
}

/** The images of work, which to the owner are programs. */
export const enImages = {
  images: {
    title: 'Programs for work',
    meaning:
      'Each comes as a sealed image, is checked against the signed catalogue, and goes when it is not needed any more.',
    none: 'The catalogue lists none.',
    budget: 'Disk for programs',
    budgetMeaning: 'The longest unused go first. Images of your own are never touched.',
    used: (bytes: number) => `${mebibytes(bytes)} on disk`,
    states,
    obstacle,
    bytes: (bytes: number | null, state: ImageView['state']) =>
      bytes === null ? 'size unknown' : state === 'present' ? mebibytes(bytes) : `${mebibytes(bytes)} to fetch`,
    yours: 'yours: Idlemesh did not fetch it and never removes it',
    progress: (program: string) => `Fetching ${program}`,
  },
};
