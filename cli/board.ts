import { MultiBar, type SingleBar } from 'cli-progress';
import { plainText } from '../core/plain-text.ts';

/** What a batch shows of one file. */
export type Line = {
  /** 0..1 */
  readonly update: (progress: number, state: string) => void;
  readonly done: (state: string) => void;
};
export type Board = {
  readonly line: (name: string) => Line;
  readonly close: () => void;
};

const NAME = 24;
const shown = (name: string): string => {
  const text = plainText(name);
  return (text.length > NAME ? `${text.slice(0, NAME - 1)}…` : text).padEnd(NAME);
};

/** A bar for each file and one over all on a terminal; elsewhere a line for each change of state. */
export function openBoard(stream: NodeJS.WriteStream, files: number, say: (line: string) => void): Board {
  if (stream.isTTY !== true) {
    return {
      line(name) {
        let last = '';
        const tell = (state: string): void => {
          if (state !== last) say(`${name}: ${state}`);
          last = state;
        };
        return { update: (_progress, state) => tell(state), done: tell };
      },
      close: () => undefined,
    };
  }
  const bars = new MultiBar({
    format: '{name} {bar} {percentage} % · {state}',
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: 24,
    hideCursor: true,
    clearOnComplete: false,
    stream,
  });
  const over: SingleBar | null =
    files > 1 ? bars.create(files, 0, { name: shown('all'), state: `0 of ${files}` }) : null;
  let finished = 0;
  return {
    line(name) {
      const bar = bars.create(100, 0, { name: shown(name), state: 'waiting' });
      return {
        update: (progress, state) => bar.update(Math.min(99, Math.round(progress * 100)), { state: plainText(state) }),
        done(state) {
          bar.update(100, { state: plainText(state) });
          finished += 1;
          over?.update(finished, { state: `${finished} of ${files}` });
        },
      };
    },
    close: () => bars.stop(),
  };
}
