import type { Text } from '../../core/text/en.ts';
import { Mark } from '../parts/icons.tsx';

/** Before the first snapshot: usually too short to see. */
export function Opening({ text, lost }: { readonly text: Text; readonly lost: boolean }) {
  const words = text.window.frame;
  return (
    <main className="opening">
      <Mark />
      <h1>{lost ? 'Idlemesh' : words.opening}</h1>
      <p role={lost ? 'alert' : 'status'}>{lost ? words.unreachable : words.openingDetail}</p>
    </main>
  );
}
