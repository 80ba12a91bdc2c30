import type { Disturbance } from '../guards.ts';
import type { SensorName } from '../signals.ts';

/** What each sensor watches, as the subject of a sentence. */
export const enSensors: Readonly<Record<SensorName, string>> = {
  idle: 'whether you are here',
  locked: 'whether the screen is locked',
  fullscreen: 'whether a program fills the screen',
  games: 'which programs run',
  media: 'whether something is playing',
  cpu: 'the load of the processor',
  gpus: 'the load of the graphics card',
  power: 'the power source',
  temperature: 'the temperature',
  metered: 'whether the network is metered',
  disk: 'the free disk space',
};

/** What is over now, as a sentence of its own. */
export const enDisturbances: Readonly<Record<Disturbance, string>> = {
  game: 'The game has ended.',
  fullscreen: 'The screen is free again.',
  media: 'Nothing is playing any more.',
  'cpu-busy': 'The processor is calm again.',
  'gpu-busy': 'The graphics card is calm again.',
  'gpu-memory': 'Graphics memory is free again.',
  'too-hot': 'It has cooled down.',
  'on-battery': 'Mains power is back.',
  metered: 'The network is no longer metered.',
  'disk-low': 'There is enough disk space again.',
  'sensor-unknown': 'The sensors answer again.',
};
