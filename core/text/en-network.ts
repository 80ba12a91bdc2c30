/** The owner's line, and what work may use of it. */
export const enNetwork = {
  title: 'Network',
  used: (into: string, out: string, day: string) =>
    `This month: ${into} received, ${out} sent. Counted anew on ${day}.`,
  usedOf: (all: string, cap: string, into: string, out: string, day: string) =>
    `This month: ${all} of ${cap} (${into} received, ${out} sent). Counted anew on ${day}.`,
  now: (into: string, out: string) => `Now: ${into} in, ${out} out.`,
  idleDown: 'Download while you are away',
  idleUp: 'Upload while you are away',
  busyDown: 'Download while you are here',
  busyUp: 'Upload while you are here',
  idleMeaning: 'Of your line, for all work together.',
  busyMeaning: 'Also while a game runs.',
  resultsMeaning: 'Also while a game runs: finished results still go out, slowly.',
  cap: 'Data each month',
  capMeaning:
    'Received and sent together. Work rests a little before it is reached: a twentieth, at most 1 GiB, is kept for the results of work in hand.',
  rate: (mbps: string) => `${mbps} Mbit/s`,
  data: (gib: string) => `${gib} GiB`,
  unlimited: 'No limit',
};
