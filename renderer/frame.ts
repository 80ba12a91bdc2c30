import { createContext, useContext } from 'react';
import { fail } from '../core/errors.ts';
import type { Commands } from '../core/ipc.ts';
import type { Snapshot } from '../core/snapshot.ts';
import type { Text } from '../core/text/en.ts';
import type { Language } from '../core/text/index.ts';
import type { Format } from './format.ts';

export const VIEWS = ['overview', 'earnings', 'limits', 'activity', 'wallet', 'proof', 'settings'] as const;
export type View = (typeof VIEWS)[number];

/** What every view is a function of. */
export type Frame = {
  readonly snapshot: Snapshot;
  readonly commands: Commands;
  readonly language: Language;
  readonly text: Text;
  readonly format: Format;
  readonly go: (view: View) => void;
};

export const FrameContext = createContext<Frame | null>(null);

export function useFrame(): Frame {
  return useContext(FrameContext) ?? fail('INTERNAL', 'a view was drawn outside its frame');
}
