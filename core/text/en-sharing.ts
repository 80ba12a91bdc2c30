import { unreachable } from '../errors.ts';
import type { GpuRefusal } from '../gpu-grants.ts';
import type { Reason } from '../guards.ts';
import type { SensorView } from '../snapshot.ts';
import { enGpu } from './en-gpus.ts';
import { enDisturbances, enSensors } from './en-sensing.ts';

/** Why it rests, short enough to follow "Gave way:". */
function cause(value: Reason): string {
  switch (value.kind) {
    case 'settings-broken':
      return 'the settings file cannot be read';
    case 'ledger-unwritable':
      return 'earnings cannot be written to disk';
    case 'sandbox-leaks':
      return 'a test got out of the sandbox';
    case 'paused':
      return 'you paused';
    case 'lane-off':
      return 'you switched it off';
    case 'lane-not-offered':
      return 'not available yet';
    case 'no-gpu':
      return 'no graphics card to share';
    case 'gpu-refused':
      return enGpu(value.why).cause;
    case 'drained':
      return 'finished as you asked';
    case 'engine-unchecked':
      return 'looking for Docker';
    case 'engine-absent':
      return 'Docker is not running';
    case 'engine-forbidden':
      return 'Docker is not permitted';
    case 'engine-unfit':
      return 'Docker cannot isolate work';
    case 'disk-low':
      return 'the disk is nearly full';
    case 'schedule-closed':
      return 'outside the hours you share';
    case 'on-battery':
      return 'on battery';
    case 'metered':
      return 'the network is metered';
    case 'data-cap':
      return 'this month’s data is used';
    case 'too-hot':
      return `${Math.round(value.celsius)} °C is too hot`;
    case 'game':
      return `${value.name} runs`;
    case 'fullscreen':
      return `${value.name} fills the screen`;
    case 'gpu-memory':
      return `others hold ${value.percent} % of graphics memory`;
    case 'gpu-busy':
      return `others use ${value.percent} % of the graphics card`;
    case 'media':
      return `${value.name} plays`;
    case 'idle-unknown':
      return 'this system does not say whether you are here';
    case 'in-use':
      return 'you are here';
    case 'cpu-busy':
      return `others use ${value.percent} % of the processor`;
    case 'sensor-unknown':
      return `${enSensors[value.sensor]} cannot be read`;
    case 'settling':
      return enDisturbances[value.after].replace(/\.$/, '').replace(/^\w/, (letter) => letter.toLowerCase());
    case 'coordinator-away':
      return 'the network is away';
    case 'fetching-image':
      return 'the program for the work is being fetched';
    default:
      return unreachable(value);
  }
}

/** Of the picture of a day. */
const groups = {
  run: 'Sharing',
  owner: 'You',
  program: 'Your programs',
  machine: 'The machine',
  trouble: 'Trouble',
} as const;
type Groups = { readonly [Group in keyof typeof groups]: string };

const sensorStates: Readonly<Record<SensorView['state'], string>> = {
  ok: 'Working',
  unknown: 'Does not answer: work rests to be safe',
  unavailable: 'Not on this machine',
};

export const enSharing = {
  cause,
  lanes: {
    title: 'What each part does now',
    working: (jobs: number) => (jobs === 1 ? 'Working on one job' : `Working on ${jobs} jobs`),
    ready: 'Ready for the next job',
    finishing: (jobs: number) =>
      jobs === 1 ? 'Finishing one job, then stopping' : `Finishing ${jobs} jobs, then stopping`,
    held: (span: string) => `for ${span}`,
    named: (name: string, says: string) => `${name}: ${says}`,
  },
  drain: {
    finish: 'Finish the current job, then stop',
    draining: 'Finishing what is in hand',
    promise: 'No new job begins. Sharing stays off until you resume.',
  },
  activity: {
    title: 'When and why',
    intro: 'Every time the machine was given back, and when sharing came back.',
    day: 'Today at a glance',
    ribbon: (unit: string, sharing: string) => `${unit} today: shared for ${sharing}`,
    groups: groups as Groups,
    gaveWay: (why: string) => `Gave way: ${why}`,
    rests: (why: string) => `Still resting: ${why}`,
    again: (after: string) => `Sharing again after ${after}`,
    began: 'Sharing began',
    lasted: (span: string) => `lasted ${span}`,
    lasting: (span: string) => `${span} so far`,
    none: 'Nothing has changed yet',
    noneDetail: 'The first time sharing begins or gives way, it is written here with its reason.',
    ignore: (name: string) => `Never mind ${name} again`,
    ignored: 'Not minded any more',
    today: 'Today',
    yesterday: 'Yesterday',
  },
  yielding: {
    pids: 'Processes per job',
    pidsMeaning: 'More than these are refused to a job.',
    laneShare: 'When to share',
    whenIdle: 'While I am away',
    always: 'Always',
    never: 'Never',
    gpuRefused: (why: GpuRefusal) => ({ said: `Not shared: ${enGpu(why).cause}.`, fix: enGpu(why).fix }),
    gpuClosed: 'Follows the graphics card lane, which is off.',
    ownIdle: 'Its own idle time',
    asGeneral: (span: string) => `as in general (${span})`,
    back: 'When to give the machine back',
    backMeaning: 'Work is frozen within the blink of an eye, and goes on where it stopped.',
    off: 'never',
    games: 'While a game runs',
    gamesMeaning: 'Work freezes at once and graphics memory is freed.',
    fullscreen: 'While a program fills the screen',
    fullscreenMeaning: 'Work freezes at once and graphics memory is freed.',
    media: 'While a film plays',
    mediaMeaning: 'Watching a film, a call or a talk is not being away. Music alone is.',
    metered: 'Share on metered networks',
    meteredMeaning: 'Otherwise no data of a paid connection is used.',
    cpuBusy: 'Processor used by others from',
    cpuBusyMeaning: 'Of all cores, without the work itself.',
    gpuBusy: 'Graphics card used by others from',
    gpuBusyMeaning: 'Of its time, without the work itself.',
    gpuMemory: 'Graphics memory held by others from',
    gpuMemoryMeaning: 'Above it, work ends and its graphics memory is freed.',
    heat: 'Temperature from',
    heatMeaning: 'Of the hottest sensor; work waits until it has cooled down.',
    percent: (value: string) => `${value} %`,
    celsius: (value: string) => `${value} °C`,
  },
  schedule: {
    title: 'Hours',
    on: 'Share only at certain hours',
    onMeaning: 'Outside them nothing runs, even when you are away.',
    grid: 'Hours of the week in which sharing is allowed',
    help: 'Click or drag over hours. By keyboard: arrows move, the space bar switches, Shift with an arrow paints; day and hour headings switch a whole line.',
    days: ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'] as readonly string[],
    hour: (hour: number) => `${hour}:00`,
    cell: (day: string, hour: number, open: boolean) => `${day} ${hour}:00, ${open ? 'shared' : 'not shared'}`,
    wholeDay: (day: string) => `${day}, whole day`,
    wholeHour: (hour: number) => `${hour}:00, every day`,
    all: 'Always',
    nights: 'Nights and weekends',
    zone: 'Time zone',
    zoneSystem: (name: string) => `This machine’s (${name})`,
    openUntil: (when: string) => `Open now, until ${when}`,
    openAlways: 'Open at every hour',
    opensAt: (when: string) => `Closed now; opens ${when}`,
    opensNever: 'Closed at every hour: nothing will ever run.',
  },
  games: {
    title: 'Games and programs',
    meaning: 'Games of Steam, Epic, GOG, Battle.net and others are known already.',
    own: 'Also treat as a game',
    ignored: 'Never mind',
    noOwn: 'None of your own yet.',
    noIgnored: 'Nothing is ignored.',
    name: 'Name, file or folder',
    add: 'Add',
    remove: (name: string) => `Remove ${name}`,
    short: 'At least two characters.',
    already: 'This is in the list already.',
    learn: 'Learn a program that runs now',
    learnTitle: 'Which program is a game?',
    learnMeaning: 'Start it first. Only its name is kept, on this machine.',
    known: 'Known as a game',
    none: 'No program of yours can be seen right now.',
    again: 'Look again',
    close: 'Close',
    failed: 'The list was not changed',
  },
  sensors: {
    title: 'What Idlemesh watches',
    never:
      'It never records keys, screens, sounds or file contents. What it sees stays on this machine, and only the reasons in the activity are kept.',
    states: sensorStates,
    through: (sources: string) => `through ${sources}`,
    none: 'The sensors have not spoken yet.',
    name: (sensor: SensorView['sensor']) => enSensors[sensor].replace(/^\w/, (letter) => letter.toUpperCase()),
  },
};
